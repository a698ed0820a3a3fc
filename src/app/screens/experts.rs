//! Screen Experts: which experts each token goes to.
//!
//! The cursor is the one of screen Labels. What is shown belongs to [`routed::Routed`], which holds the view that it was
//! made from; while another run is on its way, the old one stays.

mod kept;
mod layout;
mod position;
pub mod routed;
pub mod settings;
pub mod subset;
mod view;
mod work;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::component::{Component, lines, step};
use crate::app::action::Action;
use crate::app::binding::{Binding, KeyContext, bind};
use crate::app::command::AppCommand;
use crate::app::flow::{Density, Flow, RowStart, vertical};
use crate::app::geometry::Panes;
use crate::app::job::{JobKind, Outcome};
use crate::app::overlay::Overlay;
use crate::app::picker::{self, PickKind, Picker};
use crate::app::screen::Screen;
use crate::app::session::Session;
use crate::app::target::Target;
use crate::app::view::SampleView;
use kept::KeptModel;
pub use layout::{ExpertsPanes, layout};
pub use routed::Routed;
use settings::{ExpertsSettings, ModelChoice, Setting};
use subset::Subset;
pub use view::ExpertsView;
use work::{ExpertsOutcome, Routing};

/// What the screen knows.
#[derive(Debug, Default)]
pub struct ExpertsScreen {
    /// The newest routing that is there.
    pub routed: Option<Arc<Routed>>,
    /// What is being worked out, and how far it is.
    pub running: Option<String>,
    /// Why there is no newer routing.
    pub error: Option<String>,
    pub settings: ExpertsSettings,
    pub setting: Setting,
    pub view: ExpertsView,
    /// Position in the list of MoE layers.
    pub layer: usize,
    pub subset: Subset,
    /// First row of the tokens on screen.
    pub top: RowStart,
    /// First line of a long view.
    pub line: usize,
    /// The model of the newest run.
    kept: KeptModel,
    /// What the newest job, done or not, works on.
    asked: Option<(Arc<SampleView>, ExpertsSettings)>,
}

const NEXT_VIEW: Action = Action::Own(Screen::Experts, "next view");
const PREVIOUS_VIEW: Action = Action::Own(Screen::Experts, "previous view");
const NEXT_LAYER: Action = Action::Own(Screen::Experts, "next layer");
const PREVIOUS_LAYER: Action = Action::Own(Screen::Experts, "previous layer");
const NEXT_SETTING: Action = Action::Own(Screen::Experts, "next setting");
const LESS: Action = Action::Own(Screen::Experts, "less");
const MORE: Action = Action::Own(Screen::Experts, "more");
const NEXT_MODEL: Action = Action::Own(Screen::Experts, "next model");
const PREVIOUS_MODEL: Action = Action::Own(Screen::Experts, "previous model");
const PICK_MODEL: Action = Action::Own(Screen::Experts, "pick model");
const NEXT_SUBSET: Action = Action::Own(Screen::Experts, "next subset");
const PREVIOUS_SUBSET: Action = Action::Own(Screen::Experts, "previous subset");
const AGAIN: Action = Action::Own(Screen::Experts, "again");

const HERE: KeyContext = KeyContext::On(Screen::Experts);

/// The keys of this screen.
#[rustfmt::skip]
pub const BINDINGS: &[Binding] = &[
    bind(HERE, &["v"], NEXT_VIEW, "next view: tokens, load, split, token, paths, image", Some("view")),
    bind(HERE, &["V"], PREVIOUS_VIEW, "previous view", None),
    bind(HERE, &["["], PREVIOUS_LAYER, "previous layer", Some("layer")),
    bind(HERE, &["]"], NEXT_LAYER, "next layer", Some("layer")),
    bind(HERE, &["d"], NEXT_SETTING, "next setting: capacity_factor, top_k, num_experts, moe_mode", Some("setting")),
    bind(HERE, &["-"], LESS, "decrease the setting", Some("change")),
    bind(HERE, &["+", "="], MORE, "increase the setting", Some("change")),
    bind(HERE, &["m"], NEXT_MODEL, "next model: byte-moe, or a seeded one of each backbone", Some("model")),
    bind(HERE, &["M"], PREVIOUS_MODEL, "previous model", None),
    bind(HERE, &["L"], PICK_MODEL, "choose a model, or type a folder or a hub id (and 0..K for its first layers)", Some("your model")),
    bind(HERE, &["s"], NEXT_SUBSET, "figures of the next subset of positions: supervised, masked, role, round, …", Some("subset")),
    bind(HERE, &["b"], PREVIOUS_SUBSET, "figures of the previous subset of positions", None),
    bind(HERE, &["left", "h"], Action::Left, "token to the left", Some("token")),
    bind(HERE, &["right", "l"], Action::Right, "token to the right", Some("token")),
    bind(HERE, &["enter", "space"], Action::Accept, "the token through all layers, and back", None),
    bind(HERE, &["a"], AGAIN, "route again", None),
];

