//! Screen Experts: which experts each token goes to. State, keys and messages; the work is in `runtime::panels::experts`.
//!
//! The cursor is the one of screen Labels (`app.view_state.token`). What is shown belongs to [`routed::Routed`], which holds
//! the view that it was made from; while another run is on its way, the old one stays.

mod layout;
pub mod routed;
pub mod settings;
pub mod subset;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::app::action::{Action, Screen};
use crate::app::bindings::{Binding, Context, bind};
use crate::app::flow::{Density, Flow, Place};
use crate::app::job::{Effect, JobKind, Work as AppWork};
use crate::app::navigation::{lines, step, vertical};
use crate::app::overlays::open;
use crate::app::panels::PanelAct::Experts;
use crate::app::panels::{PanelWork, key};
use crate::app::picker::{self, PickKind, Picker};
use crate::app::state::{App, Notice};
use crate::app::update::job;
use crate::app::view::SampleView;
use crate::hub::HubOptions;
pub use layout::{Layout, layout};
pub use routed::Routed;
use settings::{ModelChoice, Setting, Settings};
use subset::Subset;

/// What of the routing is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum View {
    /// The text, each token in its expert's colour and letter.
    #[default]
    Tokens,
    /// Load of every layer.
    Load,
    /// Load of one layer by subset of positions.
    Split,
    /// The token under the cursor through all layers.
    Token,
    /// Expert co-activation, and the most frequent routing paths through the layers.
    Paths,
    /// The patches of an image.
    Image,
}

impl View {
    /// All, in the order of the key.
    pub const ALL: [View; 6] = [Self::Tokens, Self::Load, Self::Split, Self::Token, Self::Paths, Self::Image];

    /// As the screen names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Load => "load",
            Self::Split => "split",
            Self::Token => "token",
            Self::Paths => "paths",
            Self::Image => "image",
        }
    }

    fn step(self, by: isize) -> Self {
        let at = Self::ALL.iter().position(|v| *v == self).unwrap_or(0);
        let next = (at + Self::ALL.len()).saturating_add_signed(by) % Self::ALL.len();
        Self::ALL.get(next).copied().unwrap_or_default()
    }
}

/// What the screen knows.
#[derive(Debug, Default)]
pub struct State {
    /// The newest routing that is there.
    pub routed: Option<Arc<Routed>>,
    /// What is being worked out, and how far it is.
    pub running: Option<String>,
    /// Why there is no newer routing.
    pub error: Option<String>,
    pub settings: Settings,
    pub setting: Setting,
    pub view: View,
    /// Position in the list of MoE layers.
    pub layer: usize,
    pub subset: Subset,
    /// First row of the tokens on screen.
    pub top: Place,
    /// First line of a long view.
    pub line: usize,
    /// What the newest job, done or not, works on.
    asked: Option<(Arc<SampleView>, Settings)>,
}

impl State {
    /// The layer that is looked at.
    pub fn shown_layer(&self) -> Option<&routed::Layer> {
        let layers = &self.routed.as_ref()?.layers;
        layers.get(self.layer.min(layers.len().saturating_sub(1)))
    }
}

/// Acts that only this screen has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Act {
    /// Work it out again.
    Again,
    /// A list of models, and a folder or a hub id typed into it.
    PickModel,
    NextView,
    PreviousView,
    NextLayer,
    PreviousLayer,
    NextSubset,
    PreviousSubset,
    NextModel,
    PreviousModel,
    NextSetting,
    More,
    Less,
}

/// What is to be worked out.
#[derive(Debug, Clone)]
pub struct Work {
    pub view: Arc<SampleView>,
    pub settings: Settings,
    /// Where a model with a hub id comes from.
    pub hub: HubOptions,
}

/// What came of it.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// What is being done.
    Progress(String),
    Routed(Arc<Routed>),
    Failed(String),
}

