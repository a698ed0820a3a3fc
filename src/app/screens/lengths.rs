//! Screen Lengths: what the label rule counts, beside what is there.

use super::component::{Component, lines, step};
use crate::app::action::Action;
use crate::app::binding::{Binding, KeyContext, bind};
use crate::app::command::AppCommand;
use crate::app::geometry::Panes;
use crate::app::screen::Screen;
use crate::app::session::Session;
use crate::app::target::Target;

/// What the screen knows.
#[derive(Debug, Default)]
pub struct LengthsScreen {
    /// Round under the cursor.
    pub round: usize,
    /// Position of the sample that it is of.
    sample: Option<usize>,
}

const HERE: KeyContext = KeyContext::On(Screen::Lengths);

/// The keys of this screen.
#[rustfmt::skip]
pub const BINDINGS: &[Binding] = &[
    bind(HERE, &["enter"], Action::Accept, "show the round's tokens", Some("show tokens")),
    bind(HERE, &["[", "left", "h"], Action::PreviousRound, "previous round", None),
    bind(HERE, &["]", "right", "l"], Action::NextRound, "next round", None),
];

impl LengthsScreen {
    /// From the round under the cursor to its tokens: where it diverges, or where its answer begins.
    fn show_round(&self, session: &Session) -> Vec<AppCommand> {
        let mut commands = vec![AppCommand::Open(Screen::Labels)];
        if let Some(view) = session.shown() {
            let in_round = |at: &usize| view.real_rounds.get(self.round).is_some_and(|r| r.contains(at));
            let answer = view.real_answers.get(self.round).copied();
            let token = view.parts_at.filter(in_round).or(answer).unwrap_or(0);
            commands.push(AppCommand::Token(token.min(view.len().saturating_sub(1))));
        }
        commands
    }
}

impl Component for LengthsScreen {
    fn shows_cause(&self) -> bool {
        true
    }

    fn follow(&mut self, session: &Session) {
        let sample = session.shown().map(|view| view.index);
        if sample != self.sample {
            *self = Self { round: 0, sample };
        }
    }

    fn handle(&mut self, session: &Session, panes: &Panes, action: Action) -> Option<Vec<AppCommand>> {
        let by = match action {
            Action::Accept => return Some(self.show_round(session)),
            Action::NextRound => 1,
            Action::PreviousRound => -1,
            action => lines(panes, action)?,
        };
        let rounds = session.shown().and_then(|v| v.labelled()).map_or(0, |l| l.rounds.len());
        self.round = step(self.round, by, rounds);
        Some(Vec::new())
    }

    fn click(&mut self, session: &Session, target: Target) -> Vec<AppCommand> {
        match target {
            Target::Round(index) if index == self.round => self.show_round(session),
            Target::Round(index) => {
                self.round = index;
                Vec::new()
            }
            _ => Vec::new(),
        }
    }
}
