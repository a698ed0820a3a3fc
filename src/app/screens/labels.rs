//! Screen Labels: the tokens of the sample, supervised against masked, turn by turn.

use std::collections::BTreeSet;

use super::component::Component;
use crate::app::action::Action;
use crate::app::binding::{Binding, KeyContext, bind};
use crate::app::command::AppCommand;
use crate::app::flow::{Density, Flow, RowStart, vertical};
use crate::app::geometry::{Panes, Tier};
use crate::app::job::{JobKind, Outcome};
use crate::app::load::Load;
use crate::app::overlay::{Overlay, Sheet};
use crate::app::screen::Screen;
use crate::app::session::Session;
use crate::app::target::Target;
use crate::app::view::SampleView;
use crate::error::with_causes;
use crate::labels::IMAGE_TOKEN_INDEX;
use crate::report::explanation_lines;
use crate::tokenizer::explain::Explainer;
use crate::tokenizer::{Encoding, NO_ID, TokenId};

/// What the screen knows; the token under the cursor is the session's.
#[derive(Debug, Default)]
pub struct LabelsScreen {
    /// First row on screen.
    pub top: RowStart,
    pub density: Density,
    /// Starts of the folds that are open.
    pub unfolded: BTreeSet<usize>,
    /// Position of the sample that top and folds are of.
    sample: Option<usize>,
}

/// Why the token under the cursor is what it is.
const EXPLAIN: Action = Action::Own(Screen::Labels, "explain");

const HERE: KeyContext = KeyContext::On(Screen::Labels);

/// The keys of this screen.
#[rustfmt::skip]
pub const BINDINGS: &[Binding] = &[
    bind(HERE, &["left", "h"], Action::Left, "token to the left", Some("token")),
    bind(HERE, &["right", "l"], Action::Right, "token to the right", Some("token")),
    bind(HERE, &["["], Action::PreviousRound, "previous turn", Some("turn")),
    bind(HERE, &["]"], Action::NextRound, "next turn", Some("turn")),
    bind(HERE, &["a"], Action::AddTurn, "add a turn behind this one", None),
    bind(HERE, &["x"], Action::RemoveTurn, "remove this turn", None),
    bind(HERE, &["s"], Action::NextRole, "give this turn the next role", None),
    bind(HERE, &["v"], Action::NextView, "flow, ids and labels, table", Some("view")),
    bind(HERE, &["w"], EXPLAIN, "why the text was split into this token", Some("why")),
    bind(HERE, &["enter", "space"], Action::Accept, "fold or unfold a masked stretch", None),
];

impl LabelsScreen {
    /// The token stream with today's settings.
    pub fn flow<'a>(&'a self, panes: &Panes, view: &'a SampleView) -> Flow<'a> {
        Flow {
            view,
            width: panes.body.width,
            density: self.density,
            titles: panes.tier < Tier::Large,
            unfolded: &self.unfolded,
            touched: Default::default(),
        }
    }

    /// Rows of the body that tokens take; the rest names what the text does not have.
    pub fn token_rows(panes: &Panes, view: &SampleView) -> u16 {
        panes.body.height.saturating_sub(Self::lost_rows(panes, view))
    }

    /// Rows of the body for lost parts: one each, as long as most of the body is left for tokens.
    pub fn lost_rows(panes: &Panes, view: &SampleView) -> u16 {
        let wanted = u16::try_from(view.not_carried.len()).unwrap_or(u16::MAX);
        wanted.min(panes.body.height / 3)
    }

    fn toggle_fold(&mut self, session: &Session) -> Vec<AppCommand> {
        let fold = session.shown().and_then(|view| view.folds.iter().find(|f| f.contains(&session.token)));
        let Some(fold) = fold else { return Vec::new() };
        if !self.unfolded.remove(&fold.start) {
            self.unfolded.insert(fold.start);
        }
        vec![AppCommand::Token(fold.start)]
    }

