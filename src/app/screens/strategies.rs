//! Screen Strategies: the sample on screen under every mask strategy, as strips under one line of tokens; and, on a key,
//! the generation prompt laid over the training text.

use std::sync::Arc;

use super::component::{Component, lines, step};
use crate::app::action::Action;
use crate::app::binding::{Binding, KeyContext, bind};
use crate::app::command::AppCommand;
use crate::app::geometry::Panes;
use crate::app::job::{JobContext, JobKind, Outcome};
use crate::app::load::Load;
use crate::app::screen::Screen;
use crate::app::session::Session;
use crate::app::view::SampleView;
use crate::chat::Sample;
use crate::error::{Error, Result, with_causes};
use crate::masks::anatomy::MessageAnatomy;
use crate::masks::compare::{StrategyComparison, StrategyDifference, Strip, StripEnd};
use crate::masks::overlay::LabelOverlay;
use crate::masks::{Labeller, Masked};
use crate::setup::{LabelChoice, Request, Setup, stop_tokens};
use crate::tokenizer::TokenId;

/// What is drawn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StrategiesView {
    #[default]
    Strips,
    /// The generation prompt over the training text, under the strategy of the cursor.
    Prompt,
}

/// What the screen knows.
#[derive(Debug, Default)]
pub struct StrategiesScreen {
    pub result: Load<Arc<ComparedStrategies>>,
    /// The inspection that the result was made for.
    made_for: Option<Arc<SampleView>>,
    pub view: StrategiesView,
    /// Token under the cursor.
    pub token: usize,
    /// Position in [`ComparedStrategies::order`].
    pub strip: usize,
    /// Answer under the cursor of the prompt view.
    pub answer: usize,
}

/// The sample on screen under all strategies.
#[derive(Debug)]
pub struct ComparedStrategies {
    pub setup: Arc<Setup>,
    pub comparison: StrategyComparison,
    /// One a strip; `None` where its labels are not for the rendered text.
    pub overlays: Vec<Option<LabelOverlay>>,
    /// Strips that have labels or failed, then those that do not apply.
    pub order: Vec<usize>,
    /// Ids at which generation stops.
    pub stops: Vec<TokenId>,
}

