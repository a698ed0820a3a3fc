//! Screen Strategies: the sample on screen under every mask strategy, as strips under one line of tokens; and, on a key,
//! the generation prompt laid over the training text.

use std::sync::Arc;

use crate::app::action::{Action, Screen};
use crate::app::bindings::{Binding, Context, bind};
use crate::app::job::{Effect, JobKind, Work as AppWork};
use crate::app::navigation::{lines, step};
use crate::app::panels::PanelAct::Strategies;
use crate::app::panels::{PanelWork, key};
use crate::app::request_changes::change;
use crate::app::state::{App, Load, Notice};
use crate::app::update::{abandon, job};
use crate::app::view::SampleView;
use crate::chat::Sample;
use crate::masks::anatomy::Message;
use crate::masks::compare::{StrategyComparison, StrategyDifference, Strip, StripEnd};
use crate::masks::overlay::Overlay;
use crate::setup::{LabelChoice, Request, Setup};
use crate::tokenizer::TokenId;

/// What is drawn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum View {
    #[default]
    Strips,
    /// The generation prompt over the training text, under the strategy of the cursor.
    Prompt,
}

/// What the screen knows.
#[derive(Debug, Default)]
pub struct State {
    pub result: Load<Arc<Compared>>,
    /// The inspection that the result was made for.
    pub made_for: Option<Arc<SampleView>>,
    pub view: View,
    /// Token under the cursor.
    pub token: usize,
    /// Position in [`Compared::order`].
    pub strip: usize,
    /// Answer under the cursor of the prompt view.
    pub answer: usize,
}

/// The sample on screen under all strategies.
#[derive(Debug)]
pub struct Compared {
    pub setup: Arc<Setup>,
    pub comparison: StrategyComparison,
    /// One a strip; `None` where its labels are not for the rendered text.
    pub overlays: Vec<Option<Overlay>>,
    /// Strips that have labels or failed, then those that do not apply.
    pub order: Vec<usize>,
    /// Ids at which generation stops.
    pub stops: Vec<TokenId>,
}

impl Compared {
    /// Puts a comparison in the order of the screen.
    pub fn new(
        setup: Arc<Setup>,
        comparison: StrategyComparison,
        overlays: Vec<Option<Overlay>>,
        stops: Vec<TokenId>,
    ) -> Self {
        let fits = |strip: &Strip| !matches!(strip.end, StripEnd::Unfit(_));
        let (mut order, unfit): (Vec<usize>, Vec<usize>) =
            (0..comparison.strips.len()).partition(|at| comparison.strips.get(*at).is_some_and(fits));
        order.extend(unfit);
        Self { setup, comparison, overlays, order, stops }
    }

    /// The strip at a position of the screen.
    pub fn strip(&self, position: usize) -> Option<(usize, &Strip)> {
        let index = *self.order.get(position)?;
        Some((index, self.comparison.strips.get(index)?))
    }
}

/// Acts that only this screen has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Act {
    NextDifference,
    PreviousDifference,
    /// Take the strategy under the cursor as the set-up's rule.
    Take,
    /// Strips, or the prompt over the training text.
    View,
}

/// What is to be worked out.
#[derive(Debug, Clone)]
pub struct Work {
    pub setup: Arc<Setup>,
    pub sample: Sample,
}

/// What came of it.
#[derive(Debug, Clone)]
pub enum Outcome {
    Compared(Arc<Compared>),
    Failed(String),
}

const fn common(keys: &'static [&'static str], action: Action, help: &'static str) -> Binding {
    bind(Context::On(Screen::Strategies), keys, action, help, Some("token"))
}

/// The keys of this screen.
#[rustfmt::skip]
pub const BINDINGS: &[Binding] = &[
    common(&["left", "h"], Action::Left, "token to the left"),
    common(&["right", "l"], Action::Right, "token to the right"),
    key(&["]"], Strategies(Act::NextDifference), "next difference, or next answer", Some("difference")),
    key(&["["], Strategies(Act::PreviousDifference), "previous difference, or previous answer", Some("difference")),
    key(&["enter"], Strategies(Act::Take), "label with the strategy under the cursor; u undoes it", Some("take")),
    key(&["v"], Strategies(Act::View), "strips, or the generation prompt over the training text", Some("view")),
];

/// Starts what is out of date.
pub fn refresh(app: &mut App) -> Vec<Effect> {
    let (Some(view), Some(sample)) = (app.shown().cloned(), app.sample().cloned()) else { return Vec::new() };
    let state = &mut app.panels.strategies;
    if state.made_for.as_ref().is_some_and(|known| Arc::ptr_eq(known, &view))
        && !matches!(state.result, Load::Failed(_))
    {
        return Vec::new();
    }
    let same_sample = state.made_for.as_ref().is_some_and(|known| known.index == view.index);
    if !same_sample {
        (state.token, state.answer) = (0, 0);
    }
    state.made_for = Some(view.clone());
    if view.setup.llava().is_some() {
        let text = "the strategies work on chat templates, and this set-up has one of LLaVA's: c chooses the tokenizer's \
                    own or a .jinja file, r the built-in sample";
        state.result = Load::Failed(text.to_string());
        return Vec::new();
    }
    // The last result stays on screen until the new one is there.
    if !(same_sample && matches!(state.result, Load::Ready(_))) {
        state.result = Load::Loading;
    }
    let work = Work { setup: view.setup.clone(), sample };
    let work = AppWork::Panel(PanelWork::Strategies(Box::new(work)));
    vec![job(app, JobKind::Panel(Screen::Strategies), work)]
}

