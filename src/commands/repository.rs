//! `--repo`: the label function of a repository for the other commands, and `maskscope repo`, which lists what is there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;

use super::shared::{CommandOutcome, conversations, format, print, report_progress, say, setup};
use crate::chat::Sample;
use crate::cli::{OutputFormat, SharedOptions};
use crate::error::{Error, Result};
use crate::labelling::{Labelling, RepositoryLabelling};
use crate::labels::IGNORE_INDEX;
use crate::report::{json as json_report, table};
use crate::repository::{Checkout, Event, FunctionRun, ItemKind, RepositoryFunction, listing, read, verify};
use crate::setup::{load_tokenizer, resolve};
use crate::text;

/// The label function that `--repo` and its companions name; says on stderr what was chosen.
fn function(shared: &SharedOptions) -> Result<Arc<RepositoryFunction>> {
    match setup(shared)?.labelling {
        Labelling::Repository(repository) => Ok(repository.function),
        Labelling::Llava(_) | Labelling::Chat(_) => {
            Err(Error::Usage("name the checkout: --repo DIR".to_string()))
        }
    }
}

/// `maskscope repo DIR`.
///
/// # Errors
/// The folder cannot be read.
pub fn run(shared: &SharedOptions, dir: Option<&Path>) -> Result<CommandOutcome> {
    let form = format(shared, &[OutputFormat::Text, OutputFormat::Json, OutputFormat::Jsonl])?;
    let dir = dir.or(shared.repository.repo.first().map(PathBuf::as_path));
    let dir = dir.ok_or_else(|| Error::Usage("name the checkout: maskscope repo DIR".to_string()))?;
    let checkout = Checkout::open(dir)?;
    let reading = read(&checkout)?;
    let items = || {
        reading.items.iter().map(|item| {
            json!({
                "kind": item.kind.name(), "name": item.name, "file": item.file, "line": item.line, "detail": item.detail,
            })
        })
    };
    print(|out| match form {
        OutputFormat::Json => writeln!(out, "{}", json_report::to_line(&items().collect::<Vec<_>>(), true)?),
        OutputFormat::Jsonl => {
            for item in items() {
                writeln!(out, "{}", json_report::to_line(&item, false)?)?;
            }
            Ok(())
        }
        _ => {
            let rows = reading.items.iter().map(|item| {
                let place = format!("{}:{}", item.file, item.line);
                vec![item.kind.name().to_string(), item.name.clone(), place, item.detail.clone()]
            });
            for line in table(&["what", "name", "place", "detail"], &rows.collect::<Vec<_>>()) {
                writeln!(out, "{line}")?;
            }
            Ok(())
        }
    })?;
    let found = reading.items.iter().any(|item| item.kind == ItemKind::LabelFunction);
    if !found {
        say(
            "note: no label function was found: files are read that speak of conversation templates or preprocess functions",
        );
    }
    Ok(CommandOutcome::Clean)
}

/// `maskscope trace`: what the function counted, line by line.
///
/// # Errors
/// As [`function`].
pub fn run_trace(shared: &SharedOptions, wanted: Option<&str>) -> Result<CommandOutcome> {
    let form = format(shared, &[OutputFormat::Text, OutputFormat::Jsonl])?;
    let function = function(shared)?;
    let samples = conversations(shared)?;
    let samples: Vec<&Sample> = samples.iter().filter(|s| wanted.is_none_or(|id| s.id == id)).collect();
    if samples.is_empty() {
        return Err(Error::Usage(format!("there is no sample {}", wanted.unwrap_or_default())));
    }
    let mut sources = Sources { checkout: function.checkout(), files: BTreeMap::new() };
    print(|out| {
        for sample in samples {
            let run = match function.run(sample) {
                Ok(run) => run,
                Err(error) => {
                    writeln!(out, "{}", text::plain(&format!("{}: {error}", sample.id)))?;
                    continue;
                }
            };
            if form == OutputFormat::Jsonl {
                writeln!(out, "{}", json_report::to_line(&trace_json(sample, &run), false)?)?;
                continue;
            }
            let ended = match &run.result {
                Ok((ids, labels)) => {
                    let supervised = labels.iter().filter(|label| **label != IGNORE_INDEX).count();
                    format!("{} tokens, {supervised} supervised", ids.len())
                }
                Err(raised) => raised.to_string(),
            };
            writeln!(out, "{}", text::plain(&format!("sample {}: {ended}", sample.id)))?;
            // The helpers that it calls count too, but not lengths of labels.
            let own = listing(&function, &run);
            let is_own = |(file, line): (&str, usize)| {
                own.as_ref().is_none_or(|own| own.file == file && own.lines.iter().any(|l| l.line == line))
            };
            for event in run.trace.iter().filter(|event| is_own(event.place())) {
                let (place, what) = described(event);
                let line = sources.line(event.place());
                writeln!(out, "  {}", text::plain(&format!("{place:<40} {what:<28} {line}")))?;
            }
            for line in run.printed.lines() {
                writeln!(out, "  {}", text::plain(&format!("printed: {line}")))?;
            }
        }
        Ok(())
    })?;
    Ok(CommandOutcome::Clean)
}

