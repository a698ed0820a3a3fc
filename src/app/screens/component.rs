//! What a screen is to the rest of the program: state of its own that takes actions and outcomes and asks for
//! [`AppCommand`]s. Nothing here does I/O or draws.
//!
//! ```text
//! opened, or the sample or set-up changed ─► refresh ─► AppCommand::Start(job) ─► done
//! key ─► Action ─► handle ─► commands
//! ```

use crate::app::action::Action;
use crate::app::command::AppCommand;
use crate::app::geometry::Panes;
use crate::app::job::Outcome;
use crate::app::search::TextSearch;
use crate::app::session::Session;
use crate::app::target::Target;

/// A screen.
pub trait Component {
    /// Whether the cause of a mismatch and its fix stand above the screen.
    fn shows_cause(&self) -> bool {
        false
    }

    /// Another sample, another inspection or other data is there, whichever screen is shown.
    fn follow(&mut self, _session: &Session) {}

    /// The screen was opened, or what it shows may be out of date: starts what is.
    fn refresh(&mut self, _session: &Session) -> Vec<AppCommand> {
        Vec::new()
    }

    /// An action; `None` where it has no meaning here.
    fn handle(&mut self, session: &Session, panes: &Panes, action: Action) -> Option<Vec<AppCommand>>;

    /// The next match of a search in the rows of the screen, or the one before; `None` where the tokens of the sample are
    /// searched.
    fn find(&mut self, _session: &Session, _search: &TextSearch, _forward: bool) -> Option<Vec<AppCommand>> {
        None
    }

    /// A click on something that the screen marked for the mouse.
    fn click(&mut self, _session: &Session, _target: Target) -> Vec<AppCommand> {
        Vec::new()
    }

    /// Takes an outcome of the screen's job.
    fn done(&mut self, _session: &Session, _outcome: Outcome) -> Vec<AppCommand> {
        Vec::new()
    }

    /// The screen's job ended by a bug of ours: says so instead of waiting for ever.
    fn broken(&mut self, _error: String) {}

    /// Keeps the cursor in sight, after every message while the screen is shown.
    fn settle(&mut self, _session: &Session, _panes: &Panes) {}
}

/// A row `by` further, kept in the list.
pub fn step(at: usize, by: isize, count: usize) -> usize {
    at.saturating_add_signed(by).min(count.saturating_sub(1))
}

/// Lines that an action moves by in a list.
pub fn lines(panes: &Panes, action: Action) -> Option<isize> {
    // Far beyond any list, and far from overflow.
    const ALL: isize = isize::MAX / 4;
    let page = isize::try_from(panes.body.height.max(2) - 1).unwrap_or(1);
    Some(match action {
        Action::Up => -1,
        Action::Down => 1,
        Action::PageUp => -page,
        Action::PageDown => page,
        Action::First => -ALL,
        Action::Last => ALL,
        _ => return None,
    })
}