impl ExpertsScreen {
    /// The layer that is looked at.
    pub fn shown_layer(&self) -> Option<&routed::Layer> {
        let layers = &self.routed.as_ref()?.layers;
        layers.get(self.layer.min(layers.len().saturating_sub(1)))
    }

    /// The first row on screen, so that the token under the cursor is in sight.
    pub fn top(&self, panes: &Panes, view: &SampleView, token: usize) -> RowStart {
        let unfolded = all_folds(view);
        let height = layout(panes, ExpertsView::Tokens).tokens.height / 2;
        flow(panes, view, &unfolded).settle(self.top, token, height.max(1))
    }

    /// Takes another model.
    pub fn choose(&mut self, session: &Session, model: ModelChoice) -> Vec<AppCommand> {
        let settings = self.settings.for_model(model);
        self.set(session, settings)
    }

    fn set(&mut self, session: &Session, settings: ExpertsSettings) -> Vec<AppCommand> {
        self.settings = settings;
        self.refresh(session)
    }

    /// Changes the setting under the cursor.
    fn change(&mut self, session: &Session, up: bool) -> Vec<AppCommand> {
        match self.settings.changed(self.setting, up) {
            Ok(settings) => self.set(session, settings),
            Err(text) => vec![AppCommand::say(text)],
        }
    }

    fn start(&mut self, session: &Session, view: Arc<SampleView>) -> Vec<AppCommand> {
        let settings = self.settings.clone();
        self.asked = Some((view.clone(), settings.clone()));
        (self.running, self.error) = (Some("loading the model".to_string()), None);
        let routing = Routing { view, settings, hub: session.request.hub.clone(), kept: self.kept.clone() };
        vec![AppCommand::start(JobKind::Screen(Screen::Experts), move |job| routing.run(job))]
    }

    /// Ends a run that is on its way.
    fn cancel(&mut self) -> Vec<AppCommand> {
        if self.running.take().is_none() {
            return Vec::new();
        }
        self.asked = None;
        vec![AppCommand::Cancel(JobKind::Screen(Screen::Experts))]
    }

    fn show(&mut self, view: ExpertsView) {
        (self.view, self.line) = (view, 0);
    }

    fn layers(&self) -> usize {
        self.routed.as_ref().map_or(0, |routed| routed.layers.len())
    }

    /// The token left or right of the cursor, or at an end.
    fn along(&self, token: usize, action: Action) -> Option<Vec<AppCommand>> {
        let last = self.routed.as_ref()?.view.len().saturating_sub(1);
        Some(vec![AppCommand::Token(match action {
            Action::Left => token.saturating_sub(1),
            Action::Right => (token + 1).min(last),
            Action::First => 0,
            _ => last,
        })])
    }

    /// The token some rows above or below the cursor.
    fn across(&self, panes: &Panes, token: usize, action: Action) -> Option<Vec<AppCommand>> {
        let (direction, times) = match action {
            Action::Up => (-1, 1),
            Action::Down => (1, 1),
            Action::PageUp => (-1, panes.body.height / 2),
            Action::PageDown => (1, panes.body.height / 2),
            _ => return None,
        };
        let routed = self.routed.as_ref()?;
        let unfolded = all_folds(&routed.view);
        let flow = flow(panes, &routed.view, &unfolded);
        let token = (0..times.max(1)).fold(token, |at, _| vertical(&flow, at, direction));
        Some(vec![AppCommand::Token(token)])
    }

    fn other_subset(&self, by: isize) -> Subset {
        let subsets = self.routed.as_ref().map(|r| r.subsets.as_slice()).unwrap_or_default();
        let at = subsets.iter().position(|(s, _)| *s == self.subset).unwrap_or(0);
        let len = subsets.len().max(1);
        subsets.get((at + len).saturating_add_signed(by) % len).map_or(Subset::All, |(s, _)| *s)
    }

    /// What a model of the user's turned out to be is known after its first run; its settings start from there.
    fn learn(&mut self, routed: &Routed) {
        if self.settings.model.kind.is_none() {
            self.settings = routed.settings.clone();
            if let Some((_, asked)) = &mut self.asked {
                *asked = routed.settings.clone();
            }
        }
    }
}

/// Folds hide masked tokens; here every one has an expert.
pub fn all_folds(view: &SampleView) -> BTreeSet<usize> {
    view.folds.iter().map(|f| f.start).collect()
}

