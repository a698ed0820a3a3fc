//! Screen Doctor: every check on the samples, with evidence, cause and fix; a fix is tried in memory with one key.

use std::sync::Arc;

use crate::app::action::{Action, Screen};
use crate::app::bindings::Binding;
use crate::app::job::{Effect, JobKind, Work as AppWork};
use crate::app::navigation::{lines, step};
use crate::app::panels::PanelAct::Doctor;
use crate::app::panels::{PanelWork, key};
use crate::app::request_changes::adopt_fix;
use crate::app::state::{App, Load, Notice};
use crate::app::update::{abandon, go_to_sample, job};
use crate::chat::Sample;
use crate::diagnose::{Finding, Fix, Report, Search, Verdict};
use crate::setup::{Request, Setup};

/// What the screen knows.
#[derive(Debug, Default)]
pub struct State {
    pub report: Load<Arc<Report>>,
    /// Samples labelled so far, of how many.
    pub progress: (usize, usize),
    /// What the report was made for.
    pub made_for: Option<(Arc<Setup>, Arc<Vec<Sample>>)>,
    pub search: Load<Box<Search>>,
    /// Also the checks that found nothing.
    pub all: bool,
    /// Finding under the cursor, in the order of [`shown`].
    pub row: usize,
    /// The finding that was under the cursor of the report before: the cursor goes back to it.
    pub kept: Option<&'static str>,
    /// First line shown of the finding under the cursor.
    pub top: usize,
    /// Which of its samples was visited last.
    pub visited: usize,
    /// Report and totals before the last fix, for the line "before → after".
    pub before: Option<(usize, usize)>,
}

/// Acts that only this screen has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Act {
    /// Open the next sample that the finding is about, at the place where it goes wrong.
    Evidence,
    /// Apply the finding's fix in memory.
    Apply,
    /// Also list the checks that found nothing.
    All,
    /// Search for the smallest change that makes every sample match.
    Search,
    /// Apply what the search found.
    ApplySearch,
    /// Later and earlier lines of the finding under the cursor.
    Later,
    Earlier,
}

/// Samples that the checks look at, the first of the file: all of their labels are in memory at once. Screen Scan looks
/// at whole files.
pub const CHECKED: usize = 5000;

/// Samples that take part in a search, the first of the file: enough to rule out what does not work, few enough to try
/// hundreds of set-ups.
pub const SEARCHED: usize = 64;

/// What is to be worked out.
#[derive(Debug, Clone)]
pub enum Work {
    Report { setup: Arc<Setup>, request: Box<Request>, samples: Arc<Vec<Sample>> },
    Search { setup: Arc<Setup>, samples: Arc<Vec<Sample>> },
}

/// What came of it.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// Samples labelled, of how many.
    Progress(usize, usize),
    Report(Arc<Report>),
    Searched(Box<Search>),
    Failed(String),
}

/// The keys of this screen.
#[rustfmt::skip]
pub const BINDINGS: &[Binding] = &[
    key(&["enter"], Doctor(Act::Evidence), "open the next sample that the finding is about", Some("evidence")),
    key(&["f"], Doctor(Act::Apply), "apply the finding's fix in memory; u undoes it", Some("apply fix")),
    key(&["v"], Doctor(Act::All), "also list the checks that found nothing", Some("all checks")),
    key(&["s"], Doctor(Act::Search), "search for the smallest change that makes every sample match", Some("search")),
    key(&["a"], Doctor(Act::ApplySearch), "apply what the search found", None),
    key(&["]"], Doctor(Act::Later), "later lines of the finding", None),
    key(&["["], Doctor(Act::Earlier), "earlier lines of the finding", None),
];

/// Findings in the order of the screen: the worst first, then those with the most samples.
pub fn shown<'a>(report: &'a Report, all: bool) -> Vec<&'a Finding> {
    let mut found: Vec<&'a Finding> =
        report.findings.iter().filter(|f| all || f.verdict > Verdict::Ok).collect();
    found.sort_by_key(|f| std::cmp::Reverse((f.verdict, f.samples.len())));
    found
}

/// Starts what is out of date.
pub fn refresh(app: &mut App) -> Vec<Effect> {
    let (Some(view), Some(samples)) = (app.shown().cloned(), app.samples.ready().cloned()) else {
        return Vec::new();
    };
    let state = &mut app.panels.doctor;
    let same = |(setup, known): &(Arc<Setup>, Arc<Vec<Sample>>)| {
        Arc::ptr_eq(known, &samples) && setup.is_same(&view.setup)
    };
    if state.made_for.as_ref().is_some_and(same) && !matches!(state.report, Load::Failed(_)) {
        return Vec::new();
    }
    state.made_for = Some((view.setup.clone(), samples.clone()));
    let under_cursor = state.report.ready().and_then(|r| Some(shown(r, state.all).get(state.row)?.id));
    state.kept = under_cursor.or(state.kept);
    (state.report, state.search, state.progress) =
        (Load::Loading, Load::Idle, (0, samples.len().min(CHECKED)));
    (state.row, state.visited, state.top) = (0, 0, 0);
    let request = Box::new(app.request.clone());
    let work = Work::Report { setup: view.setup.clone(), request, samples };
    vec![start(app, work)]
}

