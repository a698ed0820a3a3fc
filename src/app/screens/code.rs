//! Screen Code: the label function of a repository, line by line, beside what each line counted in the sample on screen.

use super::component::{Component, lines, step};
use crate::app::action::Action;
use crate::app::binding::{Binding, KeyContext, bind};
use crate::app::command::AppCommand;
use crate::app::geometry::Panes;
use crate::app::load::Load;
use crate::app::screen::Screen;
use crate::app::session::Session;
use crate::app::target::Target;
use crate::repository::{CodeLine, CodeListing, LineEdit};

/// What the screen knows.
#[derive(Debug, Default)]
pub struct CodeScreen {
    /// Position of the line under the cursor.
    pub row: usize,
    /// The function that it is of.
    name: Option<String>,
    /// The first line that a suggested fix changes: the cursor goes there once.
    edited: Option<usize>,
}

/// The keys of this screen.
pub const BINDINGS: &[Binding] = &[bind(
    KeyContext::On(Screen::Code),
    &["enter"],
    Action::Accept,
    "show the tokens whose labels the line set",
    Some("its tokens"),
)];

impl CodeScreen {
    fn show_tokens(&self, session: &Session) -> Vec<AppCommand> {
        let listing = session.shown().and_then(|view| view.code.as_ref());
        let line = listing.and_then(|code| code.lines.get(self.row));
        match line.and_then(|line| line.slices.iter().find(|(tokens, _)| !tokens.is_empty())) {
            Some((tokens, _)) => vec![AppCommand::Open(Screen::Labels), AppCommand::Token(tokens.start)],
            None => vec![AppCommand::say("this line set no label")],
        }
    }
}

/// The lines that the suggested fix changes.
pub fn suggested_edits(session: &Session) -> Vec<&LineEdit> {
    let made = session.request.repository.as_ref().map_or(0, |repository| repository.edits.len());
    match &session.fix {
        Load::Ready(Some(fix)) => {
            fix.request.repository.iter().flat_map(|repository| repository.edits.iter().skip(made)).collect()
        }
        _ => Vec::new(),
    }
}

/// The first line that counted something.
fn first_counted(listing: &CodeListing) -> usize {
    let counted = |line: &CodeLine| !line.values.is_empty() || !line.slices.is_empty() || line.raises;
    listing.lines.iter().position(counted).unwrap_or(0)
}

impl Component for CodeScreen {
    fn shows_cause(&self) -> bool {
        true
    }

    fn follow(&mut self, session: &Session) {
        let Some(listing) = session.shown().and_then(|view| view.code.as_ref()) else { return };
        if self.name.as_ref() != Some(&listing.name) {
            *self = Self { row: first_counted(listing), name: Some(listing.name.clone()), edited: None };
        }
        let edited = suggested_edits(session).first().map(|edit| edit.line);
        if edited.is_some() && edited != self.edited {
            self.row = listing.lines.iter().position(|line| Some(line.line) == edited).unwrap_or(self.row);
        }
        self.edited = edited;
        self.row = self.row.min(listing.lines.len().saturating_sub(1));
    }

    fn handle(&mut self, session: &Session, panes: &Panes, action: Action) -> Option<Vec<AppCommand>> {
        if action == Action::Accept {
            return Some(self.show_tokens(session));
        }
        let by = lines(panes, action)?;
        let count = session.shown().and_then(|view| view.code.as_ref()).map_or(0, |code| code.lines.len());
        self.row = step(self.row, by, count);
        Some(Vec::new())
    }

    fn click(&mut self, session: &Session, target: Target) -> Vec<AppCommand> {
        match target {
            Target::Line(row) if row == self.row => self.show_tokens(session),
            Target::Line(row) => {
                self.row = row;
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn settle(&mut self, session: &Session, _panes: &Panes) {
        self.follow(session);
    }
}
