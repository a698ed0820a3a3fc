//! The commands: what each one prints, and with which exit status. The thin edge between [`crate::cli`] and the rest.

mod compare;
mod doctor;
mod encode;
mod frame;
mod images;
mod inspect;
mod lists;
mod moe;
mod onboard;
mod repository;
mod scan;
mod special;
mod strategies;

use std::io::{BufWriter, IsTerminal, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::chat::{Sample, read_samples};
use crate::cli::{Arguments, ColorChoice, Command, Format, SharedOptions};
use crate::data::unread_folders;
use crate::error::{Error, Result, with_causes};
use crate::hub::{Progress, Stage};
use crate::report::Paint;
use crate::runtime::{RunOptions, run};
use crate::setup::{SAMPLE_PREFIX, Setup, load_tokenizer, resolve};
use crate::{samples, text};

/// How a command ended, when it could be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing to object to.
    Clean,
    /// Done, and something was found (`inspect --check`).
    Found,
}

/// Parses the process's arguments, does what they ask, and gives the exit status: 0 clean, 1 found, 2 failed.
pub fn main() -> ExitCode {
    let arguments = match Arguments::from_process() {
        Ok(arguments) => arguments,
        Err(help) if !help.use_stderr() => help.exit(),
        Err(error) => {
            // It quotes the arguments, and those may hold anything.
            error.render().to_string().lines().for_each(say);
            return ExitCode::from(2);
        }
    };
    if matches!(arguments.command, Some(Command::Sandbox)) {
        return crate::sandbox::child_main();
    }
    if arguments.shared.repository.version.as_deref() == Some("") {
        println!("maskscope {}", env!("CARGO_PKG_VERSION"));
        return ExitCode::SUCCESS;
    }
    match dispatch(&arguments) {
        Ok(Outcome::Clean) => ExitCode::SUCCESS,
        Ok(Outcome::Found) => ExitCode::from(1),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {}", with_causes(&error)));
            ExitCode::from(2)
        }
    }
}

fn dispatch(arguments: &Arguments) -> Result<Outcome> {
    let shared = &arguments.shared;
    match &arguments.command {
        None => start_screen(arguments),
        Some(Command::Inspect { check }) => inspect::run(shared, *check),
        Some(Command::Encode { add_special_tokens }) => encode::run(shared, *add_special_tokens),
        Some(Command::Doctor(arguments)) => doctor::run(shared, arguments),
        Some(Command::Onboard(arguments)) => onboard::run_onboard(shared, arguments),
        Some(Command::Patch(arguments)) => onboard::run_patch(shared, arguments),
        Some(Command::Scan(arguments)) => scan::run(shared, arguments),
        Some(Command::Compare) => compare::run(shared),
        Some(Command::Special) => special::run(shared),
        Some(Command::Strategies { sample }) => strategies::run(shared, sample.as_deref()),
        Some(Command::Images(arguments)) => images::run(shared, arguments),
        Some(Command::Templates) => lists::templates(shared),
        Some(Command::Samples) => lists::samples(shared),
        Some(Command::Keys) => lists::keys(shared),
        Some(Command::Repo { dir }) => repository::run(shared, dir.as_deref()),
        Some(Command::Trace { sample }) => repository::run_trace(shared, sample.as_deref()),
        Some(Command::Verify { python }) => repository::run_verify(shared, python),
        Some(Command::Sandbox) => Ok(Outcome::Clean),
        Some(Command::Moe(command)) => moe::run(shared, command),
        Some(Command::Frame(frame)) => frame::run(shared, frame),
    }
}

fn start_screen(arguments: &Arguments) -> Result<Outcome> {
    if arguments.shared.format.is_some() {
        return Err(Error::Usage(
            "--format needs a command, such as `maskscope inspect --format jsonl`".into(),
        ));
    }
    let (request, _) = arguments.shared.request()?;
    let options = RunOptions {
        first_run: is_bare(&arguments.shared),
        request,
        data: arguments.shared.data.clone(),
        no_mouse: arguments.no_mouse,
        tour: arguments.tour,
        device: arguments.shared.device()?,
        image_tokens: arguments.shared.image_tokens,
    };
    run(options).map(|()| Outcome::Clean)
}

/// True when nothing was asked for: the screen then opens on the planted mismatch.
fn is_bare(shared: &SharedOptions) -> bool {
    let wishes = [&shared.template, &shared.preprocess, &shared.recipe];
    let tokens = [&shared.unk, &shared.eos, &shared.bos, &shared.pad];
    wishes.iter().chain(&tokens).all(|w| w.is_none()) && shared.tokenizer.is_empty() && shared.data.is_none()
}

/// Loads and resolves what the options ask for; says on stderr what was chosen.
fn setup(shared: &SharedOptions) -> Result<Setup> {
    let (request, mut notes) = shared.request()?;
    let base = load_tokenizer(&request, &mut report_progress)?;
    let setup = resolve(&base, &request)?;
    notes.extend(base.notes.iter().cloned());
    notes.extend(setup.notes.iter().cloned());
    notes.iter().for_each(|note| say(&format!("note: {note}")));
    Ok(setup)
}

/// A line on stderr for each file of a download; the rest of its reports would only scroll by.
fn report_progress(progress: Progress) -> ControlFlow<()> {
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
fn conversations(shared: &SharedOptions) -> Result<Vec<Sample>> {
    let Some(path) = &shared.data else {
        // A built-in chat template is shown on the built-in messages.
        let built_in = shared.template.as_ref().is_some_and(|name| name.starts_with(SAMPLE_PREFIX));
        return if built_in { samples::messages() } else { samples::conversations() };
    };
    say_unread(std::slice::from_ref(path));
    let file = read_samples(path, shared.layout)?;
    if let Some(found) = &file.detection {
        let (rows, of) = found.votes;
        let name = found.layout.name();
        say(&format!("note: layout {name}: {} ({rows} of {of} records)", found.rule));
    }
    Ok(file.samples)
}

/// Says on stderr which folders inside the given ones hold data that nobody reads.
fn say_unread(paths: &[PathBuf]) {
    for folder in unread_folders(paths) {
        let folder = folder.display();
        say(&format!(
            "note: {folder} holds data files too, which are not read; name it, or give a pattern with **"
        ));
    }
}

/// The format, checked against those that the command has.
fn format(shared: &SharedOptions, known: &[Format]) -> Result<Format> {
    let format = shared.format.unwrap_or(Format::Text);
    if known.contains(&format) {
        return Ok(format);
    }
    let names: Vec<String> = known.iter().map(|f| format!("{f:?}").to_lowercase()).collect();
    let asked = format!("{format:?}").to_lowercase();
    Err(Error::Usage(format!("this command has no format {asked}; it has {}", names.join(", "))))
}

/// Whether and how text output is coloured.
fn paint(shared: &SharedOptions) -> Paint {
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

/// Whether the environment asks for no colours at all (no-color.org).
fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty())
}

/// Standard output, buffered; `f` writes, failures become errors that name it.
fn print(f: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<()> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    f(&mut out).and_then(|()| out.flush()).map_err(|e| Error::io("standard output", e))
}

/// A line on stderr, made safe. A closed stderr is no reason to fail.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{}", text::plain(line));
}

fn is_broken_pipe(error: &Error) -> bool {
    matches!(error, Error::Io { source, .. } if source.kind() == std::io::ErrorKind::BrokenPipe)
}
