//! The lines of a label function beside what they counted in one sample.

use std::collections::BTreeMap;
use std::ops::Range;

use ruff_python_ast::visitor::{Visitor, walk_stmt};
use ruff_python_ast::{Stmt, StmtFunctionDef};
use ruff_text_size::Ranged;

use super::bounded_parse::parse;
use super::function::{Event, FunctionRun, RepositoryFunction};
use super::lines::Lines;
use crate::labels::IGNORE_INDEX;

/// Values that one line shows.
const MOST_VALUES: usize = 12;

/// One line of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CodeLine {
    /// From 1.
    pub line: usize,
    pub text: String,
    /// `52, 40`: what its name was given, round by round.
    pub values: Vec<String>,
    /// Tokens whose labels it set, each with the label; `None` where that was no one number.
    pub slices: Vec<(Range<usize>, Option<i64>)>,
    /// The exception came from here.
    pub raises: bool,
}

/// The function that set the labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeListing {
    pub file: String,
    pub name: String,
    pub lines: Vec<CodeLine>,
}

impl CodeLine {
    /// What happened at the line, in a few words; empty where nothing did.
    pub fn happened(&self) -> String {
        let mut parts = Vec::new();
        if !self.values.is_empty() {
            parts.push(format!("= {}", shortened(&self.values)));
        }
        let slices: Vec<String> =
            self.slices.iter().map(|(tokens, _)| format!("{}..{}", tokens.start, tokens.end)).collect();
        if !slices.is_empty() {
            let masks = self.slices.iter().all(|(_, value)| *value == Some(IGNORE_INDEX));
            parts.push(format!("{} {}", if masks { "masks" } else { "labels" }, shortened(&slices)));
        }
        if self.raises {
            parts.push("raises".to_string());
        }
        parts.join(" · ")
    }
}

fn shortened(values: &[String]) -> String {
    let more = if values.len() > MOST_VALUES { ", …" } else { "" };
    format!("{}{more}", values.iter().take(MOST_VALUES).cloned().collect::<Vec<_>>().join(", "))
}

impl CodeListing {
    /// The line that set the label of a token last.
    pub fn line_of_token(&self, token: usize) -> Option<&CodeLine> {
        let mut found: Option<&CodeLine> = None;
        for line in self.lines.iter().filter(|l| l.slices.iter().any(|(tokens, _)| tokens.contains(&token))) {
            // Loops run in between: of two lines the one whose slice is narrower says more.
            let width = |l: &CodeLine| {
                l.slices
                    .iter()
                    .filter(|(t, _)| t.contains(&token))
                    .map(|(t, _)| t.len())
                    .min()
                    .unwrap_or(usize::MAX)
            };
            if found.is_none_or(|known| width(line) < width(known)) {
                found = Some(line);
            }
        }
        found
    }
}

/// The listing of a run: the function in which labels were set or an exception arose, else the one that was called.
pub fn listing(function: &RepositoryFunction, run: &FunctionRun) -> Option<CodeListing> {
    let entry = function.entry();
    let slices = run.trace.iter().filter(|event| matches!(event, Event::Slice { .. }));
    let raised = run.result.as_ref().err().and_then(|raised| raised.place.clone());
    let own = (entry.file.clone(), entry.line);
    let place = slices.map(|event| event.place()).map(|(file, line)| (file.to_string(), line)).next();
    let (file, line) = place.or_else(|| raised.clone()).unwrap_or(own);
    let text = function.checkout().read(&file).ok()?;
    let body = parse(&text, &file).ok()?;
    let places = Lines::new(&text);
    let mut around = Around { lines: &places, line, found: None };
    body.iter().for_each(|statement| around.visit_stmt(statement));
    let (name, range) = around.found.map_or((entry.name.clone(), line..line + 1), |f| {
        let range = f.range();
        (f.name.id.to_string(), places.line(f.name.range().start())..places.line(range.end()) + 1)
    });
    let mut lines: BTreeMap<usize, CodeLine> = text
        .lines()
        .zip(1..)
        .filter(|(_, number)| range.contains(number))
        .map(|(text, number)| {
            (number, CodeLine { line: number, text: text.to_string(), ..CodeLine::default() })
        })
        .collect();
    for event in run.trace.iter().filter(|event| event.place().0 == file) {
        let Some(line) = lines.get_mut(&event.place().1) else { continue };
        match event {
            Event::Set { value, .. } => {
                line.values.push(value.map_or("…".to_string(), |value| value.to_string()))
            }
            Event::Slice { start, end, value, .. } => {
                let [start, end] = [*start, *end].map(|at| usize::try_from(at).unwrap_or(0));
                line.slices.push((start..end.max(start), *value));
            }
        }
    }
    if let Some(line) = raised.filter(|(of, _)| *of == file).and_then(|(_, line)| lines.get_mut(&line)) {
        line.raises = true;
    }
    Some(CodeListing { file, name, lines: lines.into_values().collect() })
}

/// The innermost function around a line.
struct Around<'a, 'l> {
    lines: &'l Lines,
    line: usize,
    found: Option<&'a StmtFunctionDef>,
}

impl<'a> Visitor<'a> for Around<'a, '_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        let range = statement.range();
        if !(self.lines.line(range.start())..=self.lines.line(range.end())).contains(&self.line) {
            return;
        }
        if let Stmt::FunctionDef(function) = statement {
            self.found = Some(function);
        }
        walk_stmt(self, statement);
    }
}
