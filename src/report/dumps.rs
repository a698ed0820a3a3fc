//! Token dumps as text and as JSON: how the file labels, what is wrong, and rows token by token.

use std::io::Write;

use serde::Serialize;
use serde_json::{Value, json};

use super::compare::{ComparisonJson, comparison_text};
use super::doctor::{finding_text, verdicts_line};
use super::json::RoundJson;
use super::paint::PaintMeaning;
use super::sample::sample_text;
use super::{Paint, SampleJson, table};
use crate::chat::{Body, Sample};
use crate::diagnose::{Finding, Verdict};
use crate::dumps::{
    Convention, DUMP_CHECKS, DivergenceCause, DumpChecks, DumpRow, Explained, ExplainedTotals, FedRow,
    FirstDivergence, LayerRoutes, RouteCounts, RowLook,
};
use crate::labels::Inspection;
use crate::setup::Setup;
use crate::text;

/// Writes a row as `inspect` writes a sample, under a line that says where it stands.
pub fn dump_row_text(
    out: &mut dyn Write,
    setup: &Setup,
    convention: &Convention,
    (number, row, fed): (usize, &DumpRow, &FedRow),
    inspection: &Inspection,
    paint: Paint,
) -> std::io::Result<()> {
    let place =
        format!("row {number} · {} · {} tokens · {}", row.place.file, row.ids.len(), convention.summary());
    writeln!(out, "{}", text::plain(&place))?;
    let body = Body::Pretokenised { input_ids: Vec::new(), labels: Vec::new() };
    let sample = Sample { id: row.id.clone(), body, ..Sample::default() };
    sample_text(out, setup, &sample, inspection, paint)?;
    let Some(weights) = &fed.weights else { return Ok(()) };
    let mut runs: Vec<(usize, usize, f32)> = Vec::new();
    for (at, weight) in weights.iter().enumerate().filter(|(_, weight)| **weight != 0.0) {
        match runs.last_mut() {
            Some((_, end, known)) if *end == at && *known == *weight => *end += 1,
            _ => runs.push((at, at + 1, *weight)),
        }
    }
    let runs: Vec<String> =
        runs.iter().take(12).map(|(start, end, weight)| format!("{start}..{end} × {weight}")).collect();
    writeln!(out, "  weights    {}\n", runs.join("  "))
}

/// Writes how the file labels, what the rows come to, and what is wrong.
pub fn dump_text(
    out: &mut dyn Write,
    convention: &Convention,
    checks: &DumpChecks,
    findings: &[Finding],
    all: bool,
    paint: Paint,
) -> std::io::Result<()> {
    writeln!(out, "{}", paint.paint("how this file labels", PaintMeaning::Heading, false))?;
    writeln!(out, "  {}", text::plain(&convention.summary()))?;
    for evidence in &convention.evidence {
        writeln!(out, "  {:<14} {}", text::plain(&evidence.what), text::plain(&evidence.value))?;
    }
    writeln!(out)?;
    let mut shown: Vec<&Finding> = findings.iter().filter(|f| all || f.verdict > Verdict::Ok).collect();
    shown.sort_by_key(|finding| std::cmp::Reverse(finding.verdict));
    for finding in shown {
        finding_text(out, finding, &|row| Some(row.to_string()), paint)?;
    }
    writeln!(out, "{}", verdicts_line(findings))?;
    writeln!(out, "{}", totals_line(checks))
}

/// `4 rows, 212 tokens, 200 without padding: 88 supervised`.
pub fn totals_line(checks: &DumpChecks) -> String {
    let documents = match checks.documents > checks.rows as u64 {
        true => format!(", {} documents", checks.documents),
        false => String::new(),
    };
    format!(
        "{} rows{documents}, {} tokens, {} without padding: {} supervised",
        checks.rows, checks.tokens, checks.content, checks.supervised
    )
}

/// Writes a row's documents beside this program's own.
pub fn explained_text(
    out: &mut dyn Write,
    setup: &Setup,
    explained: &[Explained],
    paint: Paint,
) -> std::io::Result<()> {
    for one in explained {
        let source = match &one.source {
            Some(id) => format!("beside sample {id}"),
            None => "beside the messages that its text says".to_string(),
        };
        let place = one.first.token.map_or(String::new(), |token| format!(" from token {token} on"));
        let line = format!("{source}: {}{place}", one.first.cause.name());
        let agrees = one.first.cause == DivergenceCause::None;
        let meaning = if agrees { PaintMeaning::Good } else { PaintMeaning::Bad };
        writeln!(out, "  {}", paint.paint(&text::plain(&line), meaning, false))?;
        if !one.first.detail.is_empty() {
            writeln!(out, "  {}", text::plain(&one.first.detail))?;
        }
        if !one.strategies.is_empty() {
            writeln!(out, "  labels as by {}", one.strategies.join(", "))?;
        }
        if agrees {
            writeln!(out)?;
        } else {
            comparison_text(out, (setup, setup), &one.comparison, paint)?;
        }
    }
    Ok(())
}

/// Writes what all documents came to.
pub fn explained_totals_text(
    out: &mut dyn Write,
    totals: &ExplainedTotals,
    paint: Paint,
) -> std::io::Result<()> {
    if totals.documents == 0 {
        return Ok(());
    }
    let title = format!("beside this program's own labels: {} documents", totals.documents);
    writeln!(out, "{}", paint.paint(&title, PaintMeaning::Heading, false))?;
    for (cause, count) in DivergenceCause::ALL.iter().zip(totals.by_cause).filter(|(_, count)| *count > 0) {
        writeln!(out, "  {count:>8}  {}", cause.name())?;
    }
    for (strategy, count) in &totals.strategies {
        writeln!(out, "  {count:>8}  labelled as {strategy} does")?;
    }
    writeln!(out)
}

