//! Two set-ups on the same samples, as text and as JSON.

use std::io::Write;

use serde::Serialize;

use super::glyphs::token_glyphs;
use super::mask::status_text;
use super::paint::PaintMeaning;
use super::{Paint, table};
use crate::diagnose::{CompareTotals, SetupComparison, Stretch, StretchSide};
use crate::labels::{Inspection, Labelled, StatusKind};
use crate::setup::Setup;
use crate::text;

/// Differing stretches that text output lists for one sample; JSON lists all.
const SHOWN: usize = 12;

/// What a side is called: tokenizer, class, template and rule.
pub fn side_name(setup: &Setup) -> String {
    let facts = &setup.tokenizer.facts;
    // Of a function of a repository the name alone says little.
    let place = setup.repository().map_or(String::new(), |repository| {
        let function = &repository.function;
        let changed = if function.checkout().is_changed() { ", changed in memory" } else { "" };
        format!(" of {}/{}{changed}", function.checkout().name(), function.entry().file)
    });
    text::plain(&format!(
        "{} · {} {} · transformers {} · template {} · rule {}{place}",
        setup.tokenizer.name,
        facts.name,
        facts.loader.name(),
        facts.release.name(),
        setup.template_name(),
        setup.rule_name()
    ))
}

/// What the difference does to the labels, in a sentence.
pub fn label_effect(comparison: &SetupComparison) -> String {
    let (Ok(a), Ok(b)) = (&comparison.a.result, &comparison.b.result) else {
        return "one side raises an exception: nothing to align".to_string();
    };
    match (a.supervised(), b.supervised(), comparison.learned_only) {
        (0, 0, _) => "no supervised tokens on either side".to_string(),
        (0, _, _) => "supervised tokens under B only".to_string(),
        (_, 0, _) => "supervised tokens under A only".to_string(),
        (_, _, (0, 0)) => "the same characters are supervised on both sides".to_string(),
        (_, _, (only_a, only_b)) => {
            format!("{only_a} bytes of the shared text are supervised under A only, {only_b} under B only")
        }
    }
}

/// Writes one sample: both states, then each differing stretch.
pub fn comparison_text(
    out: &mut dyn Write,
    (a, b): (&Setup, &Setup),
    comparison: &SetupComparison,
    paint: Paint,
) -> std::io::Result<()> {
    let differing = comparison.differing();
    let title = match (comparison.is_alike(), differing) {
        (true, _) => format!("{} · alike", comparison.a.id),
        (false, 0) => format!("{} · differs", comparison.a.id),
        (false, n) => format!("{} · {n} of {} stretches differ", comparison.a.id, comparison.stretches.len()),
    };
    writeln!(out, "{}", paint.paint(&text::plain(&title), PaintMeaning::Heading, false))?;
    writeln!(out, "  A {}", text::plain(&status_text(&comparison.a)))?;
    if comparison.is_alike() {
        return writeln!(out);
    }
    writeln!(out, "  B {}", text::plain(&status_text(&comparison.b)))?;
    writeln!(out, "  {}", label_effect(comparison))?;
    let different = comparison.stretches.iter().filter(|s| s.differs.any());
    let rows: Vec<Vec<String>> = different
        .take(SHOWN)
        .map(|stretch| {
            vec![
                stretch.a.text.start.to_string(),
                what(stretch).to_string(),
                side_text(a, &comparison.a, &stretch.a),
                side_text(b, &comparison.b, &stretch.b),
            ]
        })
        .collect();
    table(&["byte", "differs in", "A", "B"], &rows)
        .iter()
        .try_for_each(|line| writeln!(out, "    {line}"))?;
    if differing > SHOWN {
        writeln!(out, "    and {} more (--format jsonl names all)", differing - SHOWN)?;
    }
    writeln!(out)
}

/// `tokens, labels`.
pub fn what(stretch: &Stretch) -> &'static str {
    match (stretch.differs.text, stretch.differs.tokens, stretch.differs.labels) {
        (true, _, true) => "text, labels",
        (true, _, false) => "text",
        (false, true, true) => "tokens, labels",
        (false, true, false) => "tokens",
        (false, false, true) => "labels",
        (false, false, false) => "",
    }
}

/// The tokens of one side, `|` between them, supervised ones marked with a `+`.
pub fn side_text(setup: &Setup, inspection: &Inspection, side: &StretchSide) -> String {
    let Ok(labelled) = &inspection.result else { return String::new() };
    let tokens = side.tokens.clone().filter_map(|index| {
        let id = *labelled.input_ids.get(index)?;
        Some(format!(
            "{}{}",
            if labelled.is_supervised(index) { "+" } else { "" },
            token_glyphs(&setup.tokenizer, id)
        ))
    });
    let text = tokens.collect::<Vec<_>>().join("|");
    if text.is_empty() { "nothing".to_string() } else { text }
}