/// Texts of the files that a trace names.
struct Sources<'a> {
    checkout: &'a Checkout,
    files: BTreeMap<String, Vec<String>>,
}

impl Sources<'_> {
    fn line(&mut self, (file, line): (&str, usize)) -> String {
        let lines = self.files.entry(file.to_string()).or_insert_with(|| {
            let text = self.checkout.read(file).unwrap_or_default();
            text.lines().map(|line| line.trim().to_string()).collect()
        });
        lines.get(line.saturating_sub(1)).cloned().unwrap_or_default()
    }
}

fn described(event: &Event) -> (String, String) {
    let (file, line) = event.place();
    let what = match event {
        Event::Set { name, value: Some(value), .. } => format!("{name} = {value}"),
        Event::Set { name, .. } => format!("{name} = a very large number"),
        Event::Slice { start, end, value: Some(IGNORE_INDEX), .. } => format!("masks {start}..{end}"),
        Event::Slice { start, end, value: Some(value), .. } => format!("labels {start}..{end} = {value}"),
        Event::Slice { start, end, .. } => format!("labels {start}..{end} set"),
    };
    (format!("{file}:{line}"), what)
}

fn trace_json(sample: &Sample, run: &FunctionRun) -> serde_json::Value {
    let events: Vec<serde_json::Value> = run
        .trace
        .iter()
        .map(|event| match event {
            Event::Set { file, line, name, value } => {
                json!({"file": file, "line": line, "name": name, "value": value})
            }
            Event::Slice { file, line, start, end, value } => {
                json!({"file": file, "line": line, "start": start, "end": end, "value": value})
            }
        })
        .collect();
    let error =
        run.result.as_ref().err().map(|raised| json!({"type": raised.kind, "message": raised.message}));
    let rows = run.result.as_ref().ok();
    json!({
        "id": sample.id, "input_ids": rows.map(|(ids, _)| ids), "labels": rows.map(|(_, labels)| labels),
        "events": events, "printed": run.printed, "error": error,
    })
}

/// `maskscope verify`: the same function in the user's own Python, record by record.
///
/// # Errors
/// As [`function`], and where Python cannot run it.
pub fn run_verify(shared: &SharedOptions, python: &Path) -> Result<CommandOutcome> {
    let form = format(shared, &[OutputFormat::Text, OutputFormat::Json])?;
    let (request, mut notes) = shared.request()?;
    let Some(repository) = &request.repository else {
        return Err(Error::Usage("name the checkout: --repo DIR".to_string()));
    };
    let base = load_tokenizer(&request, &mut report_progress)?;
    let setup = resolve(&base, &request)?;
    notes.extend(setup.notes.iter().cloned());
    notes.iter().for_each(|note| say(&format!("note: {note}")));
    let Labelling::Repository(RepositoryLabelling { function, .. }) = &setup.labelling else {
        return Err(Error::Usage("name the checkout: --repo DIR".to_string()));
    };
    let samples = conversations(shared)?;
    let found = verify(function, repository.setup_lines().as_ref(), &request.tokenizer, python, &samples)?;
    let differences: Vec<(&str, String)> =
        found.samples.iter().filter_map(|v| Some((v.id.as_str(), v.difference()?))).collect();
    print(|out| {
        if form == OutputFormat::Json {
            let list: Vec<serde_json::Value> =
                differences.iter().map(|(id, what)| json!({"id": id, "difference": what})).collect();
            let all = json!({
                "transformers": found.transformers, "stubbed": found.stubbed, "samples": found.samples.len(),
                "equal": found.samples.len() - differences.len(), "differences": list,
            });
            return writeln!(out, "{}", json_report::to_line(&all, true)?);
        }
        writeln!(
            out,
            "transformers {} in {}",
            text::plain(&found.transformers),
            text::plain(&python.display().to_string())
        )?;
        if !found.stubbed.is_empty() {
            writeln!(
                out,
                "missing there, empty modules in their place: {}",
                text::plain(&found.stubbed.join(", "))
            )?;
        }
        let equal = found.samples.len() - differences.len();
        writeln!(
            out,
            "{equal} of {} samples have the same ids, labels, output and errors",
            found.samples.len()
        )?;
        for (id, what) in &differences {
            writeln!(out, "  {}", text::plain(&format!("{id}: {what}")))?;
        }
        Ok(())
    })?;
    Ok(if differences.is_empty() { CommandOutcome::Clean } else { CommandOutcome::Found })
}
