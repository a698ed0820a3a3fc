//! Screen Compare: the sample on screen under two tokenizers, or under two classes of one, aligned by characters.
//!
//! Side A is the set-up of the other screens; side B differs from it in tokenizer or loading only. Rows are
//! stretches of the text; runs of stretches that are alike fold into one row.

use std::ops::Range;
use std::sync::Arc;

use crate::app::action::{Action, Screen};
use crate::app::bindings::Binding;
use crate::app::job::{Effect, JobKind, Work as AppWork};
use crate::app::navigation::{lines, step};
use crate::app::overlays::open_with_known;
use crate::app::panels::PanelAct::Compare;
use crate::app::panels::{PanelWork, key};
use crate::app::picker::{self, PickKind, Picker};
use crate::app::state::{App, Load};
use crate::app::update::{abandon, job};
use crate::chat::Sample;
use crate::diagnose::{CompareTotals, Comparison};
use crate::setup::{Request, Setup};
use crate::tokenizer::{LoadOptions, Loader, Tokenizer};

/// What the screen knows.
#[derive(Debug, Default)]
pub struct State {
    /// Tokenizer and loading of side B; without a choice the other class of the same tokenizer.
    pub chosen: Option<(String, LoadOptions)>,
    /// Side B as it was loaded last, with what it was loaded from.
    pub base: Option<((String, LoadOptions), Arc<Tokenizer>)>,
    pub result: Load<Box<Compared>>,
    /// What all samples come to, as far as they are compared.
    pub totals: CompareTotals,
    pub all_done: bool,
    /// Alike stretches are shown one by one.
    pub unfolded: bool,
    /// Row under the cursor.
    pub row: usize,
}

/// The sample on screen, compared.
#[derive(Debug, Clone)]
pub struct Compared {
    pub a: Arc<Setup>,
    pub b: Arc<Setup>,
    pub comparison: Comparison,
}

/// Acts that only this screen has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Act {
    /// Choose side B.
    Choose,
    NextDifference,
    PreviousDifference,
    /// Fold or unfold what is alike.
    Fold,
}

/// What is to be worked out.
#[derive(Debug, Clone)]
pub struct Work {
    pub a: Arc<Setup>,
    /// Side B's request.
    pub request: Request,
    /// Side B, where it is loaded already.
    pub base: Option<Arc<Tokenizer>>,
    pub sample: Sample,
    pub samples: Arc<Vec<Sample>>,
}

/// What came of it.
#[derive(Debug, Clone)]
pub enum Outcome {
    Loaded(Arc<Tokenizer>),
    Compared(Box<Compared>),
    /// All samples so far.
    Totals {
        totals: CompareTotals,
        done: bool,
    },
    Failed(String),
}

/// The keys of this screen.
#[rustfmt::skip]
pub const BINDINGS: &[Binding] = &[
    key(&["b"], Compare(Act::Choose), "choose side B: another tokenizer, class or release", Some("side B")),
    key(&["]", "right", "l"], Compare(Act::NextDifference), "next difference", Some("difference")),
    key(&["[", "left", "h"], Compare(Act::PreviousDifference), "previous difference", Some("difference")),
    key(&["v", "enter"], Compare(Act::Fold), "fold or unfold what is alike", Some("alike")),
];

/// What side B is loaded from.
pub fn side_b(app: &App) -> Option<(String, LoadOptions)> {
    if let Some(chosen) = &app.panels.compare.chosen {
        return Some(chosen.clone());
    }
    let now = app.base.ready()?.facts.loader;
    let other = if now == Loader::Slow { Loader::Fast } else { Loader::Slow };
    Some((app.request.tokenizer.clone(), LoadOptions { loader: Some(other), ..app.request.load }))
}

/// Starts what is out of date.
pub fn refresh(app: &mut App) -> Vec<Effect> {
    let (Some(view), Some(sample), Some((tokenizer, load))) =
        (app.shown().cloned(), app.sample().cloned(), side_b(app))
    else {
        return Vec::new();
    };
    let samples = app.samples.ready().cloned().unwrap_or_default();
    let state = &mut app.panels.compare;
    let same = |base: &&((String, LoadOptions), Arc<Tokenizer>)| base.0 == (tokenizer.clone(), load);
    let base = state.base.as_ref().filter(same).map(|(_, base)| base.clone());
    // A token of one vocabulary means nothing in another: only a class of the same tokenizer keeps the overrides.
    let request = if tokenizer == app.request.tokenizer {
        Request { load, ..app.request.clone() }
    } else {
        let overrides = Default::default();
        Request { tokenizer, load, overrides, ..app.request.clone() }
    };
    (state.result, state.totals, state.all_done, state.row) =
        (Load::Loading, CompareTotals::default(), false, 0);
    let work = Work { a: view.setup.clone(), request, base, sample, samples };
    let work = AppWork::Panel(PanelWork::Compare(Box::new(work)));
    vec![job(app, JobKind::Panel(Screen::Compare), work)]
}