/// Writes what all samples come to.
pub fn totals_text(out: &mut dyn Write, totals: &CompareTotals) -> std::io::Result<()> {
    writeln!(
        out,
        "{} samples: {} alike, tokens differ in {}, labels differ in {}, the status in {}",
        totals.samples, totals.alike, totals.tokens_differ, totals.labels_differ, totals.outcomes_differ
    )?;
    writeln!(
        out,
        "A: {} sound, {} of {} tokens supervised · B: {} sound, {} of {}",
        totals.sound.0, totals.learned.0, totals.tokens.0, totals.sound.1, totals.learned.1, totals.tokens.1
    )
}

/// A side of [`ComparisonJson`].
#[derive(Debug, Serialize)]
pub struct CompareSideJson<'a> {
    pub template: &'a str,
    pub preprocess: &'a str,
    pub tokens: Option<usize>,
    pub supervised: Option<usize>,
    pub truncated: Option<usize>,
    pub status: StatusKind,
    pub mismatch: Option<bool>,
    pub error: Option<&'a str>,
}

/// One differing stretch: byte ranges of each prompt, ids and labels of each side.
#[derive(Debug, Serialize)]
pub struct StretchJson<'a> {
    pub differs_in: Vec<&'static str>,
    pub a: StretchSideJson<'a>,
    pub b: StretchSideJson<'a>,
}

/// A side of a stretch.
#[derive(Debug, Serialize)]
pub struct StretchSideJson<'a> {
    pub bytes: [usize; 2],
    pub tokens: [usize; 2],
    pub input_ids: &'a [i64],
    pub labels: &'a [i64],
}

/// A sample of `compare`, one line each in JSONL.
#[derive(Debug, Serialize)]
pub struct ComparisonJson<'a> {
    pub id: &'a str,
    pub alike: bool,
    pub same_vocabulary: bool,
    pub a: CompareSideJson<'a>,
    pub b: CompareSideJson<'a>,
    /// Bytes of the shared text that only one side supervises.
    pub learned_only: [usize; 2],
    pub stretches: usize,
    pub differing: Vec<StretchJson<'a>>,
}

impl<'a> From<&'a SetupComparison> for ComparisonJson<'a> {
    fn from(comparison: &'a SetupComparison) -> Self {
        let different = comparison.stretches.iter().filter(|s| s.differs.any());
        Self {
            id: &comparison.a.id,
            alike: comparison.is_alike(),
            same_vocabulary: comparison.same_vocabulary,
            a: side_json(&comparison.a),
            b: side_json(&comparison.b),
            learned_only: [comparison.learned_only.0, comparison.learned_only.1],
            stretches: comparison.stretches.len(),
            differing: different
                .map(|stretch| StretchJson {
                    differs_in: what(stretch).split(", ").filter(|w| !w.is_empty()).collect(),
                    a: stretch_side_json(&comparison.a, &stretch.a),
                    b: stretch_side_json(&comparison.b, &stretch.b),
                })
                .collect(),
        }
    }
}

fn side_json(inspection: &Inspection) -> CompareSideJson<'_> {
    let labelled = inspection.result.as_ref().ok();
    CompareSideJson {
        template: &inspection.template,
        preprocess: &inspection.preprocess,
        tokens: labelled.map(|l| l.input_ids.len()),
        supervised: labelled.map(Labelled::supervised),
        truncated: labelled.map(Labelled::truncated),
        status: inspection.status().kind(),
        mismatch: labelled.map(|l| l.mismatch),
        error: inspection.result.as_ref().err().map(|e| &*e.kind),
    }
}

fn stretch_side_json<'a>(inspection: &'a Inspection, side: &StretchSide) -> StretchSideJson<'a> {
    let slice = |all: &'a [i64]| all.get(side.tokens.clone()).unwrap_or_default();
    let labelled = inspection.result.as_ref().ok();
    StretchSideJson {
        bytes: [side.text.start, side.text.end],
        tokens: [side.tokens.start, side.tokens.end],
        input_ids: labelled.map(|l| slice(&l.input_ids)).unwrap_or_default(),
        labels: labelled.map(|l| slice(&l.labels)).unwrap_or_default(),
    }
}

/// What all samples of `compare` come to, the last line of JSONL.
#[derive(Debug, Serialize)]
pub struct CompareTotalsJson {
    pub samples: usize,
    pub alike: usize,
    pub tokens_differ: usize,
    pub labels_differ: usize,
    pub outcomes_differ: usize,
    pub sound: [usize; 2],
    pub tokens: [usize; 2],
    pub learned: [usize; 2],
}

impl From<&CompareTotals> for CompareTotalsJson {
    fn from(totals: &CompareTotals) -> Self {
        Self {
            samples: totals.samples,
            alike: totals.alike,
            tokens_differ: totals.tokens_differ,
            labels_differ: totals.labels_differ,
            outcomes_differ: totals.outcomes_differ,
            sound: totals.sound.into(),
            tokens: totals.tokens.into(),
            learned: totals.learned.into(),
        }
    }
}
