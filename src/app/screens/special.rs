//! Screen Special: the roles and their tokens, what the overrides did, and facts about the whole vocabulary.

use std::sync::Arc;

use super::component::{Component, lines, step};
use crate::app::action::Action;
use crate::app::binding::{Binding, KeyContext, bind};
use crate::app::command::AppCommand;
use crate::app::geometry::Panes;
use crate::app::job::{JobKind, Outcome};
use crate::app::overlay::Overlay;
use crate::app::picker::{self, PickKind, Picker, PickerChoice};
use crate::app::screen::Screen;
use crate::app::session::Session;
use crate::app::target::Target;
use crate::diagnose::{ListedToken, TokenReport, token_report};
use crate::setup::Setup;
use crate::tokenizer::Role;

/// The tables of this screen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SpecialTable {
    #[default]
    Roles,
    /// What the overrides did, and remarks on the whole vocabulary.
    Facts,
    /// All special and added tokens with their flags.
    Added,
    /// Special tokens that nothing uses.
    Unused,
}

impl SpecialTable {
    /// All of them, in the order of their key.
    pub const ALL: [SpecialTable; 4] = [Self::Roles, Self::Facts, Self::Added, Self::Unused];

    /// The next one on the key.
    pub fn next(self) -> Self {
        match self {
            Self::Roles => Self::Facts,
            Self::Facts => Self::Added,
            Self::Added => Self::Unused,
            Self::Unused => Self::Roles,
        }
    }

    /// As the screen names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Roles => "roles",
            Self::Facts => "facts",
            Self::Added => "special",
            Self::Unused => "unused",
        }
    }
}

/// What the screen knows.
#[derive(Debug, Default)]
pub struct SpecialScreen {
    /// Role under the cursor, in the order of [`Role::ALL`].
    pub role: usize,
    pub table: SpecialTable,
    /// First row of the longer tables.
    pub row: usize,
    /// What the tables say beyond the roles, with the set-up that it is of.
    report: Option<(Arc<Setup>, Box<TokenReport>)>,
}

/// Take the override of the role under the cursor away.
const REMOVE: Action = Action::Own(Screen::Special, "remove override");

const HERE: KeyContext = KeyContext::On(Screen::Special);

/// The keys of this screen.
#[rustfmt::skip]
pub const BINDINGS: &[Binding] = &[
    bind(HERE, &["enter", "space"], Action::Accept, "give the role another token", Some("choose token")),
    bind(HERE, &["x", "delete"], REMOVE, "take the override away", Some("remove")),
    bind(HERE, &["v"], Action::NextView, "roles, facts, all special tokens, unused special tokens", Some("more tables")),
];

impl SpecialScreen {
    /// What is known about the vocabulary of the set-up on screen.
    pub fn report(&self, session: &Session) -> Option<&TokenReport> {
        let setup = &session.shown()?.setup;
        self.report.as_ref().filter(|(known, _)| Arc::ptr_eq(known, setup)).map(|(_, report)| &**report)
    }

    /// All special and added tokens of the set-up on screen, as far as known.
    pub fn tokens(&self, session: &Session) -> &[ListedToken] {
        self.report(session).map(|report| report.tokens.as_slice()).unwrap_or_default()
    }

    fn role(&self) -> Option<Role> {
        Role::ALL.get(self.role).copied()
    }

    /// Opens the list of tokens for the role under the cursor.
    fn pick_token(&self, session: &Session) -> Vec<AppCommand> {
        let (Some(view), Some(base), Some(role)) = (session.shown(), session.base.ready(), self.role())
        else {
            return Vec::new();
        };
        let unused = self.report(session).map(|report| report.reserved.as_slice()).unwrap_or_default();
        let entries = picker::special_tokens(role, &session.request, &view.setup.tokenizer, base, unused);
        let mut picker = Picker::new(PickKind::Token(role), entries);
        let mut listing = None;
        match &session.vocabulary {
            Some((name, tokens)) if *name == base.name => picker.add_vocabulary(tokens),
            _ => {
                picker.loading = true;
                listing = Some(AppCommand::ListVocabulary);
            }
        }
        [AppCommand::Over(Overlay::Picker(Box::new(picker)))].into_iter().chain(listing).collect()
    }

    fn rows(&self, session: &Session) -> usize {
        match self.table {
            SpecialTable::Roles => Role::ALL.len(),
            SpecialTable::Facts => self.report(session).map_or(0, |t| t.notes.len() + 1),
            SpecialTable::Added => self.tokens(session).len(),
            SpecialTable::Unused => self.report(session).map_or(0, |t| t.reserved.len()),
        }
    }
}

impl Component for SpecialScreen {
    fn shows_cause(&self) -> bool {
        true
    }

    fn refresh(&mut self, session: &Session) -> Vec<AppCommand> {
        match session.shown() {
            Some(view) if self.report(session).is_none() => {
                let setup = view.setup.clone();
                vec![AppCommand::start(JobKind::Screen(Screen::Special), move |job| {
                    let report = Box::new(token_report(&setup));
                    job.emit((setup, report));
                })]
            }
            _ => Vec::new(),
        }
    }

    fn handle(&mut self, session: &Session, panes: &Panes, action: Action) -> Option<Vec<AppCommand>> {
        match (action, self.table) {
            (Action::Accept, SpecialTable::Roles) => return Some(self.pick_token(session)),
            (Action::Accept, _) => {}
            (REMOVE, _) => {
                let request =
                    self.role().and_then(|role| PickerChoice::Token(role, None).apply(&session.request));
                return Some(request.map(|r| AppCommand::Change(Box::new(r))).into_iter().collect());
            }
            (Action::NextView, _) => (self.table, self.row) = (self.table.next(), 0),
            (action, table) => {
                let (by, rows) = (lines(panes, action)?, self.rows(session));
                let at = if table == SpecialTable::Roles { &mut self.role } else { &mut self.row };
                *at = step(*at, by, rows);
            }
        }
        Some(Vec::new())
    }

    fn click(&mut self, session: &Session, target: Target) -> Vec<AppCommand> {
        match target {
            Target::Role(index) if index == self.role => self.pick_token(session),
            Target::Role(index) => {
                self.role = index;
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn done(&mut self, _session: &Session, outcome: Outcome) -> Vec<AppCommand> {
        if let Ok(report) = outcome.downcast::<(Arc<Setup>, Box<TokenReport>)>() {
            self.report = Some(*report);
        }
        Vec::new()
    }
}