impl ComparedStrategies {
    /// Puts a comparison in the order of the screen.
    fn new(
        setup: Arc<Setup>,
        comparison: StrategyComparison,
        overlays: Vec<Option<LabelOverlay>>,
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

    /// Number of tokens of the rendered text.
    fn len(&self) -> usize {
        self.comparison.turns.places.len()
    }

    /// Where the cursor starts: on the first difference in an answer, as what strategies make of one tells more than what
    /// one of them does to a question.
    fn first_difference(&self) -> usize {
        let in_answer = |run: &&StrategyDifference| {
            self.comparison.turns.messages.get(run.place.message).is_some_and(MessageAnatomy::is_answer)
        };
        let runs = &self.comparison.differences;
        runs.iter().find(in_answer).or(runs.first()).map_or(0, |run| run.tokens.start)
    }

    /// The position of the strategy that is set.
    fn present(&self) -> usize {
        let name = self.setup.rule_name();
        let is_set = |at: &usize| self.comparison.strips.get(*at).is_some_and(|s| s.labeller.name() == name);
        self.order.iter().position(is_set).unwrap_or(0)
    }
}

/// What came of a job.
type StrategiesOutcome = std::result::Result<Arc<ComparedStrategies>, String>;

const NEXT_DIFFERENCE: Action = Action::Own(Screen::Strategies, "next difference");
const PREVIOUS_DIFFERENCE: Action = Action::Own(Screen::Strategies, "previous difference");
/// Take the strategy under the cursor as the set-up's rule.
const TAKE: Action = Action::Own(Screen::Strategies, "take");
/// Strips, or the prompt over the training text.
const VIEW: Action = Action::Own(Screen::Strategies, "view");

const HERE: KeyContext = KeyContext::On(Screen::Strategies);

/// The keys of this screen.
#[rustfmt::skip]
pub const BINDINGS: &[Binding] = &[
    bind(HERE, &["left", "h"], Action::Left, "token to the left", Some("token")),
    bind(HERE, &["right", "l"], Action::Right, "token to the right", Some("token")),
    bind(HERE, &["]"], NEXT_DIFFERENCE, "next difference, or next answer", Some("difference")),
    bind(HERE, &["["], PREVIOUS_DIFFERENCE, "previous difference, or previous answer", Some("difference")),
    bind(HERE, &["enter"], TAKE, "label with the strategy under the cursor; u undoes it", Some("take")),
    bind(HERE, &["v"], VIEW, "strips, or the generation prompt over the training text", Some("view")),
];

impl StrategiesScreen {
    fn overlay<'c>(&self, compared: &'c ComparedStrategies) -> Option<&'c LabelOverlay> {
        let (index, _) = compared.strip(self.strip)?;
        compared.overlays.get(index)?.as_ref()
    }

    fn answers(&self, compared: &ComparedStrategies) -> usize {
        self.overlay(compared).map_or(0, |overlay| overlay.answers.len())
    }

    /// Another answer; the token cursor goes with it, so that both views look at one place.
    fn step_answer(&mut self, compared: &ComparedStrategies, by: isize) {
        self.answer = step(self.answer, by, self.answers(compared));
        let answer = self.overlay(compared).and_then(|overlay| overlay.answers.get(self.answer));
        if let Some(answer) = answer {
            self.token = answer.generates.min(compared.len().saturating_sub(1));
        }
    }

    /// The token at which the next or the previous difference begins.
    fn step_difference(&mut self, compared: &ComparedStrategies, forward: bool) {
        let mut starts = compared.comparison.differences.iter().map(|run| run.tokens.start);
        let found = match forward {
            true => starts.find(|start| *start > self.token),
            false => starts.take_while(|start| *start < self.token).last(),
        };
        self.token = found.unwrap_or(self.token);
    }

    fn take(&self, session: &Session, compared: &ComparedStrategies) -> Vec<AppCommand> {
        let Some((_, strip)) = compared.strip(self.strip) else { return Vec::new() };
        let name = strip.labeller.name();
        if let StripEnd::Unfit(why) = &strip.end {
            return vec![AppCommand::complain(format!("{name} does not apply: {why}"))];
        }
        let said = AppCommand::say(format!("{name} labels; {{undo}} undoes it"));
        // The template stays the one on screen: a strategy by name alone would take the tokenizer's own.
        let request = match &strip.labeller {
            Labeller::Strategy(strategy) => {
                Request { preprocess: LabelChoice::Strategy(*strategy), ..session.request.clone() }
            }
            Labeller::Function { is_present: true, .. } => {
                return vec![AppCommand::say(format!("{name} labels already"))];
            }
            Labeller::Function { place, .. } => {
                let repository = session.request.repository.as_ref().map(|own| own.with_function(place));
                Request { repository, ..session.request.clone() }
            }
            Labeller::Rule(_) => {
                let text = format!(
                    "{name} is no function of the repository: without --repo, --preprocess {name} labels by it"
                );
                return vec![AppCommand::complain(text)];
            }
        };
        vec![said, AppCommand::Change(Box::new(request))]
    }
}

impl Component for StrategiesScreen {
    fn refresh(&mut self, session: &Session) -> Vec<AppCommand> {
        let (Some(view), Some(sample)) = (session.shown(), session.sample().cloned()) else {
            return Vec::new();
        };
        let made_for = self.made_for.replace(view.clone());
        if made_for.as_ref().is_some_and(|known| Arc::ptr_eq(known, view)) && !self.result.has_failed() {
            return Vec::new();
        }
        let same_sample = made_for.is_some_and(|known| known.index == view.index);
        if !same_sample {
            (self.token, self.answer) = (0, 0);
        }
        if view.setup.llava().is_some() {
            let text = "the strategies work on chat templates, and this set-up has one of LLaVA's: c chooses the \
                        tokenizer's own or a .jinja file, r the built-in sample";
            self.result = Load::Failed(text.to_string());
            return Vec::new();
        }
        // The last result stays on screen until the new one is there.
        if !(same_sample && self.result.ready().is_some()) {
            self.result = Load::Loading;
        }
        let setup = view.setup.clone();
        vec![AppCommand::start(JobKind::Screen(Screen::Strategies), move |job| {
            let compared = match setup.repository() {
                Some(_) => functions(setup, &sample).map(Some),
                None => compare(setup, &sample, job),
            };
            let compared = compared.map_err(|error| with_causes(&error));
            if let Some(outcome) = compared.transpose() {
                job.emit::<StrategiesOutcome>(outcome.map(Arc::new));
            }
        })]
    }

