//! `maskscope tokens A --against B`: what changed between two versions of a trainer, row by row.

use serde::Serialize;

use super::shared::{CommandOutcome, paint, print};
use crate::cli::{OutputFormat, SharedOptions, TokensArguments};
use crate::diagnose::{CompareTotals, SetupComparison};
use crate::dumps::{CheckedRow, DumpSetup, Keys, RouteCounts, TokenDump};
use crate::error::Result;
use crate::report::{CompareTotalsJson, ComparisonJson, comparison_text, json, routes_text, totals_text};

/// What differs between two rows beside ids and labels.
#[derive(Debug, Default, Serialize)]
struct OtherCounts {
    /// Rows that only one of the dumps has.
    only_in_a: usize,
    only_in_b: usize,
    padding: usize,
    positions: usize,
    weights: usize,
    documents: usize,
}

pub(super) fn run(
    shared: &SharedOptions,
    arguments: &TokensArguments,
    (form, keys): (OutputFormat, &Keys),
    dumped: &DumpSetup<'_>,
) -> Result<CommandOutcome> {
    let facts = &dumped.facts;
    let mut a = Rows::new(TokenDump::open(&arguments.files, keys, facts)?);
    let mut b = Rows::new(TokenDump::open(&arguments.against, keys, facts)?);
    let shown = arguments.shown()?;
    let (mut totals, mut other) = (CompareTotals::default(), OtherCounts::default());
    let mut routes = RouteCounts::default();
    let (mut written, mut listed, mut failed) = (0, Vec::new(), None);
    print(|out| {
        if form == OutputFormat::Text {
            writeln!(out, "A {}\nB {}\n", a.dump.convention.summary(), b.dump.convention.summary())?;
        }
        loop {
            let pair = a.next(dumped).and_then(|left| Ok((left, b.next(dumped)?)));
            let (left, right) = match pair {
                Ok((None, None)) => break,
                Ok((Some(left), Some(right))) => (left, right),
                Ok((left, right)) => {
                    other.only_in_a += usize::from(left.is_some());
                    other.only_in_b += usize::from(right.is_some());
                    continue;
                }
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            };
            let padding = |row: &CheckedRow| (row.fed.content.start, row.row.ids.len() - row.fed.content.end);
            other.padding += usize::from(padding(&left) != padding(&right));
            other.positions += usize::from(left.row.position_ids != right.row.position_ids);
            other.weights += usize::from(left.fed.weights != right.fed.weights);
            other.documents += usize::from(left.fed.documents.len() != right.fed.documents.len());
            let inspect =
                |side: &Rows, row: &CheckedRow| dumped.inspect(&side.dump.convention, &row.row, &row.fed);
            let comparison = SetupComparison::aligned(inspect(&a, &left), inspect(&b, &right), true);
            routes.add(totals.samples, &left.row, &left.fed, Some(&right.row));
            totals.add(&comparison);
            match form {
                OutputFormat::Text if !comparison.is_alike() && written < shown => {
                    written += 1;
                    comparison_text(out, (dumped.setup, dumped.setup), &comparison, paint(shared))?;
                }
                OutputFormat::Text => {}
                OutputFormat::Jsonl => {
                    writeln!(out, "{}", json::to_line(&ComparisonJson::from(&comparison), false)?)?
                }
                _ => listed.push(serde_json::to_value(ComparisonJson::from(&comparison))?),
            }
        }
        match form {
            _ if failed.is_some() => Ok(()),
            OutputFormat::Text => {
                routes_text(out, &routes, paint(shared))?;
                totals_text(out, &totals)?;
                writeln!(
                    out,
                    "padding differs in {}, position_ids in {}, weights in {}, documents in {}; only in A {}, only in B {}",
                    other.padding,
                    other.positions,
                    other.weights,
                    other.documents,
                    other.only_in_a,
                    other.only_in_b
                )
            }
            OutputFormat::Jsonl => Ok(()),
            _ => {
                let whole = serde_json::json!({
                    "a": a.dump.convention, "b": b.dump.convention, "totals": CompareTotalsJson::from(&totals), "other": other, "routes": routes,
                    "rows": listed,
                });
                writeln!(out, "{}", json::to_line(&whole, true)?)
            }
        }
    })?;
    if let Some(error) = failed {
        return Err(error);
    }
    let same_beside =
        other.only_in_a + other.only_in_b + other.positions + other.weights + other.documents == 0;
    let same_routes = routes.layers.iter().all(|layer| layer.same == layer.compared);
    let alike = totals.alike == totals.samples && same_beside && same_routes;
    Ok(if alike { CommandOutcome::Clean } else { CommandOutcome::Found })
}

/// The rows of a dump one by one.
struct Rows {
    dump: TokenDump,
    batch: std::collections::VecDeque<CheckedRow>,
}

impl Rows {
    fn new(dump: TokenDump) -> Self {
        Self { dump, batch: std::collections::VecDeque::new() }
    }

    fn next(&mut self, dumped: &DumpSetup<'_>) -> Result<Option<CheckedRow>> {
        if self.batch.is_empty() {
            self.batch = self.dump.next_rows(&dumped.facts)?.into();
        }
        Ok(self.batch.pop_front())
    }
}