    /// The token that a movement ends on; `None` for an action that is none.
    fn moved(&self, session: &Session, panes: &Panes, view: &SampleView, action: Action) -> Option<usize> {
        let flow = self.flow(panes, view);
        let at = session.token;
        let page = Self::token_rows(panes, view).max(2) - 1;
        let onto = |token: usize| flow.fold_at(token).map_or(token, |f| f.start);
        let mut starts = view.sections.iter().map(|s| s.tokens.start);
        Some(match action {
            Action::Left => onto(at.saturating_sub(1)),
            Action::Right => flow.fold_at(at).map_or(at + 1, |f| f.end),
            Action::First => 0,
            Action::Last => onto(view.len().saturating_sub(1)),
            Action::NextRound => starts.find(|start| *start > at).unwrap_or(at),
            Action::PreviousRound => starts.take_while(|start| *start < at).last().unwrap_or(0),
            Action::Up => vertical(&flow, at, -1),
            Action::Down => vertical(&flow, at, 1),
            Action::PageUp => (0..page).fold(at, |at, _| vertical(&flow, at, -1)),
            Action::PageDown => (0..page).fold(at, |at, _| vertical(&flow, at, 1)),
            _ => return None,
        })
    }
}

impl Component for LabelsScreen {
    fn shows_cause(&self) -> bool {
        true
    }

    fn follow(&mut self, session: &Session) {
        let sample = session.shown().map(|view| view.index);
        if sample != self.sample {
            *self = Self { density: self.density, sample, ..Self::default() };
        }
    }

    fn handle(&mut self, session: &Session, panes: &Panes, action: Action) -> Option<Vec<AppCommand>> {
        match action {
            Action::Accept => return Some(self.toggle_fold(session)),
            Action::NextView => {
                self.density = self.density.next();
                self.top = RowStart { token: session.token, rank: 1 };
                return Some(Vec::new());
            }
            EXPLAIN => return Some(explain(session)),
            _ => {}
        }
        let view = session.shown()?;
        let token = self.moved(session, panes, view, action)?;
        Some(vec![AppCommand::Token(token.min(view.len().saturating_sub(1)))])
    }

    fn click(&mut self, session: &Session, target: Target) -> Vec<AppCommand> {
        match target {
            Target::Token(index) if index == session.token => self.toggle_fold(session),
            Target::Token(index) => vec![AppCommand::Token(index)],
            _ => Vec::new(),
        }
    }

    fn done(&mut self, _session: &Session, outcome: Outcome) -> Vec<AppCommand> {
        match outcome.downcast::<Explained>() {
            Ok(lines) => vec![AppCommand::SheetLines(lines.map_or_else(Load::Failed, Load::Ready))],
            Err(_) => Vec::new(),
        }
    }

    fn settle(&mut self, session: &Session, panes: &Panes) {
        let Some(view) = session.shown() else { return };
        // What was searched for is not left in a fold.
        if session.matches.binary_search(&session.token).is_ok()
            && let Some(fold) = view.folds.iter().find(|fold| fold.contains(&session.token))
        {
            self.unfolded.insert(fold.start);
        }
        self.top = {
            let rows = Self::token_rows(panes, view);
            self.flow(panes, view).settle(self.top, session.token, rows)
        };
    }
}

/// Lines for a sheet, or why there are none.
type Explained = Result<Vec<String>, String>;

/// Opens a sheet that says why the token under the cursor is there.
fn explain(session: &Session) -> Vec<AppCommand> {
    let Some(view) = session.shown().cloned() else { return Vec::new() };
    let index = session.token;
    let title = format!("why token {index} is split like this");
    let sheet = Sheet { title, lines: Load::Loading, top: 0 };
    vec![
        AppCommand::Over(Overlay::Sheet(sheet)),
        AppCommand::start(JobKind::Screen(Screen::Labels), move |job| job.emit(explained(&view, index))),
    ]
}

fn explained(view: &SampleView, index: usize) -> Explained {
    let (Some(labelled), Some(prompt)) = (view.labelled(), view.inspection.prompt.as_deref()) else {
        return Err("there are no tokens".to_string());
    };
    if labelled.input_ids.get(index) == Some(&IMAGE_TOKEN_INDEX) {
        let text = "the place of an image: the training code cuts the text at <image> and puts -200 between the parts";
        return Ok(vec![text.to_string()]);
    }
    let tokenizer = &view.setup.tokenizer;
    let mut encoding = Encoding::default();
    for (id, span) in labelled.input_ids.iter().zip(&labelled.spans) {
        encoding.push(TokenId::try_from(*id).unwrap_or(NO_ID), span.clone());
    }
    let explainer = Explainer::new(tokenizer).map_err(|e| with_causes(&e))?;
    match explainer.explain(prompt, &encoding, index).map_err(|e| with_causes(&e))? {
        Some(explanation) => Ok(explanation_lines(tokenizer, prompt, &explanation)),
        None => Err("there is no such token".to_string()),
    }
}