/// A row of the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// A run of stretches that are alike.
    Alike(Range<usize>),
    /// One stretch.
    Stretch(usize),
}

/// The rows of a comparison, folded or not.
pub fn rows(comparison: &Comparison, unfolded: bool) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for (index, stretch) in comparison.stretches.iter().enumerate() {
        match rows.last_mut() {
            _ if unfolded || stretch.differs.any() => rows.push(Row::Stretch(index)),
            Some(Row::Alike(run)) => run.end = index + 1,
            _ => rows.push(Row::Alike(index..index + 1)),
        }
    }
    rows
}

fn shown_rows(app: &App) -> Vec<Row> {
    let state = &app.panels.compare;
    state.result.ready().map(|c| rows(&c.comparison, state.unfolded)).unwrap_or_default()
}

/// A general act on this screen.
pub fn on_screen(app: &mut App, action: Action) -> Option<Vec<Effect>> {
    if action == Action::Back && !app.panels.compare.all_done {
        app.panels.compare.all_done = true;
        if matches!(app.panels.compare.result, Load::Loading) {
            app.panels.compare.result = Load::Failed("cancelled; b chooses side B".to_string());
        }
        return Some(vec![abandon(app, JobKind::Panel(Screen::Compare))]);
    }
    let by = lines(app, action)?;
    let count = shown_rows(app).len();
    app.panels.compare.row = step(app.panels.compare.row, by, count);
    Some(Vec::new())
}

/// An act of this screen's own.
pub fn act(app: &mut App, act: Act) -> Vec<Effect> {
    match act {
        Act::Choose => {
            let kind = PickKind::Other(picker::other_load(app.request.load));
            return open_with_known(app, Picker::new(kind, picker::others(&app.request)));
        }
        Act::Fold => {
            app.panels.compare.unfolded = !app.panels.compare.unfolded;
            app.panels.compare.row = 0;
        }
        Act::NextDifference | Act::PreviousDifference => {
            let rows = shown_rows(app);
            let at = app.panels.compare.row;
            let Some(comparison) = app.panels.compare.result.ready().map(|c| &c.comparison) else {
                return Vec::new();
            };
            let differs = |row: &Row| match row {
                Row::Stretch(index) => comparison.stretches.get(*index).is_some_and(|s| s.differs.any()),
                Row::Alike(_) => false,
            };
            let mut hits = rows.iter().enumerate().filter(|(_, row)| differs(row)).map(|(n, _)| n);
            let found = match act {
                Act::NextDifference => hits.find(|n| *n > at),
                _ => hits.take_while(|n| *n < at).last(),
            };
            app.panels.compare.row = found.unwrap_or(at);
        }
    }
    Vec::new()
}

/// Side B was chosen from the list.
pub fn choose(app: &mut App, tokenizer: String, load: LoadOptions) -> Vec<Effect> {
    app.panels.compare.chosen = Some((tokenizer, load));
    app.screen = Screen::Compare;
    refresh(app)
}

/// Takes what came of the work.
pub fn done(app: &mut App, outcome: Outcome) -> Vec<Effect> {
    match outcome {
        Outcome::Loaded(base) => app.panels.compare.base = side_b(app).map(|side| (side, base)),
        Outcome::Compared(compared) => {
            let state = &mut app.panels.compare;
            let first = rows(&compared.comparison, state.unfolded);
            state.row = first.iter().position(|row| matches!(row, Row::Stretch(_))).unwrap_or(0);
            state.result = Load::Ready(compared);
        }
        Outcome::Totals { totals, done } => {
            (app.panels.compare.totals, app.panels.compare.all_done) = (totals, done);
        }
        Outcome::Failed(error) => broken(app, error),
    }
    Vec::new()
}

/// The work ended without a result: say so instead of waiting for ever.
pub fn broken(app: &mut App, error: String) {
    app.panels.compare.result = Load::Failed(error);
    app.panels.compare.all_done = true;
}