/// The keys of this screen.
#[rustfmt::skip]
pub const BINDINGS: &[Binding] = &[
    key(&["v"], Experts(Act::NextView), "next view: tokens, load, split, token, paths, image", Some("view")),
    key(&["V"], Experts(Act::PreviousView), "previous view", None),
    key(&["["], Experts(Act::PreviousLayer), "previous layer", Some("layer")),
    key(&["]"], Experts(Act::NextLayer), "next layer", Some("layer")),
    key(&["d"], Experts(Act::NextSetting), "next setting: capacity_factor, top_k, num_experts, moe_mode", Some("setting")),
    key(&["-"], Experts(Act::Less), "decrease the setting", Some("change")),
    key(&["+", "="], Experts(Act::More), "increase the setting", Some("change")),
    key(&["m"], Experts(Act::NextModel), "next model: byte-moe, or a seeded one of each backbone", Some("model")),
    key(&["M"], Experts(Act::PreviousModel), "previous model", None),
    key(&["L"], Experts(Act::PickModel), "choose a model, or type a folder or a hub id (and 0..K for its first layers)", Some("your model")),
    key(&["s"], Experts(Act::NextSubset), "figures of the next subset of positions: supervised, masked, role, round, …", Some("subset")),
    key(&["b"], Experts(Act::PreviousSubset), "figures of the previous subset of positions", None),
    bind(Context::On(Screen::Experts), &["left", "h"], Action::Left, "token to the left", Some("token")),
    bind(Context::On(Screen::Experts), &["right", "l"], Action::Right, "token to the right", Some("token")),
    bind(Context::On(Screen::Experts), &["enter", "space"], Action::Accept, "the token through all layers, and back", None),
    key(&["a"], Experts(Act::Again), "route again", None),
];

/// Starts what is out of date.
pub fn refresh(app: &mut App) -> Vec<Effect> {
    let Some(view) = app.shown().cloned().filter(|v| v.labelled().is_some()) else {
        return cancel(app);
    };
    let settings = app.panels.experts.settings.clone();
    let asked = app.panels.experts.asked.as_ref();
    if asked.is_some_and(|(v, s)| Arc::ptr_eq(v, &view) && *s == settings) {
        return Vec::new();
    }
    start(app, view)
}

fn start(app: &mut App, view: Arc<SampleView>) -> Vec<Effect> {
    let hub = app.request.hub.clone();
    let state = &mut app.panels.experts;
    let settings = state.settings.clone();
    state.asked = Some((view.clone(), settings.clone()));
    state.running = Some("loading the model".to_string());
    state.error = None;
    let work = AppWork::Panel(PanelWork::Experts(Box::new(Work { view, settings, hub })));
    vec![job(app, JobKind::Panel(Screen::Experts), work)]
}

/// Ends a run that is on its way.
fn cancel(app: &mut App) -> Vec<Effect> {
    let state = &mut app.panels.experts;
    if state.running.take().is_none() {
        return Vec::new();
    }
    state.asked = None;
    vec![Effect::Cancel(JobKind::Panel(Screen::Experts))]
}

/// A general act on this screen.
pub fn on_screen(app: &mut App, action: Action) -> Option<Vec<Effect>> {
    match action {
        Action::Back if app.panels.experts.running.is_some() => {
            app.panels.experts.error = Some("cancelled; a routes again".to_string());
            return Some(cancel(app));
        }
        Action::Back if app.panels.experts.view != View::Tokens => show(app, View::Tokens),
        Action::Accept => {
            let other = if app.panels.experts.view == View::Token { View::Tokens } else { View::Token };
            show(app, other);
        }
        Action::Left | Action::Right | Action::First | Action::Last => move_along(app, action)?,
        _ if app.panels.experts.view == View::Tokens => move_rows(app, action)?,
        action => {
            let by = lines(app, action)?;
            let state = &mut app.panels.experts;
            let routed = state.routed.as_ref();
            let count = match state.view {
                View::Load => routed.map_or(0, |r| r.layers.len()),
                View::Split => routed.map_or(0, |r| r.subsets.len()),
                // At most as many paths as positions; drawing stops at the last one.
                _ => routed.map_or(0, |r| r.positions.len()),
            };
            state.line = step(state.line, by, count);
        }
    }
    settle(app);
    Some(Vec::new())
}

fn show(app: &mut App, view: View) {
    app.panels.experts.view = view;
    app.panels.experts.line = 0;
}

fn move_along(app: &mut App, action: Action) -> Option<()> {
    let last = app.panels.experts.routed.as_ref()?.view.len().saturating_sub(1);
    let at = app.view_state.token;
    app.view_state.token = match action {
        Action::Left => at.saturating_sub(1),
        Action::Right => (at + 1).min(last),
        Action::First => 0,
        _ => last,
    };
    Some(())
}

fn move_rows(app: &mut App, action: Action) -> Option<()> {
    let (direction, times) = match action {
        Action::Up => (-1, 1),
        Action::Down => (1, 1),
        Action::PageUp => (-1, app.panes().body.height / 2),
        Action::PageDown => (1, app.panes().body.height / 2),
        _ => return None,
    };
    let routed = app.panels.experts.routed.clone()?;
    let unfolded = all_folds(&routed.view);
    let flow = flow(app, &routed.view, &unfolded);
    let token = (0..times.max(1)).fold(app.view_state.token, |at, _| vertical(&flow, at, direction));
    app.view_state.token = token;
    Some(())
}

