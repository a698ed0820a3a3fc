//! What every chat check works on, measured once: turns, labels and overlay of each conversation.

use std::sync::{Arc, OnceLock};

use rayon::prelude::*;
use serde_json::{Value, json};

use crate::chat::jinja::ChatTemplate;
use crate::chat::{Columns, Conversation, Sample};
use crate::diagnose::accounting::RecordAccount;
use crate::diagnose::change::Change;
use crate::diagnose::effect::ChangeEffect;
use crate::diagnose::fix::Fix;
use crate::labels::Inspection;
use crate::masks::anatomy::Anatomy;
use crate::masks::compare::attempt;
use crate::masks::encoder::Encoder;
use crate::masks::overlay::{LabelOverlay, LabelledAnswer};
use crate::masks::{MaskError, Masked, Method, Strategy, StrategySettings};
use crate::setup::Setup;
use crate::tokenizer::{TokenId, Tokenizer};

/// Conversations that are rendered: each costs two renderings a message.
const MOST: usize = 400;
/// Bytes that the prefixes of one conversation may come to: a row of thousands of messages would take minutes.
const MOST_RENDERED: usize = 256 << 20;
/// Conversations that another strategy is tried on.
const TRIED: usize = 48;

/// How answers may begin: pieces that tokenizers like to join with what stands before.
pub const ANSWER_HEADS: [(&str, &str); 6] = [
    ("a letter", "Two cats."),
    ("a line break", "\nTwo cats."),
    ("a digit", "2 cats."),
    ("a space", " Two cats."),
    ("CJK", "\u{4e24}\u{53ea}\u{732b}\u{3002}"),
    ("an emoji", "\u{1f408}\u{1f408}"),
];

/// Everything that decides the labels of a conversation.
#[derive(Clone, Copy)]
pub struct ChatPlan<'a> {
    pub method: &'a Method,
    pub encoder: &'a dyn Encoder,
    pub strategy: Strategy,
    /// Tokens that a sample may have.
    pub max_length: Option<usize>,
    /// Ids at which generation stops: eos, and those of a generation_config.json.
    pub stops: &'a [TokenId],
    /// `stops` was read from a generation_config.json too.
    pub knows_generation_config: bool,
}

impl std::fmt::Debug for ChatPlan<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChatPlan").field("strategy", &self.strategy).finish_non_exhaustive()
    }
}

impl ChatPlan<'_> {
    pub(super) fn label(&self, sample: &Conversation) -> Result<Masked, MaskError> {
        let settings = StrategySettings { max_length: self.max_length, ..self.method.settings.clone() };
        attempt(self.method, self.strategy, &settings, self.encoder, sample)
    }

    /// How many tokens another template of the same model supervises; `None` where it raises.
    pub(super) fn supervised_by(&self, template: &ChatTemplate, sample: &Conversation) -> Option<usize> {
        let settings = StrategySettings { max_length: self.max_length, ..self.method.settings.clone() };
        self.method.label_by(template, &settings, self.encoder, sample).ok().map(|masked| supervised(&masked))
    }

    /// The template of samples without tools, or the only one there is.
    pub fn template(&self) -> Option<&ChatTemplate> {
        let templates = &self.method.templates;
        templates.plain.as_ref().ok().or(templates.tool_use.as_ref())
    }

    /// True where a template marks what the model writes.
    pub fn has_generation_tags(&self) -> bool {
        self.template().is_some_and(ChatTemplate::has_generation_tags)
    }
}

/// A conversation with its name in the data.
#[derive(Debug, Clone)]
pub struct ChatSample {
    /// Index in the data.
    pub index: usize,
    pub id: String,
    pub sample: Conversation,
}

/// What is known of one conversation.
#[derive(Debug)]
pub struct Facts {
    pub index: usize,
    pub id: String,
    /// Has a message of an assistant that says something.
    pub has_answer: bool,
    pub turns: Result<Anatomy, MaskError>,
    pub masked: Result<Masked, MaskError>,
    /// `None` where the labels are for a text of the trainer's own, or there are none.
    pub overlay: Option<LabelOverlay>,
    /// Labels without a cap, where there is one and the sample reaches it.
    pub uncut: Option<Masked>,
}

/// A record of which something did not come through.
#[derive(Debug)]
pub struct AccountedRecord {
    /// Index in the data.
    pub index: usize,
    pub id: String,
    pub conversation: Conversation,
    pub account: RecordAccount,
}

