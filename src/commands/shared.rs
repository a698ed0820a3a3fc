//! What every command does: load what the options ask for, read the samples, print, and say how it ended.

use std::io::{BufWriter, IsTerminal, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use crate::app::Background;
use crate::chat::layout::Layout;
use crate::chat::{Sample, peek_rows, read_samples};
use crate::cli::{Arguments, CliCommand, ColorChoice, OutputFormat, RequestWithNotes, SharedOptions};
use crate::config::{Settings, ThemeChoice};
use crate::data::{fits_pattern, unread_folders};
use crate::error::{Error, Result};
use crate::hub::{DatasetFiles, DownloadProgress, Stage};
use crate::labels::StatusCounts;
use crate::report::Paint;
use crate::setup::{
    DownloadWatch, LabelChoice, Request, Setup, TemplateChoice, by_rows, files_for, has_own_template,
    load_tokenizer, resolve,
};
use crate::{samples, text};

/// How a command ended, when it could be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandOutcome {
    /// Nothing to object to.
    Clean,
    /// Done, and something was found (`inspect --check`).
    Found,
}

/// The outcome of a command that labels samples: anything but a sound sample is a finding.
pub(super) fn outcome(counts: &StatusCounts) -> CommandOutcome {
    if counts.all_sound() { CommandOutcome::Clean } else { CommandOutcome::Found }
}

/// True when nothing was asked for: the screen then opens on the planted mismatch.
pub(super) fn is_bare(shared: &SharedOptions) -> bool {
    let wishes = [&shared.template, &shared.preprocess, &shared.recipe];
    let tokens = [&shared.unk, &shared.eos, &shared.bos, &shared.pad];
    wishes.iter().chain(&tokens).all(|w| w.is_none())
        && shared.tokenizer.is_empty()
        && shared.data.is_none()
        && shared.repository.repo.is_empty()
}

/// Loads and resolves what the options ask for; says on stderr what was chosen.
pub(super) fn setup(shared: &SharedOptions) -> Result<Setup> {
    setup_of(shared.request()?)
}

/// The same for a command that labels data: where nothing was asked for, the rows decide ([`opened`]).
pub(super) fn setup_for_data(shared: &SharedOptions, data: Option<&Path>) -> Result<Setup> {
    setup_of(opened(shared, data, &mut report_progress)?)
}

fn setup_of((request, mut notes): RequestWithNotes) -> Result<Setup> {
    let base = load_tokenizer(&request, &mut report_progress)?;
    let setup = resolve(&base, &request)?;
    notes.extend(base.notes.iter().cloned());
    notes.extend(setup.notes.iter().cloned());
    notes.iter().for_each(|note| say(&format!("note: {note}")));
    Ok(setup)
}

/// The request of the options; where neither template, rule, recipe nor tokens were asked for, rows that are not LLaVA's own
/// open with the tokenizer's chat template, if it has one.
pub(super) fn opened(
    shared: &SharedOptions,
    data: Option<&Path>,
    watch: DownloadWatch<'_>,
) -> Result<RequestWithNotes> {
    let (request, mut notes) = shared.request()?;
    let Some(path) = data.filter(|_| request.asks_for_nothing()) else { return Ok((request, notes)) };
    let peeked = peek_rows(path, shared.layout)?.filter(|rows| rows.layout.is_for_chat());
    let Some(peeked) = peeked else { return Ok((request, notes)) };
    let layout = peeked.layout;
    let has_template = has_own_template(&files_for(&request.tokenizer, &request.hub, watch)?);
    let rows = layout.name();
    if !has_template && layout.is_of_messages() && layout != Layout::Preference {
        let pairs = match layout {
            Layout::PromptCompletion => " (pairs of plain text need none)",
            _ => "",
        };
        notes.push(format!(
            "the rows are {rows}, and this tokenizer brings no chat template{pairs}: a LLaVA template reads their texts and \
             nothing else; --template FILE.jinja takes another"
        ));
    }
    let Some(wanted) = by_rows(&request, Some(peeked), has_template) else { return Ok((request, notes)) };
    if wanted.load != request.load {
        notes.push(format!("transformers {} is assumed, as for chat templates", wanted.load.release.name()));
    }
    notes.push(match wanted.preprocess {
        LabelChoice::Strategy(strategy) => format!(
            "strategy {} chosen: the rows are {rows}, which are no rows for supervised training",
            strategy.name()
        ),
        _ => format!("template chat chosen: the rows are {rows}, and this tokenizer brings its own template"),
    });
    Ok((wanted, notes))
}

/// Whether the tokenizer of a request brings a chat template of its own.
pub(super) fn brings_template(request: &Request) -> Result<bool> {
    Ok(has_own_template(&files_for(&request.tokenizer, &request.hub, &mut report_progress)?))
}