/// The token stream as this screen lays it out; a row takes two lines, the text and the letters.
pub fn flow<'a>(panes: &Panes, view: &'a SampleView, unfolded: &'a BTreeSet<usize>) -> Flow<'a> {
    let width = layout(panes, ExpertsView::Tokens).tokens.width;
    Flow { view, width, density: Density::Flow, titles: true, unfolded, touched: Default::default() }
}

impl Component for ExpertsScreen {
    fn refresh(&mut self, session: &Session) -> Vec<AppCommand> {
        let Some(view) = session.shown().cloned().filter(|v| v.labelled().is_some()) else {
            return self.cancel();
        };
        let same = |(known, settings): &(Arc<SampleView>, ExpertsSettings)| {
            Arc::ptr_eq(known, &view) && *settings == self.settings
        };
        if self.asked.as_ref().is_some_and(same) { Vec::new() } else { self.start(session, view) }
    }

    fn handle(&mut self, session: &Session, panes: &Panes, action: Action) -> Option<Vec<AppCommand>> {
        match action {
            Action::Back if self.running.is_some() => {
                self.error = Some("cancelled; a routes again".to_string());
                return Some(self.cancel());
            }
            Action::Back if self.view != ExpertsView::Tokens => self.show(ExpertsView::Tokens),
            Action::Accept if self.view == ExpertsView::Token => self.show(ExpertsView::Tokens),
            Action::Accept => self.show(ExpertsView::Token),
            NEXT_VIEW => self.show(self.view.step(1)),
            PREVIOUS_VIEW => self.show(self.view.step(-1)),
            NEXT_LAYER => self.layer = step(self.layer, 1, self.layers()),
            PREVIOUS_LAYER => self.layer = step(self.layer, -1, self.layers()),
            NEXT_SUBSET => self.subset = self.other_subset(1),
            PREVIOUS_SUBSET => self.subset = self.other_subset(-1),
            NEXT_SETTING => self.setting = self.setting.next(),
            MORE => return Some(self.change(session, true)),
            LESS => return Some(self.change(session, false)),
            NEXT_MODEL => return Some(self.choose(session, self.settings.model.step(1))),
            PREVIOUS_MODEL => return Some(self.choose(session, self.settings.model.step(-1))),
            PICK_MODEL => {
                let list = Picker::new(PickKind::Model, picker::models());
                return Some(vec![AppCommand::Over(Overlay::Picker(Box::new(list)))]);
            }
            AGAIN => {
                self.asked = None;
                return Some(self.refresh(session));
            }
            Action::Left | Action::Right | Action::First | Action::Last => {
                return self.along(session.token, action);
            }
            action if self.view == ExpertsView::Tokens => return self.across(panes, session.token, action),
            action => {
                let by = lines(panes, action)?;
                let routed = self.routed.as_ref();
                let count = match self.view {
                    ExpertsView::Load => self.layers(),
                    ExpertsView::Split => routed.map_or(0, |r| r.subsets.len()),
                    // At most as many paths as positions; drawing stops at the last one.
                    _ => routed.map_or(0, |r| r.positions.len()),
                };
                self.line = step(self.line, by, count);
            }
        }
        Some(Vec::new())
    }

    fn click(&mut self, _session: &Session, target: Target) -> Vec<AppCommand> {
        match target {
            Target::Token(index) => vec![AppCommand::Token(index)],
            _ => Vec::new(),
        }
    }

    fn done(&mut self, _session: &Session, outcome: Outcome) -> Vec<AppCommand> {
        let Ok(outcome) = outcome.downcast::<ExpertsOutcome>() else { return Vec::new() };
        match *outcome {
            ExpertsOutcome::Failed(error) => self.broken(error),
            // What was on its way when the run was cancelled.
            _ if self.running.is_none() => {}
            ExpertsOutcome::Progress(text) => self.running = Some(text),
            ExpertsOutcome::Routed(routed) => {
                self.running = None;
                self.learn(&routed);
                self.layer = self.layer.min(routed.layers.len().saturating_sub(1));
                if !routed.subsets.iter().any(|(s, _)| *s == self.subset) {
                    self.subset = Subset::All;
                }
                self.routed = Some(routed);
            }
        }
        Vec::new()
    }

    fn broken(&mut self, error: String) {
        (self.running, self.error) = (None, Some(error));
        // Figures of another model than the one that failed would be read as its own.
        let model = self.settings.model.name();
        self.routed = self.routed.take().filter(|routed| routed.settings.model.name() == model);
    }

    fn settle(&mut self, session: &Session, panes: &Panes) {
        if let Some(routed) = &self.routed {
            self.top = self.top(panes, &routed.view, session.token);
        }
    }
}
