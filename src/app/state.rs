//! The whole state of the program on screen.

use super::data::DataSource;
use super::geometry::{Panes, panes};
use super::job::Tickets;
use super::screens::Screens;
use super::session::Session;
use super::shell::Shell;
use crate::setup::Request;

/// What is loaded, what is around the screens, and what each screen knows.
#[derive(Debug)]
pub struct App {
    pub session: Session,
    pub shell: Shell,
    pub screens: Screens,
    pub(super) tickets: Tickets,
}

impl App {
    /// A fresh screen; nothing is loaded yet.
    pub fn new(request: Request, source: DataSource, first_run: bool) -> Self {
        Self {
            session: Session::new(request, source, first_run),
            shell: Shell::default(),
            screens: Screens::default(),
            tickets: Tickets::default(),
        }
    }

    /// The places on screen.
    pub fn panes(&self) -> Panes {
        let (width, height) = self.shell.size;
        let screen = self.shell.screen;
        let alert = self.session.cause.is_some() && self.screens.get(screen).shows_cause();
        panes(width, height, screen, alert)
    }
}
