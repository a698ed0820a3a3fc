//! Screen Samples: the state of every sample in a line.

use std::sync::Arc;

use super::component::{Component, lines, step};
use crate::app::action::Action;
use crate::app::binding::{Binding, KeyContext, bind};
use crate::app::command::AppCommand;
use crate::app::geometry::Panes;
use crate::app::screen::Screen;
use crate::app::session::Session;
use crate::app::target::Target;
use crate::chat::Sample;

/// What the screen knows.
#[derive(Debug, Default)]
pub struct SamplesScreen {
    /// Row under the cursor.
    pub cursor: usize,
    /// The data and the sample on screen that the cursor was put on last.
    followed: Option<(Arc<Vec<Sample>>, usize)>,
}

/// The keys of this screen.
pub const BINDINGS: &[Binding] =
    &[bind(KeyContext::On(Screen::Samples), &["enter"], Action::Accept, "open the sample", Some("open"))];

impl Component for SamplesScreen {
    fn shows_cause(&self) -> bool {
        true
    }

    fn follow(&mut self, session: &Session) {
        let now = session.samples.ready().map(|samples| (samples.clone(), session.current));
        let same = |(data, at): &(Arc<Vec<Sample>>, usize)| {
            now.as_ref().is_some_and(|(samples, current)| Arc::ptr_eq(data, samples) && at == current)
        };
        if !self.followed.as_ref().is_some_and(same) {
            (self.cursor, self.followed) = (session.current, now);
        }
    }

    fn handle(&mut self, session: &Session, panes: &Panes, action: Action) -> Option<Vec<AppCommand>> {
        if action == Action::Accept {
            return Some(vec![AppCommand::Open(Screen::Labels), AppCommand::Sample(self.cursor)]);
        }
        let count = session.samples.ready().map_or(0, |s| s.len());
        self.cursor = step(self.cursor, lines(panes, action)?, count);
        Some(Vec::new())
    }

    fn click(&mut self, _session: &Session, target: Target) -> Vec<AppCommand> {
        let Target::Sample(index) = target else { return Vec::new() };
        let again = std::mem::replace(&mut self.cursor, index) == index;
        let mut commands = vec![AppCommand::Sample(index)];
        commands.extend(again.then_some(AppCommand::Open(Screen::Labels)));
        commands
    }
}
