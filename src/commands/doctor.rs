//! `maskscope doctor`: every check, with evidence, cause and fix.

use std::io::Write;

use rayon::prelude::*;

use super::shared::{CommandOutcome, conversations, format, paint, print, say, setup_for_data};
use crate::chat::Sample;
use crate::cli::{DoctorArguments, OutputFormat, SharedOptions};
use crate::diagnose::{AlternativeLoad, LineFix, diagnose_with, fix_search, line_fix, sarif};
use crate::error::{Error, Result};
use crate::labels::Inspection;
use crate::report::{doctor_text, fix_text, json};
use crate::repository::LineEdit;
use crate::setup::{LlavaSetup, Setup, load_other_ways};
use crate::text;

/// Samples that changed lines of a repository are tried on.
pub const LINES_TRIED: usize = 100;

pub fn run(shared: &SharedOptions, arguments: &DoctorArguments) -> Result<CommandOutcome> {
    let forms: &[OutputFormat] = match arguments.fix_search {
        true => &[OutputFormat::Text, OutputFormat::Json, OutputFormat::Jsonl],
        false => &[OutputFormat::Text, OutputFormat::Json, OutputFormat::Jsonl, OutputFormat::Sarif],
    };
    let form = format(shared, forms)?;
    let samples = conversations(shared)?;
    let setup = setup_for_data(shared, shared.data.as_deref())?;
    if arguments.fix_search {
        let text = "--fix-search is for rules that count; with a chat template each finding names the strategy that mends it";
        recognized(&setup)?;
        let llava = setup.to_llava().ok_or_else(|| Error::Usage(text.to_string()))?;
        return search(shared, form, &llava, &samples, changed_lines(&setup, &samples));
    }
    recognized(&setup)?;
    let inspections: Vec<Inspection> = samples.par_iter().map(|s| setup.inspect(s)).collect();
    let alternative_loads = AlternativeLoad::all(&setup, &load_other_ways(&shared.request()?.0, &setup.base));
    let report = diagnose_with(&setup, &samples, &inspections, &alternative_loads);
    let ids: Vec<String> = samples.iter().map(|s| s.id.clone()).collect();
    print(|out| match form {
        OutputFormat::Text => doctor_text(out, &report, &ids, arguments.all, paint(shared)),
        OutputFormat::Sarif => {
            let file = shared.data.as_ref().map_or("samples/conversations".into(), |d| d.to_string_lossy());
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            writeln!(out, "{}", json::to_line(&sarif(&report, &file, &ids), true)?)
        }
        OutputFormat::Jsonl => {
            report.findings.iter().try_for_each(|f| writeln!(out, "{}", json::to_line(f, false)?))
        }
        _ => writeln!(out, "{}", json::to_line(&report, true)?),
    })?;
    Ok(if report.has_found() { CommandOutcome::Found } else { CommandOutcome::Clean })
}

/// The checks know rules: a repository's function must be one of them.
pub fn recognized(setup: &Setup) -> Result<()> {
    let Some(repository) = setup.repository() else { return Ok(()) };
    let function = &repository.function;
    let entry = function.entry();
    match repository.known() {
        Some(known) => {
            let numbers = known.rule.two().map_or(String::new(), |two| {
                let [text, image] = [two.text, two.image]
                    .map(|o| format!("round {:+}, instruction {:+}", o.round, o.instruction));
                let offsets =
                    if text == image { text } else { format!("{text} for texts, {image} with images") };
                format!(": cur_len from {}, {offsets}", two.start)
            });
            let grouped = known.rule.grouped().map_or(String::new(), |rule| {
                let (start, round, instruction, later) = (rule.start, rule.round, rule.instruction, rule.later - rule.first);
                format!(": cur_len from {start}, round {round:+}, instruction {instruction:+}, later rounds {later:+}")
            });
            let numbers = numbers + &grouped;
            say(&format!("note: {} counts as the rule {} does{numbers}", entry.name, known.rule.name()));
            Ok(())
        }
        None => Err(Error::Usage(format!(
            "{}:{} {} counts as no built-in rule does, and the checks know only those; `maskscope trace` shows what it counts, \
             line by line",
            entry.file, entry.line, entry.name
        ))),
    }
}

fn left_over(out: &mut dyn Write, samples: usize) -> std::io::Result<()> {
    match samples {
        0 => Ok(()),
        n => writeln!(out, "{n} samples stay wrong, which no set-up repairs: `maskscope doctor` says why"),
    }
}

/// Lines of the repository that repair the count, tried in the sandbox.
fn changed_lines(setup: &Setup, samples: &[Sample]) -> Option<LineFix> {
    let samples: Vec<&Sample> = samples.iter().take(LINES_TRIED).collect();
    line_fix(setup, &samples, &|| false)
}

fn search(
    shared: &SharedOptions,
    form: OutputFormat,
    setup: &LlavaSetup,
    samples: &[Sample],
    lines: Option<LineFix>,
) -> Result<CommandOutcome> {
    let samples: Vec<&Sample> = samples.iter().collect();
    let search = fix_search(setup, &samples);
    print(|out| {
        if form != OutputFormat::Text {
            let mut all = serde_json::to_value(&search)?;
            if let (Some(lines), Some(all)) = (&lines, all.as_object_mut()) {
                all.insert("lines".into(), lines.edits.iter().map(LineEdit::diff).collect());
            }
            return writeln!(out, "{}", json::to_line(&all, form != OutputFormat::Jsonl)?);
        }
        if let Some(lines) = &lines {
            writeln!(out, "in the repository's own code, tried in the sandbox:")?;
            let shown = lines.edits.iter().map(LineEdit::diff).collect::<Vec<_>>().join("\n");
            shown.lines().try_for_each(|line| writeln!(out, "  {}", text::plain(line)))?;
            return left_over(out, search.left_over);
        }
        match &search.best {
            None => writeln!(
                out,
                "none of {} combinations makes every sample match with right masks",
                search.tried
            ),
            Some(fix) if fix.changes.is_empty() => writeln!(
                out,
                "nothing has to change: {} samples match",
                samples.len().saturating_sub(search.left_over)
            ),
            Some(fix) => {
                writeln!(out, "smallest change of {} tried:", search.tried)?;
                fix_text(out, fix, paint(shared))?;
                search.others.iter().try_for_each(|other| {
                    writeln!(out, "  or:")?;
                    fix_text(out, other, paint(shared))
                })
            }
        }?;
        left_over(out, search.left_over)
    })?;
    let unchanged = search.best.as_ref().is_some_and(|fix| fix.changes.is_empty());
    let clean = unchanged && search.left_over == 0;
    Ok(if clean { CommandOutcome::Clean } else { CommandOutcome::Found })
}