/// What of the records came through.
#[derive(Debug)]
pub struct Accounts {
    /// Records that were looked at.
    pub looked: usize,
    /// Those with something to say, in order.
    pub records: Vec<AccountedRecord>,
    /// Records that are no conversation and that raise: index, id, and the error.
    pub refused: Vec<(usize, String, String)>,
}

impl Accounts {
    /// The accounts of all samples of a set-up.
    pub fn of(setup: &Setup, samples: &[Sample], inspections: &[Inspection]) -> Self {
        let accounts: Vec<Option<RecordAccount>> = samples
            .par_iter()
            .zip(inspections)
            .map(|(sample, inspection)| RecordAccount::of(setup, sample, inspection))
            .collect();
        let looked = accounts.iter().flatten().count();
        let all = samples.iter().zip(accounts).enumerate();
        let records = all.filter_map(|(index, (sample, account))| {
            let account = account.filter(|account| !account.is_clean())?;
            // A preference row is none, and no change of messages is tried on it.
            let conversation = sample.conversation().unwrap_or_default().into_owned();
            let conversation = setup.chat()?.with_kwargs(conversation);
            Some(AccountedRecord { index, id: sample.id.clone(), conversation, account })
        });
        let raising =
            samples.iter().zip(inspections).enumerate().filter_map(|(index, (sample, inspection))| {
                let error = inspection.result.as_ref().err().filter(|_| sample.conversation().is_none())?;
                Some((index, sample.id.clone(), error.to_string()))
            });
        Self { looked, records: records.collect(), refused: raising.collect() }
    }
}

/// Conversations made on the spot: two rounds, one for each of [`ANSWER_HEADS`].
pub type Probes = Vec<(&'static str, Facts)>;

/// The probes of a plan, which depend on no sample.
pub fn probes(plan: &ChatPlan<'_>) -> Probes {
    ANSWER_HEADS.par_iter().map(|(name, head)| (*name, facts_of_head(plan, head))).collect()
}

/// What a plan makes of samples, by their indices.
type Effects = Vec<(usize, ChangeEffect)>;

/// All that a chat check may look at.
#[derive(Debug)]
pub struct ChatContext<'a> {
    pub plan: ChatPlan<'a>,
    pub samples: Vec<Facts>,
    /// How many conversations were given.
    pub given: usize,
    pub probes: Arc<Probes>,
    /// Fixes are tried: where only the verdict is asked for, none is.
    pub tries_fixes: bool,
    given_samples: Vec<Conversation>,
    /// What of the records came through; `None` where their labels were not given.
    pub accounts: Option<Accounts>,
    /// Where the data has its conversations, which the code of a fix goes by.
    pub columns: Columns,
    /// The tokenizer with its files; `None` where samples are looked at one by one, which says nothing of files anew.
    pub tokenizer: Option<&'a Tokenizer>,
    /// What each other strategy makes of the samples; found out on first use.
    tried: OnceLock<Vec<(Strategy, Effects)>>,
}

impl<'a> ChatContext<'a> {
    /// Renders and masks everything.
    pub fn new(plan: ChatPlan<'a>, samples: &[ChatSample]) -> Self {
        let first = samples.get(..MOST).unwrap_or(samples);
        let facts = first.par_iter().map(|s| facts(&plan, s.index, &s.id, &s.sample)).collect();
        let given_samples = first.iter().map(|s| s.sample.clone()).collect();
        Self {
            samples: facts,
            given: samples.len(),
            probes: Arc::new(probes(&plan)),
            tries_fixes: true,
            given_samples,
            accounts: None,
            columns: Columns::Messages("messages"),
            tokenizer: None,
            tried: OnceLock::new(),
            plan,
        }
    }

    /// At most one sample, whose labels may be known, with the probes of its set-up. No fix is tried: the verdict alone is asked
    /// for.
    pub fn for_verdict(
        plan: ChatPlan<'a>,
        sample: Option<ChatSample>,
        known: Option<Masked>,
        probes: Arc<Probes>,
    ) -> Self {
        let labels = |sample: &Conversation| known.map_or_else(|| plan.label(sample), Ok);
        let facts =
            sample.as_ref().map(|s| facts_of_labels(&plan, s.index, &s.id, &s.sample, labels(&s.sample)));
        Self {
            samples: facts.into_iter().collect(),
            given: usize::from(sample.is_some()),
            probes,
            tries_fixes: false,
            given_samples: sample.into_iter().map(|s| s.sample).collect(),
            accounts: None,
            columns: Columns::Messages("messages"),
            tokenizer: None,
            tried: OnceLock::new(),
            plan,
        }
    }

