//! `maskscope tokens`: what a trainer really fed, opened and checked.

use std::io::Write;

use serde_json::Value;

use super::shared::{CommandOutcome, brings_template, conversations, format, paint, print, say, setup};
use super::tokens_against;
use crate::cli::{OutputFormat, SharedOptions, TokensArguments};
use crate::diagnose::Verdict;
use crate::dumps::{
    CheckedRow, DumpChecks, DumpSetup, Explained, ExplainedTotals, Keys, SamplesBySaying, TokenDump,
};
use crate::error::{Error, Result};
use crate::report::{
    DumpJson, DumpRowJson, Paint, dump_row_text, dump_text, explained_text, explained_totals_text, json,
    routes_text,
};
use crate::setup::{CHAT, Setup};

pub fn run(shared: &SharedOptions, arguments: &TokensArguments) -> Result<CommandOutcome> {
    let form = format(shared, &[OutputFormat::Text, OutputFormat::Json, OutputFormat::Jsonl])?;
    let keys = Keys::parse(&arguments.key)?;
    let setup = setup_for_ids(shared)?;
    let dumped = DumpSetup::new(&setup);
    if !arguments.against.is_empty() {
        return tokens_against::run(shared, arguments, (form, &keys), &dumped);
    }
    let samples = match &shared.data {
        Some(_) => Some(SamplesBySaying::new(conversations(shared)?)),
        None => None,
    };
    let mut dump = TokenDump::open(&arguments.files, &keys, &dumped.facts)?;
    dump.notes().iter().for_each(|note| say(&format!("note: {note}")));
    let mut shown = ShownRows {
        dumped: &dumped,
        form,
        paint: paint(shared),
        most: arguments.shown()?,
        only: arguments.row,
        explains: arguments.explain || shared.data.is_some(),
        samples,
        totals: ExplainedTotals::default(),
        listed: Vec::new(),
    };
    let mut checks = DumpChecks::default();
    let mut failed = None;
    print(|out| {
        loop {
            let rows = match dump.next_rows(&dumped.facts) {
                Ok(rows) if rows.is_empty() => break,
                Ok(rows) => rows,
                Err(error) => {
                    failed = Some(error);
                    return Ok(());
                }
            };
            for checked in rows {
                shown.row(out, &dump, checks.rows, &checked)?;
                checks.routes.add(checks.rows, &checked.row, &checked.fed, None);
                checks.add(checked.look);
            }
        }
        let (convention, totals) = (&dump.convention, &shown.totals);
        let findings = checks.finish(convention, &dumped.facts);
        match form {
            OutputFormat::Text => {
                explained_totals_text(out, totals, shown.paint)?;
                routes_text(out, &checks.routes, shown.paint)?;
                dump_text(out, convention, &checks, &findings, arguments.all, shown.paint)
            }
            OutputFormat::Jsonl => Ok(()),
            _ => {
                let listed = std::mem::take(&mut shown.listed);
                let whole = DumpJson::new(convention, &checks, &findings, listed).explained(totals);
                writeln!(out, "{}", json::to_line(&whole, true)?)
            }
        }
    })?;
    if let Some(error) = failed {
        return Err(error);
    }
    if checks.rows == 0 {
        return Err(Error::Usage("there is no row in what was named".to_string()));
    }
    if let Some(only) = arguments.row.filter(|only| *only >= checks.rows) {
        return Err(Error::Usage(format!("--row {only}: there are {} rows, from 0", checks.rows)));
    }
    let findings = checks.finish(&dump.convention, &dumped.facts);
    let found = findings.iter().any(|finding| finding.verdict == Verdict::Error);
    Ok(if found { CommandOutcome::Found } else { CommandOutcome::Clean })
}

/// Which rows are shown, and how.
struct ShownRows<'a> {
    dumped: &'a DumpSetup<'a>,
    form: OutputFormat,
    paint: Paint,
    most: usize,
    only: Option<usize>,
    /// Beside each row what this program makes of its messages.
    explains: bool,
    samples: Option<SamplesBySaying>,
    totals: ExplainedTotals,
    /// Of JSON as one document.
    listed: Vec<Value>,
}

impl ShownRows<'_> {
    fn row(
        &mut self,
        out: &mut dyn Write,
        dump: &TokenDump,
        number: usize,
        CheckedRow { row, fed, look }: &CheckedRow,
    ) -> std::io::Result<()> {
        let explained: Vec<Explained> = match self.explains {
            true => self.dumped.explain(row, fed, self.samples.as_mut()),
            false => Vec::new(),
        };
        explained.iter().for_each(|explained| self.totals.add(explained));
        let wanted = match self.only {
            Some(only) => only == number,
            None => self.form == OutputFormat::Jsonl || number < self.most,
        };
        if !wanted {
            return Ok(());
        }
        let inspection = self.dumped.inspect(&dump.convention, row, fed);
        if self.form == OutputFormat::Text {
            let setup = self.dumped.setup;
            dump_row_text(out, setup, &dump.convention, (number, row, fed), &inspection, self.paint)?;
            return explained_text(out, setup, &explained, self.paint);
        }
        let row = DumpRowJson::new(number, row, fed, look, &inspection).explained(&explained);
        match self.form {
            OutputFormat::Jsonl => writeln!(out, "{}", json::to_line(&row, false)?),
            _ => {
                self.listed.push(serde_json::to_value(row)?);
                Ok(())
            }
        }
    }
}

/// The set-up that ids are read with: the tokenizer's own chat template, where it has one and nothing else is asked for.
pub(super) fn setup_for_ids(shared: &SharedOptions) -> Result<Setup> {
    let (request, _) = shared.request()?;
    if !request.asks_for_nothing() || !brings_template(&request)? {
        return setup(shared);
    }
    setup(&SharedOptions { template: Some(CHAT.to_string()), ..shared.clone() })
}