/// The arguments with data sets of the hub as files of its cache; `None` where none is named.
pub(super) fn local_data(arguments: &Arguments) -> Result<Option<Arguments>> {
    let named = |path: &PathBuf| DatasetFiles::parse(path.to_str()?);
    let scanned = match &arguments.command {
        Some(CliCommand::Scan(scan)) => scan.files.as_slice(),
        _ => &[],
    };
    if arguments.shared.data.iter().chain(scanned).all(|path| named(path).is_none()) {
        return Ok(None);
    }
    let hub = arguments.shared.request()?.0.hub;
    let fetched = |path: &mut PathBuf| -> Result<()> {
        if let Some(files) = named(path) {
            *path = files?.fetch(&hub, &fits_pattern, &mut report_progress)?;
        }
        Ok(())
    };
    let mut local = arguments.clone();
    local.shared.data.iter_mut().try_for_each(fetched)?;
    if let Some(CliCommand::Scan(scan)) = &mut local.command {
        scan.files.iter_mut().try_for_each(fetched)?;
    }
    Ok(Some(local))
}

/// A line on stderr for each file of a download; the rest of its reports would only scroll by.
pub(super) fn report_progress(progress: DownloadProgress) -> ControlFlow<()> {
    match (progress.stage, progress.note) {
        (Stage::FromCache, Some(note)) => say(&format!("note: {note}; the copy in the cache is used")),
        (Stage::Verifying, _) if !progress.file.is_empty() => {
            say(&format!("got {} ({} of {} files)", progress.file, progress.files_done + 1, progress.files));
        }
        _ => {}
    }
    ControlFlow::Continue(())
}

/// The samples that the options name, or the embedded ones; says on stderr which layout a file has.
pub(super) fn conversations(shared: &SharedOptions) -> Result<Vec<Sample>> {
    let Some(path) = &shared.data else {
        // A built-in chat template is shown on the built-in messages.
        let template = shared.template.as_deref().map(TemplateChoice::parse);
        let built_in = template.is_some_and(|template| template.is_built_in());
        return if built_in { samples::messages() } else { samples::conversations() };
    };
    say_unread(std::slice::from_ref(path));
    let file = read_samples(path, shared.layout)?;
    if let Some(found) = &file.detection {
        let (rows, of) = found.votes;
        let name = found.layout.name();
        say(&format!("note: layout {name}: {} ({rows} of {of} records)", found.rule));
    }
    file.notes.iter().for_each(|note| say(&format!("note: {note}")));
    Ok(file.samples)
}

/// Says on stderr which folders inside the given ones hold data that nobody reads.
pub(super) fn say_unread(paths: &[PathBuf]) {
    for folder in unread_folders(paths) {
        let folder = folder.display();
        say(&format!(
            "note: {folder} holds data files too, which are not read; name it, or give a pattern with **"
        ));
    }
}

/// The format, checked against those that the command has.
pub(super) fn format(shared: &SharedOptions, known: &[OutputFormat]) -> Result<OutputFormat> {
    let format = shared.format.unwrap_or(OutputFormat::Text);
    if known.contains(&format) {
        return Ok(format);
    }
    let names: Vec<String> = known.iter().map(|f| format!("{f:?}").to_lowercase()).collect();
    let asked = format!("{format:?}").to_lowercase();
    Err(Error::Usage(format!("this command has no format {asked}; it has {}", names.join(", "))))
}

/// Whether and how text output is coloured.
pub(super) fn paint(shared: &SharedOptions) -> Paint {
    match shared.color.unwrap_or(ColorChoice::Auto) {
        ColorChoice::Always => Paint::Ansi,
        ColorChoice::Never => Paint::Plain,
        ColorChoice::Auto => {
            if !no_color() && std::io::stdout().is_terminal() {
                Paint::Ansi
            } else {
                Paint::Plain
            }
        }
    }
}

/// The ground that a person's settings choose colours for.
pub(super) fn background(settings: &Settings) -> Option<Background> {
    settings.theme.map(|theme| match theme {
        ThemeChoice::Dark => Background::Dark,
        ThemeChoice::Light => Background::Light,
    })
}

/// Whether the environment asks for no colours at all (no-color.org).
pub(super) fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty())
}

/// Standard output, buffered; `f` writes, failures become errors that name it.
pub(super) fn print(f: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<()> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    f(&mut out).and_then(|()| out.flush()).map_err(|e| Error::write("standard output", e))
}

/// A line on stderr, made safe. A closed stderr is no reason to fail.
pub(super) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{}", text::plain(line));
}

/// True where whoever read the output has gone.
pub(super) fn is_broken_pipe(error: &Error) -> bool {
    matches!(error, Error::Io { source, .. } | Error::Write { source, .. } if source.kind() == std::io::ErrorKind::BrokenPipe)
}
