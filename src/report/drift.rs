//! Drift of ids as text and as JSON: counts by class, then examples.

use std::io::Write;

use serde::Serialize;

use super::glyphs::token_glyphs;
use super::paint::PaintMeaning;
use super::{Paint, table};
use crate::dumps::{Drift, DriftAgainst, DriftClass, DriftCounts, DriftExample, LogProbGap};
use crate::tokenizer::Tokenizer;

/// Tokens of an example that are shown.
const SHOWN: usize = 12;

/// Writes the counts over a file and the examples that were kept.
pub fn drift_text(
    out: &mut dyn Write,
    tokenizer: &Tokenizer,
    counts: &DriftCounts,
    paint: Paint,
) -> std::io::Result<()> {
    for against in DriftAgainst::ALL {
        let compared = counts.compared.get(against as usize).copied().unwrap_or_default();
        if compared == 0 {
            continue;
        }
        let title = format!("against {}: {compared} rows", against.name());
        writeln!(out, "{}", paint.paint(&title, PaintMeaning::Heading, false))?;
        let numbers = numbers(counts, against);
        let rows: Vec<Vec<String>> = numbers
            .iter()
            .filter(|(_, rows, _)| *rows > 0)
            .map(|(class, rows, stretches)| {
                let effect = if class.is_tolerated() { "tolerated" } else { "trains on other ids" };
                vec![class.name().to_string(), rows.to_string(), stretches.to_string(), effect.to_string()]
            })
            .collect();
        if rows.is_empty() {
            writeln!(out, "  the same ids in every row\n")?;
            continue;
        }
        for line in table(&["class", "rows", "places", ""], &rows) {
            writeln!(out, "  {line}")?;
        }
        for DriftExample { row, drift } in counts.examples.iter().filter(|e| e.drift.against == against) {
            let [start, end] = drift.tokens;
            writeln!(out, "  row {row}, tokens {start} to {end}: {}", drift.class.name())?;
            writeln!(out, "    ids    {}", tokens(tokenizer, &drift.ids))?;
            writeln!(out, "    again  {}", tokens(tokenizer, &drift.other_ids))?;
        }
        writeln!(out)?;
    }
    let LogProbGap { tokens, sum, largest, far, at } = &counts.gap;
    if *tokens > 0 {
        let place = at.map_or(String::new(), |[row, token]| format!(" (row {row}, token {token})"));
        writeln!(
            out,
            "log-probabilities of trainer and server: {tokens} tokens, {:.4} apart on average, {largest:.4} at most{place}, {far} by more than a \
             factor of two",
            sum / *tokens as f64
        )?;
    }
    writeln!(out, "{} rows: {} drift, {} do not", counts.rows, counts.harmful, counts.rows - counts.harmful)
}

fn numbers(counts: &DriftCounts, against: DriftAgainst) -> Vec<(DriftClass, usize, usize)> {
    let of = |all: &[[usize; 6]; 3], class: DriftClass| {
        all.get(against as usize).and_then(|all| all.get(class as usize)).copied().unwrap_or_default()
    };
    let each = |class| (class, of(&counts.rows_with, class), of(&counts.stretches, class));
    DriftClass::ALL.into_iter().map(each).collect()
}

fn tokens(tokenizer: &Tokenizer, ids: &[i64]) -> String {
    let shown: Vec<String> = ids.iter().take(SHOWN).map(|id| token_glyphs(tokenizer, *id)).collect();
    let more = if ids.len() > SHOWN { format!(" and {} more", ids.len() - SHOWN) } else { String::new() };
    if ids.is_empty() { "nothing".to_string() } else { shown.join("|") + &more }
}

/// The JSON of `drift`.
#[derive(Debug, Serialize)]
pub struct DriftJson<'a> {
    pub rows: usize,
    pub drifting: usize,
    pub against: Vec<DriftAgainstJson>,
    pub examples: &'a [DriftExample],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<&'a LogProbGap>,
}

/// Counts against one other side.
#[derive(Debug, Serialize)]
pub struct DriftAgainstJson {
    pub against: DriftAgainst,
    pub rows: usize,
    pub classes: Vec<DriftClassJson>,
}

/// Counts of one class.
#[derive(Debug, Serialize)]
pub struct DriftClassJson {
    pub class: DriftClass,
    pub tolerated: bool,
    pub rows: usize,
    pub places: usize,
}

impl<'a> From<&'a DriftCounts> for DriftJson<'a> {
    fn from(counts: &'a DriftCounts) -> Self {
        let against = DriftAgainst::ALL.into_iter().filter_map(|against| {
            let rows = counts.compared.get(against as usize).copied().filter(|rows| *rows > 0)?;
            let class = |(class, rows, places): (DriftClass, usize, usize)| DriftClassJson {
                class,
                tolerated: class.is_tolerated(),
                rows,
                places,
            };
            Some(DriftAgainstJson {
                against,
                rows,
                classes: numbers(counts, against).into_iter().map(class).collect(),
            })
        });
        Self {
            rows: counts.rows,
            drifting: counts.harmful,
            against: against.collect(),
            examples: &counts.examples,
            logprobs: (counts.gap.tokens > 0).then_some(&counts.gap),
        }
    }
}

/// A row of `drift --format jsonl`.
#[derive(Debug, Serialize)]
pub struct DriftRowJson<'a> {
    pub row: usize,
    pub id: &'a str,
    pub against: &'a [DriftAgainst],
    pub drifts: &'a [Drift],
}
