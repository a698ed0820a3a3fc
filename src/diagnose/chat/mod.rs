//! The doctor for chat templates: one conversation rendered, masked by a trainer's strategy, and laid under the
//! generation prompt.
//!
//! ```text
//! ChatPlan ── template, tokenizer, strategy, cap, stop tokens
//!    │
//! context ── every sample: turns, labels, overlay; the same for conversations made on the spot
//!    │
//! checks ── one finding each; a fix is another strategy, cap or eos that was tried on the samples
//! ```

mod checks;
mod context;
mod remedy;

pub use checks::{CHAT_CHECKS, ChatCheck};
pub use context::{ChatPlan, ChatSample};

use std::sync::Arc;

use super::delta_fit::DeltaFits;
use super::finding::{DoctorReport, Finding};
use crate::chat::{Body, Sample};
use crate::labels::Inspection;
use crate::masks::{MaskError, Masked, Method};
use crate::setup::{Setup, StopTokens, stop_tokens};
use crate::tokenizer::TokenId;
use context::{Accounts, ChatContext, Probes, probes};

/// Every chat check on the samples of a set-up that are conversations, with their labels; an empty report for a LLaVA
/// template.
pub fn diagnose_setup(setup: &Setup, samples: &[Sample], inspections: &[Inspection]) -> DoctorReport {
    let Some(method) = setup.chat() else { return DoctorReport::default() };
    let stops = stop_tokens(&setup.tokenizer);
    let conversations =
        samples.iter().enumerate().filter_map(|(index, sample)| chat_sample(method, index, sample));
    let columns = samples.iter().find(|sample| sample.conversation().is_some()).map(|sample| sample.columns);
    let context = ChatContext::new(plan_of(setup, method, &stops), &conversations.collect::<Vec<_>>());
    let context = context.with_columns(columns.unwrap_or_default()).with_tokenizer(&setup.tokenizer);
    // Without every label there is no account, and no check may say that all is well.
    if inspections.len() < samples.len() {
        return report(&context);
    }
    report(&context.with_accounts(Accounts::of(setup, samples, inspections)))
}

fn plan_of<'a>(setup: &'a Setup, method: &'a Method, stops: &'a StopTokens) -> ChatPlan<'a> {
    ChatPlan {
        method,
        encoder: &*setup.tokenizer,
        strategy: method.strategy,
        max_length: method.settings.max_length,
        stops: &stops.ids,
        knows_generation_config: stops.configured,
    }
}

fn chat_sample(method: &Method, index: usize, sample: &Sample) -> Option<ChatSample> {
    let conversation = method.with_kwargs(sample.conversation()?.into_owned());
    Some(ChatSample { index, id: sample.id.clone(), sample: conversation })
}

/// A set-up with a chat template, measured once, under which samples are looked at one by one.
#[derive(Debug)]
pub struct ChatMeasurements {
    setup: Setup,
    stops: StopTokens,
    probes: Arc<Probes>,
}

impl ChatMeasurements {
    /// Measures what depends on no sample.
    pub fn new(setup: Setup) -> Self {
        let stops = stop_tokens(&setup.tokenizer);
        let probes = setup.chat().map(|method| probes(&plan_of(&setup, method, &stops))).unwrap_or_default();
        Self { stops, probes: Arc::new(probes), setup }
    }

    /// The findings of one sample, without fixes; `inspection` is its label under the set-up.
    pub fn findings(&self, sample: &Sample, inspection: &Inspection) -> Vec<Finding> {
        let Some(method) = self.setup.chat() else { return Vec::new() };
        let accounts =
            Accounts::of(&self.setup, std::slice::from_ref(sample), std::slice::from_ref(inspection));
        let plan = plan_of(&self.setup, method, &self.stops);
        let known = known_labels(method, sample, inspection);
        let context =
            ChatContext::for_verdict(plan, chat_sample(method, 0, sample), known, self.probes.clone());
        let context = context.with_accounts(accounts);
        CHAT_CHECKS.iter().map(|check| check.run(&context)).collect()
    }
}

/// The labels of an inspection, where they are those that the strategy gives the conversation: a record that brings labels of its
/// own, a pair of prompt and completion and the row of a trainer's own path are labelled in another way.
fn known_labels(method: &Method, sample: &Sample, inspection: &Inspection) -> Option<Masked> {
    let is_plain = matches!(sample.body, Body::Messages(_))
        && method.strategy.trainer().is_none()
        && inspection.preprocess == method.strategy.name();
    let labelled = inspection.result.as_ref().ok().filter(|_| is_plain)?;
    let ids: Option<Vec<TokenId>> = labelled.input_ids.iter().map(|id| TokenId::try_from(*id).ok()).collect();
    Some(Masked {
        input_ids: ids?,
        labels: labelled.labels.clone(),
        notes: labelled.notes.clone(),
        source: None,
    })
}

fn report(context: &ChatContext<'_>) -> DoctorReport {
    let findings = CHAT_CHECKS.iter().map(|check| check.run(context)).collect();
    DoctorReport {
        findings,
        delta_fits: DeltaFits::default(),
        by_state: Default::default(),
        not_checked: not_checked(context),
    }
}

/// What no check looks at, in sentences.
fn not_checked(context: &ChatContext<'_>) -> Vec<String> {
    let mut list = vec![
        "the trainer's own set-up: the strategy stands for its release named in the list of strategies"
            .to_string(),
        "images: the files are not opened, and a placeholder counts as what the template writes".to_string(),
    ];
    if !context.plan.knows_generation_config {
        list.push(
            "generation_config.json: there is none beside the tokenizer, so generation stops at the eos of tokenizer and config.json only"
                .to_string(),
        );
    }
    if context.samples.len() < context.given {
        let (looked, given) = (context.samples.len(), context.given);
        list.push(format!("{} of {given} samples: only the first {looked} were rendered", given - looked));
    }
    let unmeasured = context.that(|facts| matches!(facts.turns, Err(MaskError::Unfit(_)))).len();
    if unmeasured > 0 {
        list.push(format!("{unmeasured} samples: where their turns begin is not measured, as they cannot be rendered up to each"));
    }
    if context.samples.is_empty() {
        list.push("data: there are no conversations, only those made on the spot".to_string());
    }
    list
}