/// A general act on this screen.
pub fn on_screen(app: &mut App, action: Action) -> Option<Vec<Effect>> {
    let by = lines(app, action);
    let state = &mut app.panels.strategies;
    if action == Action::Back && matches!(state.result, Load::Loading) {
        state.result = Load::Failed("cancelled; opening this screen again starts anew".to_string());
        return Some(vec![abandon(app, JobKind::Panel(Screen::Strategies))]);
    }
    let compared = state.result.ready()?.clone();
    let last = compared.comparison.turns.places.len();
    match (action, state.view) {
        (Action::Left, _) => state.token = step(state.token, -1, last),
        (Action::Right, _) => state.token = step(state.token, 1, last),
        (Action::First, View::Strips) => state.token = 0,
        (Action::Last, View::Strips) => state.token = last.saturating_sub(1),
        (_, View::Strips) => state.strip = step(state.strip, by?, compared.order.len()),
        (_, View::Prompt) => {
            state.answer = step(state.answer, by?, answers(state, &compared));
            follow_answer(state, &compared);
        }
    }
    Some(Vec::new())
}

fn overlay<'c>(state: &State, compared: &'c Compared) -> Option<&'c Overlay> {
    let (index, _) = compared.strip(state.strip)?;
    compared.overlays.get(index)?.as_ref()
}

fn answers(state: &State, compared: &Compared) -> usize {
    overlay(state, compared).map_or(0, |overlay| overlay.answers.len())
}

/// The token cursor goes with the answer's: both views look at one place.
fn follow_answer(state: &mut State, compared: &Compared) {
    if let Some(answer) = overlay(state, compared).and_then(|overlay| overlay.answers.get(state.answer)) {
        state.token = answer.generates.min(compared.comparison.turns.places.len().saturating_sub(1));
    }
}

/// An act of this screen's own.
pub fn act(app: &mut App, act: Act) -> Vec<Effect> {
    let Some(compared) = app.panels.strategies.result.ready().cloned() else { return Vec::new() };
    let state = &mut app.panels.strategies;
    match act {
        Act::View => {
            state.view = if state.view == View::Strips { View::Prompt } else { View::Strips };
            let answers = answers(state, &compared);
            state.answer = state.answer.min(answers.saturating_sub(1));
        }
        Act::NextDifference | Act::PreviousDifference if state.view == View::Prompt => {
            let by = if act == Act::NextDifference { 1 } else { -1 };
            state.answer = step(state.answer, by, answers(state, &compared));
            follow_answer(state, &compared);
        }
        Act::NextDifference => {
            let mut runs = compared.comparison.differences.iter();
            state.token =
                runs.find(|run| run.tokens.start > state.token).map_or(state.token, |run| run.tokens.start);
        }
        Act::PreviousDifference => {
            let runs =
                compared.comparison.differences.iter().take_while(|run| run.tokens.start < state.token);
            state.token = runs.last().map_or(state.token, |run| run.tokens.start);
        }
        Act::Take => return take(app, &compared),
    }
    Vec::new()
}

fn take(app: &mut App, compared: &Compared) -> Vec<Effect> {
    let Some((_, strip)) = compared.strip(app.panels.strategies.strip) else { return Vec::new() };
    let name = strip.strategy.name();
    if let StripEnd::Unfit(why) = &strip.end {
        app.notice = Some(Notice { text: format!("{name} does not apply: {why}"), is_error: true });
        return Vec::new();
    }
    app.notice = Some(Notice { text: format!("strategy {name}; u undoes it"), is_error: false });
    // The template stays the one on screen: a strategy by name alone would take the tokenizer's own.
    change(app, Request { preprocess: LabelChoice::Strategy(strip.strategy), ..app.request.clone() })
}

/// Takes what came of the work.
pub fn done(app: &mut App, outcome: Outcome) -> Vec<Effect> {
    match outcome {
        Outcome::Compared(compared) => {
            // What strategies make of an answer tells more than what one of them does to a question.
            let in_answer = |run: &&StrategyDifference| {
                compared.comparison.turns.messages.get(run.place.message).is_some_and(Message::is_answer)
            };
            let runs = &compared.comparison.differences;
            let first = runs.iter().find(in_answer).or(runs.first()).map_or(0, |run| run.tokens.start);
            let present = compared.setup.rule_name();
            let position = compared.order.iter().position(|at| {
                compared.comparison.strips.get(*at).is_some_and(|s| s.strategy.name() == present)
            });
            let state = &mut app.panels.strategies;
            let fresh = !matches!(state.result, Load::Ready(_));
            if fresh {
                (state.token, state.strip) = (first, position.unwrap_or(0));
            }
            let last = compared.comparison.turns.places.len().saturating_sub(1);
            state.token = state.token.min(last);
            state.result = Load::Ready(compared);
        }
        Outcome::Failed(error) => broken(app, error),
    }
    Vec::new()
}

/// The work ended without a result: say so instead of waiting for ever.
pub fn broken(app: &mut App, error: String) {
    app.panels.strategies.result = Load::Failed(error);
}
