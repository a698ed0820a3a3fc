//! Screen Prompt: the rendered text.

use super::component::{Component, lines};
use crate::app::action::Action;
use crate::app::binding::{Binding, KeyContext, bind};
use crate::app::command::AppCommand;
use crate::app::geometry::Panes;
use crate::app::screen::Screen;
use crate::app::session::Session;

/// What the screen knows.
#[derive(Debug, Default)]
pub struct PromptScreen {
    /// First line shown.
    pub line: usize,
    /// Position of the sample that it is of.
    sample: Option<usize>,
}

/// The keys of this screen.
pub const BINDINGS: &[Binding] =
    &[bind(KeyContext::On(Screen::Prompt), &["enter"], Action::Accept, "back to the tokens", Some("tokens"))];

impl Component for PromptScreen {
    fn shows_cause(&self) -> bool {
        true
    }

    fn follow(&mut self, session: &Session) {
        let sample = session.shown().map(|view| view.index);
        if sample != self.sample {
            *self = Self { line: 0, sample };
        }
    }

    fn handle(&mut self, session: &Session, panes: &Panes, action: Action) -> Option<Vec<AppCommand>> {
        if action == Action::Accept {
            return Some(vec![AppCommand::Open(Screen::Labels)]);
        }
        let by = lines(panes, action)?;
        self.line = self.line.saturating_add_signed(by).min(last_line(session, panes));
        Some(Vec::new())
    }
}

/// At least as many lines as the prompt takes on screen, at most one a character.
fn last_line(session: &Session, panes: &Panes) -> usize {
    let width = usize::from(panes.body.width.max(1));
    let prompt = session.shown().and_then(|v| v.inspection.prompt.as_deref()).unwrap_or("");
    let wrapped = |line: &str| line.chars().count() / width + 1;
    prompt.split('\n').map(wrapped).sum::<usize>().saturating_sub(1)
}
