//! Screen Scan: the whole file of conversations under the present set-up, with the causes counted as they come in.

use std::sync::Arc;

use crate::app::action::{Action, Screen};
use crate::app::bindings::Binding;
use crate::app::job::{DataSource, Effect, JobKind, Work as AppWork};
use crate::app::navigation::{lines, step};
use crate::app::panels::PanelAct::Scan;
use crate::app::panels::{PanelWork, key};
use crate::app::state::{App, Load, Notice};
use crate::app::update::{go_to_sample, job};
use crate::report::{Throughput, scan_lines};
use crate::scan::{Example, Report};
use crate::setup::Setup;

/// What the screen knows.
#[derive(Debug, Default)]
pub struct State {
    /// The report so far; `Loading` only until the first batch is done.
    pub report: Load<Box<Report>>,
    pub done: bool,
    /// Esc ended it before that.
    pub ended: bool,
    /// How far it is.
    pub throughput: Throughput,
    /// Line under the cursor, among those of the report.
    pub row: usize,
    /// First line shown of what stands below the causes.
    pub line: usize,
    /// What it was made for.
    pub made_for: Option<(Arc<Setup>, DataSource)>,
}

/// Acts that only this screen has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Act {
    /// Scan again.
    Again,
    /// Open the next sample of the cause under the cursor.
    Example,
    /// Later and earlier lines of what stands below the causes.
    Later,
    Earlier,
}

/// What is to be worked out.
#[derive(Debug, Clone)]
pub struct Work {
    pub setup: Arc<Setup>,
    pub source: DataSource,
}

/// What came of it.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The report so far.
    Counted {
        report: Box<Report>,
        throughput: Throughput,
        done: bool,
    },
    Failed(String),
}

/// The keys of this screen.
#[rustfmt::skip]
pub const BINDINGS: &[Binding] = &[
    key(&["enter"], Scan(Act::Example), "open an example of the cause under the cursor", Some("open example")),
    key(&["s"], Scan(Act::Again), "scan again", Some("scan again")),
    key(&["]"], Scan(Act::Later), "later lines of the report", None),
    key(&["["], Scan(Act::Earlier), "earlier lines of the report", None),
];

/// Starts what is out of date.
pub fn refresh(app: &mut App) -> Vec<Effect> {
    let Some(view) = app.shown().cloned() else { return Vec::new() };
    let same =
        |(setup, source): &(Arc<Setup>, DataSource)| *source == app.source && setup.is_same(&view.setup);
    if app.panels.scan.made_for.as_ref().is_some_and(same) {
        return Vec::new();
    }
    start(app)
}

fn start(app: &mut App) -> Vec<Effect> {
    let Some(setup) = app.shown().map(|view| view.setup.clone()) else { return Vec::new() };
    let source = app.source.clone();
    let state = &mut app.panels.scan;
    state.made_for = Some((setup.clone(), app.source.clone()));
    (state.report, state.done, state.throughput) = (Load::Loading, false, Throughput::default());
    (state.row, state.line, state.ended) = (0, 0, false);
    let work = AppWork::Panel(PanelWork::Scan(Box::new(Work { setup, source })));
    vec![job(app, JobKind::Panel(Screen::Scan), work)]
}

/// Causes in the order of the screen: the most frequent first.
pub fn causes(report: &Report) -> Vec<&str> {
    report.causes().into_iter().map(|(id, _)| id).collect()
}

/// A general act on this screen.
pub fn on_screen(app: &mut App, action: Action) -> Option<Vec<Effect>> {
    if action == Action::Back && !app.panels.scan.done {
        let state = &mut app.panels.scan;
        (state.done, state.ended) = (true, true);
        if matches!(state.report, Load::Loading) {
            state.report = Load::Failed("cancelled; s scans".to_string());
        }
        return Some(vec![Effect::Cancel(JobKind::Panel(Screen::Scan))]);
    }
    let by = lines(app, action)?;
    let count = app.panels.scan.report.ready().map_or(0, |report| report.by_cause.len());
    app.panels.scan.row = step(app.panels.scan.row, by, count);
    Some(Vec::new())
}

/// An act of this screen's own.
pub fn act(app: &mut App, act: Act) -> Vec<Effect> {
    match act {
        Act::Again => start(app),
        Act::Example => example(app),
        Act::Later | Act::Earlier => {
            let by = if act == Act::Later { 3 } else { -3 };
            let count = app.panels.scan.report.ready().map_or(0, |report| below(report).len());
            app.panels.scan.line = step(app.panels.scan.line, by, count);
            Vec::new()
        }
    }
}

/// The lines of the report that stand below its causes.
pub fn below(report: &Report) -> Vec<String> {
    let lines = scan_lines(report);
    let from = lines.iter().position(|line| line == "by rounds").unwrap_or(lines.len());
    let states = lines.iter().position(|line| line == "by state").unwrap_or(lines.len());
    let causes_at = lines.iter().position(|line| line == "by cause").unwrap_or(from);
    let part = |range: std::ops::Range<usize>| lines.get(range).unwrap_or_default().to_vec();
    [part(states..causes_at), part(from..lines.len())].concat()
}

/// The next sample of the cause after the one on screen, at the place where claim and truth part.
fn example(app: &mut App) -> Vec<Effect> {
    let Some(report) = app.panels.scan.report.ready() else { return Vec::new() };
    let Some(id) = causes(report).get(app.panels.scan.row).map(|id| id.to_string()) else {
        return Vec::new();
    };
    let examples = report.by_cause.get(&id).map(|c| c.examples.as_slice()).unwrap_or_default();
    let samples = app.samples.ready();
    // Ids need not differ: the position counts, unless records that are no samples have shifted it.
    let place = |example: &Example| {
        let all = samples?;
        let at =
            usize::try_from(example.index).ok().filter(|at| all.get(*at).is_some_and(|s| s.id == example.id));
        at.or_else(|| all.iter().position(|s| s.id == example.id))
    };
    let places: Vec<usize> = examples.iter().filter_map(place).collect();
    let next = places.iter().find(|at| **at > app.current).or(places.first()).copied();
    let Some(index) = next else {
        let text = "no example of this cause is among the samples that are loaded".to_string();
        app.notice = Some(Notice { text, is_error: false });
        return Vec::new();
    };
    app.screen = Screen::Labels;
    app.seek_difference = true;
    app.notice = Some(Notice { text: format!("{id}; 0 goes back to the scan"), is_error: false });
    if index == app.current {
        app.seek();
        return Vec::new();
    }
    go_to_sample(app, index)
}

/// Takes what came of the work.
pub fn done(app: &mut App, outcome: Outcome) -> Vec<Effect> {
    match outcome {
        Outcome::Counted { report, throughput, done } => {
            let state = &mut app.panels.scan;
            (state.report, state.throughput) = (Load::Ready(report), throughput);
            // A batch that was under way when Esc came is counted, but the scan stays ended.
            state.done |= done;
        }
        Outcome::Failed(error) => broken(app, error),
    }
    Vec::new()
}

/// The work ended without a result: say so instead of waiting for ever.
pub fn broken(app: &mut App, error: String) {
    app.panels.scan.report = Load::Failed(error);
    app.panels.scan.done = true;
}
