//! `maskscope compare`: two tokenizers, or two classes of one, on the same samples.

use serde_json::json;

use super::shared::{CommandOutcome, conversations, format, paint, print, report_progress, say};
use crate::cli::{OutputFormat, SharedOptions};
use crate::diagnose::{CompareTotals, SetupComparison, share_vocabulary};
use crate::error::Result;
use crate::report::{CompareTotalsJson, ComparisonJson, comparison_text, json, side_name, totals_text};
use crate::setup::{Request, Setup, load_tokenizer, resolve};

pub fn run(shared: &SharedOptions) -> Result<CommandOutcome> {
    let form = format(shared, &[OutputFormat::Text, OutputFormat::Json, OutputFormat::Jsonl])?;
    let ((first, mut notes), (second, more)) = shared.two_requests()?;
    notes.extend(more);
    notes.iter().for_each(|note| say(&format!("note: {note}")));
    let (a, b) = (side("A", &first)?, side("B", &second)?);
    let loaded = |setup: &Setup| (setup.tokenizer.facts.loader, setup.tokenizer.facts.legacy);
    if first.load != second.load
        && a.repository().is_some()
        && b.repository().is_some()
        && loaded(&a) == loaded(&b)
    {
        say(
            "note: the repository's own lines load the tokenizer, and take the same class on both sides: --setup-code FILE gives others",
        );
    }
    let samples = conversations(shared)?;
    let same_vocabulary = share_vocabulary(&a.tokenizer, &b.tokenizer);
    let compare = |sample| SetupComparison::aligned(a.inspect(sample), b.inspect(sample), same_vocabulary);
    let mut totals = CompareTotals::default();
    print(|out| match form {
        OutputFormat::Text => {
            writeln!(out, "A {}", side_name(&a))?;
            writeln!(out, "B {}\n", side_name(&b))?;
            for sample in &samples {
                let comparison = compare(sample);
                totals.add(&comparison);
                comparison_text(out, (&a, &b), &comparison, paint(shared))?;
            }
            totals_text(out, &totals)
        }
        OutputFormat::Jsonl => {
            for sample in &samples {
                let comparison = compare(sample);
                totals.add(&comparison);
                writeln!(out, "{}", json::to_line(&ComparisonJson::from(&comparison), false)?)?;
            }
            Ok(())
        }
        _ => {
            let all: Vec<SetupComparison> = samples.iter().map(compare).collect();
            all.iter().for_each(|c| totals.add(c));
            let rows: Vec<ComparisonJson<'_>> = all.iter().map(ComparisonJson::from).collect();
            let whole = json!({
                "a": side_name(&a), "b": side_name(&b),
                "totals": CompareTotalsJson::from(&totals), "samples": rows,
            });
            writeln!(out, "{}", json::to_line(&whole, true)?)
        }
    })?;
    Ok(if totals.alike == totals.samples { CommandOutcome::Clean } else { CommandOutcome::Found })
}

fn side(name: &str, request: &Request) -> Result<Setup> {
    let base = load_tokenizer(request, &mut report_progress)?;
    let setup = resolve(&base, request)?;
    base.notes.iter().chain(&setup.notes).for_each(|note| say(&format!("note: {name}: {note}")));
    Ok(setup)
}