/// Writes the routes of experts, a line a layer.
pub fn routes_text(out: &mut dyn Write, routes: &RouteCounts, paint: Paint) -> std::io::Result<()> {
    if routes.layers.is_empty() {
        return Ok(());
    }
    let experts = routes.layers.iter().map(|layer| layer.load.len()).max().unwrap_or(0);
    let title = format!(
        "routes of experts: {} rows, {} tokens, {} layers, {} of {experts} or more experts a token",
        routes.rows,
        routes.tokens,
        routes.layers.len(),
        routes.k
    );
    writeln!(out, "{}", paint.paint(&title, PaintMeaning::Heading, false))?;
    let share = |load: &[u64]| format!("{:.2}", LayerRoutes::largest_over_uniform(load, experts));
    let row = |(at, layer): (usize, &LayerRoutes)| {
        let same = match layer.compared {
            0 => String::new(),
            all => format!("{:.2} %", 100.0 * layer.same as f64 / all as f64),
        };
        let used = layer.load.iter().filter(|count| **count > 0).count();
        vec![at.to_string(), used.to_string(), share(&layer.load), share(&layer.supervised_load), same]
    };
    let rows: Vec<Vec<String>> = routes.layers.iter().enumerate().map(row).collect();
    let head = ["layer", "experts used", "largest load ÷ uniform", "of supervised tokens", "same as B"];
    for line in table(&head, &rows) {
        writeln!(out, "  {}", line.trim_end())?;
    }
    writeln!(out)
}

/// A document beside this program's own, in JSON.
#[derive(Debug, Serialize)]
pub struct ExplainedJson<'a> {
    pub source: Option<&'a str>,
    #[serde(flatten)]
    pub first: &'a FirstDivergence,
    pub strategies: &'a [&'static str],
    pub comparison: ComparisonJson<'a>,
}

impl<'a> From<&'a Explained> for ExplainedJson<'a> {
    fn from(one: &'a Explained) -> Self {
        let comparison = ComparisonJson::from(&one.comparison);
        Self { source: one.source.as_deref(), first: &one.first, strategies: &one.strategies, comparison }
    }
}

/// The JSON of `tokens`.
#[derive(Debug, Serialize)]
pub struct DumpJson<'a> {
    pub rows: usize,
    pub documents: u64,
    pub tokens: u64,
    pub content: u64,
    pub supervised: u64,
    pub convention: &'a Convention,
    pub summary: String,
    pub findings: &'a [Finding],
    /// Documents by the cause of their first divergence from this program's own labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explained: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routes: Option<&'a RouteCounts>,
    /// The rows that were asked for.
    pub shown: Vec<Value>,
}

impl<'a> DumpJson<'a> {
    /// Of what all rows came to.
    pub fn new(
        convention: &'a Convention,
        checks: &'a DumpChecks,
        findings: &'a [Finding],
        shown: Vec<Value>,
    ) -> Self {
        Self {
            rows: checks.rows,
            documents: checks.documents,
            tokens: checks.tokens,
            content: checks.content,
            supervised: checks.supervised,
            convention,
            summary: convention.summary(),
            findings,
            explained: None,
            routes: (checks.routes.rows > 0).then_some(&checks.routes),
            shown,
        }
    }

    /// With what all documents came to.
    #[must_use]
    pub fn explained(mut self, totals: &ExplainedTotals) -> Self {
        let causes = DivergenceCause::ALL.iter().zip(totals.by_cause).filter(|(_, count)| *count > 0);
        let causes: Vec<Value> =
            causes.map(|(cause, count)| json!({"cause": cause, "documents": count})).collect();
        let documents = totals.documents;
        let strategies = &totals.strategies;
        self.explained = (documents > 0)
            .then(|| json!({"documents": documents, "causes": causes, "strategies": strategies}));
        self
    }
}

/// A row of a dump as one line of JSON: ids as they are, labels at their own places.
#[derive(Debug, Serialize)]
pub struct DumpRowJson<'a> {
    pub row: usize,
    pub id: &'a str,
    pub file: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub side: Option<&'static str>,
    pub input_ids: &'a [i64],
    pub labels: &'a [i64],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<&'a [f32]>,
    /// What is no padding.
    pub content: [usize; 2],
    pub documents: Vec<[usize; 2]>,
    pub text: Option<&'a str>,
    /// Turns by the template's markers; token numbers count from the content's begin.
    pub rounds: Option<Vec<RoundJson<'a>>>,
    /// Ids of the checks that this row shows by itself.
    pub findings: Vec<&'static str>,
    /// Its documents beside this program's own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub explained: Vec<ExplainedJson<'a>>,
}

impl<'a> DumpRowJson<'a> {
    /// Of a checked row.
    pub fn new(
        number: usize,
        row: &'a DumpRow,
        fed: &'a FedRow,
        look: &RowLook,
        inspection: &'a Inspection,
    ) -> Self {
        Self {
            row: number,
            id: &row.id,
            file: &row.place.file,
            part: row.place.part,
            side: row.place.side,
            input_ids: &row.ids,
            labels: &fed.labels,
            weights: fed.weights.as_deref(),
            content: [fed.content.start, fed.content.end],
            documents: fed.documents.iter().map(|document| [document.start, document.end]).collect(),
            text: inspection.prompt.as_deref(),
            rounds: SampleJson::from(inspection).rounds,
            findings: DUMP_CHECKS.iter().filter(|check| check.hits(look)).map(|check| check.id).collect(),
            explained: Vec::new(),
        }
    }

    /// With its documents beside this program's own.
    #[must_use]
    pub fn explained(mut self, explained: &'a [Explained]) -> Self {
        self.explained = explained.iter().map(ExplainedJson::from).collect();
        self
    }
}
