//! `maskscope doctor`: every check, with evidence, cause and fix.

use rayon::prelude::*;

use super::shared::{CommandOutcome, conversations, format, paint, print, setup};
use crate::chat::Sample;
use crate::cli::{DoctorArguments, Format, SharedOptions};
use crate::diagnose::{AlternativeLoad, diagnose_with, fix_search, sarif};
use crate::error::{Error, Result};
use crate::labels::Inspection;
use crate::report::{doctor_text, fix_text, json};
use crate::setup::{LlavaSetup, load_other_ways};

pub fn run(shared: &SharedOptions, arguments: &DoctorArguments) -> Result<CommandOutcome> {
    let forms: &[Format] = match arguments.fix_search {
        true => &[Format::Text, Format::Json, Format::Jsonl],
        false => &[Format::Text, Format::Json, Format::Jsonl, Format::Sarif],
    };
    let form = format(shared, forms)?;
    let samples = conversations(shared)?;
    let setup = setup(shared)?;
    if arguments.fix_search {
        let text = "--fix-search is for rules that count; with a chat template each finding names the strategy that mends it";
        let setup = setup.to_llava().ok_or_else(|| Error::Usage(text.to_string()))?;
        return search(shared, form, &setup, &samples);
    }
    let inspections: Vec<Inspection> = samples.par_iter().map(|s| setup.inspect(s)).collect();
    let alternative_loads = AlternativeLoad::all(&setup, &load_other_ways(&shared.request()?.0, &setup.base));
    let report = diagnose_with(&setup, &samples, &inspections, &alternative_loads);
    let ids: Vec<String> = samples.iter().map(|s| s.id.clone()).collect();
    print(|out| match form {
        Format::Text => doctor_text(out, &report, &ids, arguments.all, paint(shared)),
        Format::Sarif => {
            let file = shared.data.as_ref().map_or("samples/conversations".into(), |d| d.to_string_lossy());
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            writeln!(out, "{}", json::to_line(&sarif(&report, &file, &ids), true)?)
        }
        Format::Jsonl => {
            report.findings.iter().try_for_each(|f| writeln!(out, "{}", json::to_line(f, false)?))
        }
        _ => writeln!(out, "{}", json::to_line(&report, true)?),
    })?;
    Ok(if report.has_found() { CommandOutcome::Found } else { CommandOutcome::Clean })
}

fn search(
    shared: &SharedOptions,
    form: Format,
    setup: &LlavaSetup,
    samples: &[Sample],
) -> Result<CommandOutcome> {
    let samples: Vec<&Sample> = samples.iter().collect();
    let search = fix_search(setup, &samples);
    print(|out| {
        if form != Format::Text {
            return writeln!(out, "{}", json::to_line(&search, form != Format::Jsonl)?);
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
        match search.left_over {
            0 => Ok(()),
            n => {
                writeln!(out, "{n} samples stay wrong, which no set-up repairs: `maskscope doctor` says why")
            }
        }
    })?;
    let unchanged = search.best.as_ref().is_some_and(|fix| fix.changes.is_empty());
    let clean = unchanged && search.left_over == 0;
    Ok(if clean { CommandOutcome::Clean } else { CommandOutcome::Found })
}