    /// The same with the accounts of the records.
    pub fn with_accounts(self, accounts: Accounts) -> Self {
        Self { accounts: Some(accounts), ..self }
    }

    /// The same with the tokenizer, so that its files are held against each other.
    pub fn with_tokenizer(self, tokenizer: &'a Tokenizer) -> Self {
        Self { tokenizer: Some(tokenizer), ..self }
    }

    /// The same for data with other columns.
    pub fn with_columns(self, columns: Columns) -> Self {
        Self { columns, ..self }
    }

    /// A conversation that was rendered, by its index in the data.
    pub fn conversation(&self, index: usize) -> Option<&Conversation> {
        let at = self.samples.iter().position(|facts| facts.index == index)?;
        self.given_samples.get(at)
    }

    /// The samples for which something holds.
    pub fn that(&self, holds: impl Fn(&Facts) -> bool) -> Vec<&Facts> {
        self.samples.iter().filter(|facts| holds(facts)).collect()
    }

    /// The learned answers of all samples for which something holds.
    pub fn answers(&self, holds: impl Fn(&LabelledAnswer) -> bool) -> Vec<(&Facts, &LabelledAnswer)> {
        let all = self.samples.iter().flat_map(|facts| {
            facts
                .overlay
                .iter()
                .flat_map(move |overlay| overlay.answers.iter().map(move |answer| (facts, answer)))
        });
        all.filter(|(_, answer)| holds(answer)).collect()
    }

    /// The plain two rounds made on the spot.
    pub fn plain(&self) -> Option<&Facts> {
        self.probes.first().map(|(_, facts)| facts)
    }

    /// The turns of a sample, or of the plain probe, whichever renders first.
    pub fn any_turns(&self) -> Option<&Anatomy> {
        self.samples.iter().chain(self.plain()).find_map(|facts| facts.turns.as_ref().ok())
    }

    /// A token with its id, as evidence shows it.
    pub fn token(&self, id: TokenId) -> String {
        let text = self.plan.encoder.id_to_token(id).unwrap_or_default();
        format!("{text} ({id})")
    }

    /// The stop tokens as evidence shows them.
    pub fn stops(&self) -> String {
        match self.plan.stops {
            [] => "none".to_string(),
            stops => stops.iter().map(|id| self.token(*id)).collect::<Vec<_>>().join(", "),
        }
    }

    /// The first other strategy that makes most samples right, and some of `samples` (indices in the data) that are
    /// not; `None` where none is better than the present one.
    pub fn better_strategy(&self, samples: &[usize]) -> Option<Fix> {
        if !self.tries_fixes {
            return None;
        }
        let tried = self.tried.get_or_init(|| {
            let own = self.plan.strategy;
            let others = Strategy::ALL.into_iter().filter(|s| *s != own && s.last_only() == own.last_only());
            let others = others.filter(|s| *s != Strategy::Render);
            others.map(|strategy| (strategy, self.effects(ChatPlan { strategy, ..self.plan }))).collect()
        });
        let asked = |index: &usize| samples.is_empty() || samples.contains(index);
        let helps = |effects: &[(usize, ChangeEffect)]| {
            effects.iter().any(|(index, e)| asked(index) && e.repaired > 0)
        };
        let mut best: Option<(Strategy, ChangeEffect)> = None;
        for (strategy, effects) in tried.iter().filter(|(_, effects)| helps(effects)) {
            let effect = total(effects);
            if best.as_ref().is_none_or(|(_, best)| effect.remaining < best.remaining) {
                best = Some((*strategy, effect));
            }
        }
        let (strategy, effect) = best.filter(|(_, effect)| effect.repaired > effect.broken)?;
        let origin = strategy.origin();
        Some(Fix {
            code: format!("--preprocess {}   # {}: {}", origin.name, origin.source, origin.summary),
            summary: format!("strategy {}", origin.name),
            changes: vec![Change::Strategy(strategy)],
            effect: Some(effect),
        })
    }