    fn handle(&mut self, session: &Session, panes: &Panes, action: Action) -> Option<Vec<AppCommand>> {
        if action == Action::Back && self.result.is_loading() {
            let text = "cancelled; opening this screen again starts anew";
            self.result = Load::Failed(text.to_string());
            return Some(vec![AppCommand::Abandon(JobKind::Screen(Screen::Strategies))]);
        }
        let by = lines(panes, action);
        let compared = self.result.ready()?.clone();
        let last = compared.len();
        let strips = self.view == StrategiesView::Strips;
        match action {
            TAKE => return Some(self.take(session, &compared)),
            VIEW => {
                self.view = if strips { StrategiesView::Prompt } else { StrategiesView::Strips };
                self.answer = self.answer.min(self.answers(&compared).saturating_sub(1));
            }
            NEXT_DIFFERENCE | PREVIOUS_DIFFERENCE => match (strips, action == NEXT_DIFFERENCE) {
                (true, forward) => self.step_difference(&compared, forward),
                (false, true) => self.step_answer(&compared, 1),
                (false, false) => self.step_answer(&compared, -1),
            },
            Action::Left => self.token = step(self.token, -1, last),
            Action::Right => self.token = step(self.token, 1, last),
            Action::First if strips => self.token = 0,
            Action::Last if strips => self.token = last.saturating_sub(1),
            _ if strips => self.strip = step(self.strip, by?, compared.order.len()),
            _ => self.step_answer(&compared, by?),
        }
        Some(Vec::new())
    }

    fn done(&mut self, _session: &Session, outcome: Outcome) -> Vec<AppCommand> {
        match outcome.downcast::<StrategiesOutcome>().map(|outcome| *outcome) {
            Ok(Ok(compared)) => {
                if self.result.ready().is_none() {
                    (self.token, self.strip) = (compared.first_difference(), compared.present());
                }
                self.token = self.token.min(compared.len().saturating_sub(1));
                self.result = Load::Ready(compared);
            }
            Ok(Err(error)) => self.broken(error),
            Err(_) => {}
        }
        Vec::new()
    }

    fn broken(&mut self, error: String) {
        self.result = Load::Failed(error);
    }
}

/// Every strategy on one sample, and the generation prompt laid over each; `None` when the job was cancelled.
fn compare(setup: Arc<Setup>, sample: &Sample, job: &JobContext<'_>) -> Result<Option<ComparedStrategies>> {
    let refused = |text: &str| Error::Usage(text.to_string());
    let method = setup.chat().ok_or_else(|| refused("the set-up has no chat template"))?;
    let conversation = sample
        .conversation()
        .ok_or_else(|| refused("this record holds no messages: its labels are given, or it is plain text"))?;
    let conversation = method.with_kwargs(conversation.into_owned());
    let stops = stop_tokens(&setup.tokenizer).ids;
    let mut overlays = Vec::new();
    let comparison = StrategyComparison::new(
        method,
        &*setup.tokenizer,
        &conversation,
        &mut |turns, masked: Option<&Masked>| {
            overlays.push(masked.and_then(|masked| LabelOverlay::new(turns, masked, &stops)));
            !job.is_cancelled()
        },
    );
    let comparison = comparison.map_err(|error| Error::Usage(with_causes(&error)))?;
    Ok(comparison.map(|comparison| ComparedStrategies::new(setup, comparison, overlays, stops)))
}

/// The label functions of a repository, and the built-in rules, on one sample.
fn functions(setup: Arc<Setup>, sample: &Sample) -> Result<ComparedStrategies> {
    let refused = |text: &str| Error::Usage(text.to_string());
    let repository = setup.repository().ok_or_else(|| refused("the set-up has no repository"))?;
    let compared = repository.compared(sample).map_err(|error| Error::Usage(with_causes(&error)));
    let (comparison, rows) = compared?;
    let stops = stop_tokens(&setup.tokenizer).ids;
    let overlay = |masked: &Option<Masked>| LabelOverlay::new(&comparison.turns, masked.as_ref()?, &stops);
    let overlays = rows.iter().map(overlay).collect();
    Ok(ComparedStrategies::new(setup, comparison, overlays, stops))
}