/// Folds hide masked tokens; here every one has an expert.
pub fn all_folds(view: &SampleView) -> BTreeSet<usize> {
    view.folds.iter().map(|f| f.start).collect()
}

/// The token stream as this screen lays it out; a row takes two lines, the text and the letters.
pub fn flow<'a>(app: &App, view: &'a SampleView, unfolded: &'a BTreeSet<usize>) -> Flow<'a> {
    let width = layout(&app.panes(), View::Tokens).tokens.width;
    Flow { view, width, density: Density::Flow, titles: true, unfolded, touched: Default::default() }
}

/// The first row on screen, so that the token under the cursor is in sight.
pub fn top(app: &App, view: &SampleView) -> Place {
    let unfolded = all_folds(view);
    let height = layout(&app.panes(), View::Tokens).tokens.height / 2;
    flow(app, view, &unfolded).settle(app.panels.experts.top, app.view_state.token, height.max(1))
}

fn settle(app: &mut App) {
    let Some(routed) = app.panels.experts.routed.clone() else { return };
    app.panels.experts.top = top(app, &routed.view);
}

/// An act of this screen's own.
pub fn act(app: &mut App, act: Act) -> Vec<Effect> {
    let state = &mut app.panels.experts;
    let layers = state.routed.as_ref().map_or(0, |r| r.layers.len());
    match act {
        Act::Again => {
            state.asked = None;
            return refresh(app);
        }
        Act::NextView => show(app, app.panels.experts.view.step(1)),
        Act::PreviousView => show(app, app.panels.experts.view.step(-1)),
        Act::NextLayer => state.layer = step(state.layer, 1, layers),
        Act::PreviousLayer => state.layer = step(state.layer, -1, layers),
        Act::NextSubset => state.subset = other_subset(state, 1),
        Act::PreviousSubset => state.subset = other_subset(state, -1),
        Act::PickModel => return open(app, Picker::new(PickKind::Model, picker::models())),
        Act::NextModel => return choose(app, app.panels.experts.settings.model.step(1)),
        Act::PreviousModel => return choose(app, app.panels.experts.settings.model.step(-1)),
        Act::NextSetting => state.setting = state.setting.next(),
        Act::More | Act::Less => match state.settings.changed(state.setting, act == Act::More) {
            Ok(settings) => return set(app, settings),
            Err(text) => app.notice = Some(Notice { text, is_error: false }),
        },
    }
    Vec::new()
}

/// Takes another model.
pub fn choose(app: &mut App, model: ModelChoice) -> Vec<Effect> {
    let settings = app.panels.experts.settings.for_model(model);
    set(app, settings)
}

fn set(app: &mut App, settings: Settings) -> Vec<Effect> {
    app.panels.experts.settings = settings;
    refresh(app)
}

fn other_subset(state: &State, by: isize) -> Subset {
    let subsets = state.routed.as_ref().map(|r| r.subsets.as_slice()).unwrap_or_default();
    let at = subsets.iter().position(|(s, _)| *s == state.subset).unwrap_or(0);
    let len = subsets.len().max(1);
    subsets.get((at + len).saturating_add_signed(by) % len).map_or(Subset::All, |(s, _)| *s)
}

/// Takes what came of the work.
pub fn done(app: &mut App, outcome: Outcome) -> Vec<Effect> {
    let state = &mut app.panels.experts;
    match outcome {
        // A report that was on its way when the run was cancelled.
        Outcome::Progress(_) if state.running.is_none() => {}
        Outcome::Progress(text) => state.running = Some(text),
        Outcome::Failed(error) => failed(state, error),
        Outcome::Routed(_) if state.running.is_none() => {}
        Outcome::Routed(routed) => {
            state.running = None;
            learn(state, &routed);
            state.layer = state.layer.min(routed.layers.len().saturating_sub(1));
            if !routed.subsets.iter().any(|(s, _)| *s == state.subset) {
                state.subset = Subset::All;
            }
            state.routed = Some(routed);
            settle(app);
        }
    }
    Vec::new()
}

/// What a model of the user's turned out to be is known after its first run; its settings start from there.
fn learn(state: &mut State, routed: &Routed) {
    if state.settings.model.kind.is_none() {
        state.settings = routed.settings.clone();
        if let Some((_, asked)) = &mut state.asked {
            *asked = routed.settings.clone();
        }
    }
}

/// Figures of another model than the one that failed would be read as its own.
fn failed(state: &mut State, error: String) {
    state.running = None;
    state.error = Some(error);
    let model = state.settings.model.name();
    state.routed = state.routed.take().filter(|routed| routed.settings.model.name() == model);
}

/// The work ended by a bug of ours: say so instead of waiting for ever.
pub fn broken(app: &mut App, error: String) {
    failed(&mut app.panels.experts, error);
}
