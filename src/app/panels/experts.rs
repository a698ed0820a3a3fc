//! Screen Experts: which experts each token goes to. State, keys and messages; the work is in `runtime::panels::experts`.

use crate::app::action::Action;
use crate::app::bindings::Binding;
use crate::app::job::Effect;
use crate::app::state::App;

/// What the screen knows.
#[derive(Debug, Default)]
pub struct State {}

/// Acts that only this screen has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Act {
    /// Work it out again.
    Again,
}

/// What is to be worked out.
#[derive(Debug, Clone)]
pub struct Work {}

/// What came of it.
#[derive(Debug, Clone)]
pub enum Outcome {
    Failed(String),
}

/// The keys of this screen.
pub const BINDINGS: &[Binding] = &[];

/// Starts what is out of date.
pub fn refresh(_app: &mut App) -> Vec<Effect> {
    Vec::new()
}

/// A general act on this screen.
pub fn on_screen(_app: &mut App, _action: Action) -> Option<Vec<Effect>> {
    None
}

/// An act of this screen's own.
pub fn act(_app: &mut App, _act: Act) -> Vec<Effect> {
    Vec::new()
}

/// Takes what came of the work.
pub fn done(_app: &mut App, _outcome: Outcome) -> Vec<Effect> {
    Vec::new()
}

/// The work ended by a bug of ours: say so instead of waiting for ever.
pub fn broken(_app: &mut App, _error: String) {}
