//! The screens that work out what they show when they are opened: one file each for state, keys, work and outcome.
//!
//! ```text
//! opened, or the sample or set-up changed ─► refresh ─► Work ─► runtime::panels ─► Outcome ─► done
//! key ─► Action ─► on_screen (arrows, Enter, Esc)      Action::Panel(act) ─► act (the panel's own keys)
//! ```
//!
//! A panel keeps what it knows in its own `State`; [`refresh`] starts its work only where that is out of date.
//! This file hands each message to the panel that it is for.

pub mod compare;
pub mod doctor;
pub mod experts;
pub mod onboard;
pub mod scan;
pub mod strategies;

use super::action::{Action, Screen};
use super::bindings::{Binding, Context, bind};
use super::job::Effect;
use super::state::App;

/// What the panels know.
#[derive(Debug, Default)]
pub struct Panels {
    pub doctor: doctor::State,
    pub onboard: onboard::State,
    pub experts: experts::State,
    pub compare: compare::State,
    pub scan: scan::State,
    pub strategies: strategies::State,
}

/// An act of one panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PanelAct {
    Doctor(doctor::Act),
    Onboard(onboard::Act),
    Experts(experts::Act),
    Compare(compare::Act),
    Scan(scan::Act),
    Strategies(strategies::Act),
}

impl PanelAct {
    const fn screen(self) -> Screen {
        match self {
            Self::Doctor(_) => Screen::Doctor,
            Self::Onboard(_) => Screen::Onboard,
            Self::Experts(_) => Screen::Experts,
            Self::Compare(_) => Screen::Compare,
            Self::Scan(_) => Screen::Scan,
            Self::Strategies(_) => Screen::Strategies,
        }
    }
}

/// A key for an act of a panel's own, on its screen.
const fn key(
    keys: &'static [&'static str],
    act: PanelAct,
    help: &'static str,
    hint: Option<&'static str>,
) -> Binding {
    bind(Context::On(act.screen()), keys, Action::Panel(act), help, hint)
}

/// Work of one panel, for [`super::Work::Panel`].
#[derive(Debug, Clone)]
pub enum PanelWork {
    Doctor(Box<doctor::Work>),
    Onboard(Box<onboard::Work>),
    Experts(Box<experts::Work>),
    Compare(Box<compare::Work>),
    Scan(Box<scan::Work>),
    Strategies(Box<strategies::Work>),
}

/// What came of it. A panel may send several; the last one of a job says that it is.
#[derive(Debug, Clone)]
pub enum PanelOutcome {
    Doctor(doctor::Outcome),
    Onboard(onboard::Outcome),
    Experts(experts::Outcome),
    Compare(compare::Outcome),
    Scan(scan::Outcome),
    Strategies(strategies::Outcome),
    /// The job of this panel ended by a bug of ours.
    Broken(Screen, String),
}

/// Called when a panel is opened and when the sample or the set-up changed under it: starts what is out of date.
pub(super) fn refresh(app: &mut App) -> Vec<Effect> {
    match app.screen {
        Screen::Doctor => doctor::refresh(app),
        Screen::Onboard => onboard::refresh(app),
        Screen::Experts => experts::refresh(app),
        Screen::Compare => compare::refresh(app),
        Screen::Scan => scan::refresh(app),
        Screen::Strategies => strategies::refresh(app),
        _ => Vec::new(),
    }
}

/// A general act (arrows, Enter, Esc …) on the present panel; `None` where it means nothing there.
pub(super) fn on_screen(app: &mut App, action: Action) -> Option<Vec<Effect>> {
    match app.screen {
        Screen::Doctor => doctor::on_screen(app, action),
        Screen::Onboard => onboard::on_screen(app, action),
        Screen::Experts => experts::on_screen(app, action),
        Screen::Compare => compare::on_screen(app, action),
        Screen::Scan => scan::on_screen(app, action),
        Screen::Strategies => strategies::on_screen(app, action),
        _ => None,
    }
}

/// An act of a panel's own.
pub(super) fn act(app: &mut App, act: PanelAct) -> Vec<Effect> {
    match act {
        PanelAct::Doctor(act) => doctor::act(app, act),
        PanelAct::Onboard(act) => onboard::act(app, act),
        PanelAct::Experts(act) => experts::act(app, act),
        PanelAct::Compare(act) => compare::act(app, act),
        PanelAct::Scan(act) => scan::act(app, act),
        PanelAct::Strategies(act) => strategies::act(app, act),
    }
}

/// Takes what came of a panel's work.
pub(super) fn done(app: &mut App, outcome: PanelOutcome) -> Vec<Effect> {
    match outcome {
        PanelOutcome::Doctor(outcome) => doctor::done(app, outcome),
        PanelOutcome::Onboard(outcome) => onboard::done(app, outcome),
        PanelOutcome::Experts(outcome) => experts::done(app, outcome),
        PanelOutcome::Compare(outcome) => compare::done(app, outcome),
        PanelOutcome::Scan(outcome) => scan::done(app, outcome),
        PanelOutcome::Strategies(outcome) => strategies::done(app, outcome),
        PanelOutcome::Broken(screen, error) => broken(app, screen, error),
    }
}

fn broken(app: &mut App, screen: Screen, error: String) -> Vec<Effect> {
    match screen {
        Screen::Doctor => doctor::broken(app, error),
        Screen::Onboard => onboard::broken(app, error),
        Screen::Experts => experts::broken(app, error),
        Screen::Compare => compare::broken(app, error),
        Screen::Scan => scan::broken(app, error),
        Screen::Strategies => strategies::broken(app, error),
        _ => {}
    }
    Vec::new()
}

/// The keys of each panel.
pub(super) const BINDINGS: &[&[Binding]] = &[
    doctor::BINDINGS,
    onboard::BINDINGS,
    experts::BINDINGS,
    compare::BINDINGS,
    scan::BINDINGS,
    strategies::BINDINGS,
];