    /// A change of the plan, kept where it repairs more than it breaks.
    pub fn tried(&self, plan: ChatPlan<'_>, change: Change, code: String) -> Option<Fix> {
        if !self.tries_fixes {
            return None;
        }
        let effect = total(&self.effects(plan));
        let fix = Fix { code, effect: Some(effect.clone()), ..Fix::new(vec![change]) };
        (effect.repaired > effect.broken).then_some(fix)
    }

    /// What each of the first samples comes to under another plan.
    fn effects(&self, plan: ChatPlan<'_>) -> Effects {
        let pairs: Vec<_> = self.samples.iter().zip(&self.given_samples).take(TRIED).collect();
        pairs
            .par_iter()
            .filter_map(|(facts, sample)| {
                let turns = facts.turns.as_ref().ok()?;
                let (before, supervised_before) = label_verdict(turns, &facts.masked, self.plan.stops);
                let (after, supervised_after) = label_verdict(turns, &plan.label(sample), plan.stops);
                let effect = ChangeEffect {
                    tried: 1,
                    repaired: usize::from(!before && after),
                    broken: usize::from(before && !after),
                    dropped: 0,
                    remaining: usize::from(!after),
                    supervised_before,
                    supervised_after,
                };
                Some((facts.index, effect))
            })
            .collect()
    }
}

fn total(effects: &[(usize, ChangeEffect)]) -> ChangeEffect {
    effects.iter().fold(ChangeEffect::default(), |sum, (_, effect)| sum.plus(effect.clone()))
}

/// True where all learned answers begin and end as generation does; and how many tokens are learned.
fn label_verdict(turns: &Anatomy, masked: &Result<Masked, MaskError>, stops: &[TokenId]) -> (bool, usize) {
    let Ok(masked) = masked else { return (false, 0) };
    let right = LabelOverlay::new(turns, masked, stops).is_some_and(|overlay| overlay.is_right());
    (right, supervised(masked))
}

/// Learned tokens.
pub fn supervised(masked: &Masked) -> usize {
    masked.spans().iter().map(|span| span.len()).sum()
}

fn facts(plan: &ChatPlan<'_>, index: usize, id: &str, sample: &Conversation) -> Facts {
    facts_of_labels(plan, index, id, sample, plan.label(sample))
}

fn facts_of_labels(
    plan: &ChatPlan<'_>,
    index: usize,
    id: &str,
    sample: &Conversation,
    masked: Result<Masked, MaskError>,
) -> Facts {
    let chat = plan.method.chat(plan.encoder, sample);
    let turns = chat.and_then(|chat| Anatomy::measure_within(&chat, sample, MOST_RENDERED));
    let overlay = match (&turns, &masked) {
        (Ok(turns), Ok(masked)) => LabelOverlay::new(turns, masked, plan.stops),
        _ => None,
    };
    let reaches_cap = |masked: &Masked| plan.max_length.is_some_and(|max| masked.input_ids.len() >= max);
    let uncut = masked
        .as_ref()
        .ok()
        .filter(|masked| reaches_cap(masked))
        .and_then(|_| ChatPlan { max_length: None, ..*plan }.label(sample).ok());
    let has_answer = sample.messages.iter().any(says_something);
    Facts { index, id: id.to_string(), has_answer, turns, masked, overlay, uncut }
}

fn says_something(message: &Value) -> bool {
    let content = match message.get("content") {
        Some(Value::String(text)) => !text.trim().is_empty(),
        Some(Value::Array(parts)) => !parts.is_empty(),
        _ => false,
    };
    message.get("role").and_then(Value::as_str) == Some("assistant")
        && (content || message.get("tool_calls").is_some_and(|calls| !calls.is_null()))
}

fn facts_of_head(plan: &ChatPlan<'_>, head: &str) -> Facts {
    let two_rounds = |structured: bool| {
        let content = |text: &str| match structured {
            true => json!([{"type": "text", "text": text}]),
            false => json!(text),
        };
        let messages = vec![
            json!({"role": "user", "content": content("What is in the picture?")}),
            json!({"role": "assistant", "content": content(head)}),
            json!({"role": "user", "content": content("And now?")}),
            json!({"role": "assistant", "content": content(head)}),
        ];
        facts(plan, 0, "two rounds made on the spot", &Conversation { messages, ..Conversation::default() })
    };
    let plain = two_rounds(false);
    if plain.turns.is_ok() { plain } else { two_rounds(true) }
}