fn start(app: &mut App, work: Work) -> Effect {
    let work = AppWork::Panel(PanelWork::Doctor(Box::new(work)));
    job(app, JobKind::Panel(Screen::Doctor), work)
}

/// A general act on this screen.
pub fn on_screen(app: &mut App, action: Action) -> Option<Vec<Effect>> {
    let state = &mut app.panels.doctor;
    let running = matches!(state.report, Load::Loading) || matches!(state.search, Load::Loading);
    if action == Action::Back && running {
        if matches!(state.report, Load::Loading) {
            state.report = Load::Failed("cancelled; opening this screen again starts anew".to_string());
        }
        state.search = Load::Idle;
        return Some(vec![abandon(app, JobKind::Panel(Screen::Doctor))]);
    }
    let by = lines(app, action)?;
    let state = &mut app.panels.doctor;
    let count = state.report.ready().map_or(0, |report| shown(report, state.all).len());
    (state.row, state.visited, state.top) = (step(state.row, by, count), 0, 0);
    Some(Vec::new())
}

fn finding(app: &App) -> Option<Finding> {
    let state = &app.panels.doctor;
    let report = state.report.ready()?;
    shown(report, state.all).get(state.row).map(|f| (*f).clone())
}

/// An act of this screen's own.
pub fn act(app: &mut App, act: Act) -> Vec<Effect> {
    match act {
        Act::Evidence => evidence(app),
        Act::All => {
            app.panels.doctor.all = !app.panels.doctor.all;
            (app.panels.doctor.row, app.panels.doctor.top) = (0, 0);
            Vec::new()
        }
        Act::Later | Act::Earlier => {
            // The drawing knows how many lines there are; far beyond any is the last page.
            const MOST: usize = 200;
            let by = if act == Act::Later { 3 } else { -3 };
            let state = &mut app.panels.doctor;
            state.top = state.top.saturating_add_signed(by).min(MOST);
            Vec::new()
        }
        Act::Apply => match finding(app).and_then(|f| f.fix) {
            Some(fix) => apply(app, &fix),
            None => say(app, "this finding has no fix that a key could apply"),
        },
        Act::Search => {
            let (Some(view), Some(samples)) = (app.shown().cloned(), app.samples.ready().cloned()) else {
                return Vec::new();
            };
            if view.setup.chat().is_some() {
                return say(
                    app,
                    "the search is for rules that count; S shows what every strategy makes of the sample",
                );
            }
            if app.panels.doctor.report.ready().is_none() {
                return say(app, "the checks come first, and they are not done");
            }
            app.panels.doctor.search = Load::Loading;
            vec![start(app, Work::Search { setup: view.setup.clone(), samples })]
        }
        Act::ApplySearch => match app.panels.doctor.search.ready().and_then(|s| s.best.clone()) {
            Some(fix) => apply(app, &fix),
            None => say(app, "nothing was found yet: s searches"),
        },
    }
}

fn say(app: &mut App, text: &str) -> Vec<Effect> {
    app.notice = Some(Notice { text: text.to_string(), is_error: false });
    Vec::new()
}

fn apply(app: &mut App, fix: &Fix) -> Vec<Effect> {
    let tally = app.tally();
    let effects = adopt_fix(app, fix);
    app.panels.doctor.before = Some((tally.sound, tally.total()));
    effects
}

/// The next sample of the finding, on screen Labels at the token where claim and truth part.
fn evidence(app: &mut App) -> Vec<Effect> {
    let Some(finding) = finding(app) else { return Vec::new() };
    if finding.samples.is_empty() {
        return say(app, "this finding is about the set-up, not about a sample");
    }
    let at = app.panels.doctor.visited % finding.samples.len();
    app.panels.doctor.visited = at + 1;
    let Some(index) = finding.samples.get(at).copied() else { return Vec::new() };
    app.screen = Screen::Labels;
    app.seek_difference = true;
    let text = format!("{}: sample {} of {}; 6 goes back", finding.id, at + 1, finding.samples.len());
    app.notice = Some(Notice { text, is_error: false });
    if index == app.current {
        app.seek();
        return Vec::new();
    }
    go_to_sample(app, index)
}

/// Takes what came of the work.
pub fn done(app: &mut App, outcome: Outcome) -> Vec<Effect> {
    let state = &mut app.panels.doctor;
    match outcome {
        Outcome::Progress(done, of) => state.progress = (done, of),
        Outcome::Report(report) => {
            let kept = state.kept.take();
            let at = kept.and_then(|id| shown(&report, state.all).iter().position(|f| f.id == id));
            (state.row, state.report) = (at.unwrap_or(0), Load::Ready(report));
        }
        Outcome::Searched(search) => state.search = Load::Ready(search),
        Outcome::Failed(error) => broken(app, error),
    }
    Vec::new()
}

/// The work ended without a result: say so instead of waiting for ever.
pub fn broken(app: &mut App, error: String) {
    let state = &mut app.panels.doctor;
    if matches!(state.search, Load::Loading) {
        state.search = Load::Failed(error);
    } else {
        state.report = Load::Failed(error);
    }
}
