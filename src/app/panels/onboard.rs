//! Screen Onboard: the customization guide from its first step to its last, with the program doing the work.

use std::sync::Arc;

use crate::app::action::{Action, Screen};
use crate::app::bindings::Binding;
use crate::app::job::{Effect, JobKind, Work as AppWork};
use crate::app::navigation::lines;
use crate::app::panels::PanelAct::Onboard;
use crate::app::panels::{PanelWork, key};
use crate::app::request_changes::adopt_fix;
use crate::app::state::{App, Load, Notice, Overlay, PathPrompt, PathUse};
use crate::app::update::{abandon, job};
use crate::chat::Sample;
use crate::diagnose::{Onboarding, Patch};
use crate::setup::Setup;

/// What the screen knows.
#[derive(Debug, Default)]
pub struct State {
    pub result: Load<Box<Onboarded>>,
    /// What it was worked out for.
    pub made_for: Option<(Arc<Setup>, Arc<Vec<Sample>>)>,
    /// First line shown.
    pub top: usize,
}

/// A proven proposal with the code that brings it into a training repository.
#[derive(Debug, Clone)]
pub struct Onboarded {
    pub onboarding: Onboarding,
    pub patch: Patch,
}

/// Acts that only this screen has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Act {
    /// Make the proposal the set-up.
    Adopt,
    /// Write the patch into a folder.
    Write,
}

/// What is to be worked out.
#[derive(Debug, Clone)]
pub enum Work {
    Onboard { setup: Arc<Setup>, samples: Arc<Vec<Sample>> },
    Write { folder: String, patch: Box<Patch> },
}

/// What came of it.
#[derive(Debug, Clone)]
pub enum Outcome {
    Onboarded(Box<Onboarded>),
    /// Files that were written, or why not.
    Written(Result<String, String>),
    Failed(String),
}

/// The keys of this screen.
#[rustfmt::skip]
pub const BINDINGS: &[Binding] = &[
    key(&["a", "enter"], Onboard(Act::Adopt), "make the proposal the set-up; u undoes it", Some("adopt")),
    key(&["w"], Onboard(Act::Write), "write the patch into a folder", Some("write patch")),
];

/// Starts what is out of date.
pub fn refresh(app: &mut App) -> Vec<Effect> {
    let (Some(view), Some(samples)) = (app.shown().cloned(), app.samples.ready().cloned()) else {
        return Vec::new();
    };
    let state = &mut app.panels.onboard;
    let same = |(setup, known): &(Arc<Setup>, Arc<Vec<Sample>>)| {
        Arc::ptr_eq(setup, &view.setup) && Arc::ptr_eq(known, &samples)
    };
    if state.made_for.as_ref().is_some_and(same) {
        return Vec::new();
    }
    state.made_for = Some((view.setup.clone(), samples.clone()));
    (state.result, state.top) = (Load::Loading, 0);
    vec![start(app, Work::Onboard { setup: view.setup.clone(), samples })]
}

fn start(app: &mut App, work: Work) -> Effect {
    let work = AppWork::Panel(PanelWork::Onboard(Box::new(work)));
    job(app, JobKind::Panel(Screen::Onboard), work)
}

/// A general act on this screen.
pub fn on_screen(app: &mut App, action: Action) -> Option<Vec<Effect>> {
    if action == Action::Back && matches!(app.panels.onboard.result, Load::Loading) {
        app.panels.onboard.result = Load::Failed("cancelled".to_string());
        app.panels.onboard.made_for = None;
        return Some(vec![abandon(app, JobKind::Panel(Screen::Onboard))]);
    }
    let by = lines(app, action)?;
    // The drawing knows how many lines there are; far beyond any is the last page.
    const MOST: usize = 400;
    let state = &mut app.panels.onboard;
    state.top = state.top.saturating_add_signed(by).min(MOST);
    Some(Vec::new())
}

/// An act of this screen's own.
pub fn act(app: &mut App, act: Act) -> Vec<Effect> {
    let Some(onboarded) = app.panels.onboard.result.ready().cloned() else { return Vec::new() };
    match act {
        Act::Adopt if onboarded.onboarding.fix.changes.is_empty() => {
            let text = "the set-up is the proposal already".to_string();
            app.notice = Some(Notice { text, is_error: false });
            Vec::new()
        }
        Act::Adopt => adopt_fix(app, &onboarded.onboarding.fix),
        Act::Write => {
            app.overlay = Some(Overlay::Path(PathPrompt::new(PathUse::Patch)));
            Vec::new()
        }
    }
}

/// A folder was named: write the patch there.
pub fn write(app: &mut App, folder: String) -> Vec<Effect> {
    let Some(patch) = app.panels.onboard.result.ready().map(|o| Box::new(o.patch.clone())) else {
        return Vec::new();
    };
    vec![start(app, Work::Write { folder, patch })]
}

/// Takes what came of the work.
pub fn done(app: &mut App, outcome: Outcome) -> Vec<Effect> {
    match outcome {
        Outcome::Onboarded(onboarded) => app.panels.onboard.result = Load::Ready(onboarded),
        Outcome::Written(written) => {
            let is_error = written.is_err();
            let text = written.unwrap_or_else(|error| error);
            app.notice = Some(Notice { text, is_error });
        }
        Outcome::Failed(error) => broken(app, error),
    }
    Vec::new()
}

/// The work ended without a result: say so instead of waiting for ever.
pub fn broken(app: &mut App, error: String) {
    app.panels.onboard.result = Load::Failed(error);
}
