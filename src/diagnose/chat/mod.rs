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

use super::delta_fit::DeltaFits;
use super::finding::DoctorReport;
use crate::chat::Sample;
use crate::labels::Inspection;
use crate::setup::{Setup, stop_tokens};
use context::{Accounts, ChatContext};

/// Every chat check on the samples of a set-up that are conversations, with their labels; an empty report for a LLaVA
/// template.
pub fn diagnose_setup(setup: &Setup, samples: &[Sample], inspections: &[Inspection]) -> DoctorReport {
    let Some(method) = setup.chat() else { return DoctorReport::default() };
    let stops = stop_tokens(&setup.tokenizer);
    let plan = ChatPlan {
        method,
        encoder: &*setup.tokenizer,
        strategy: method.strategy,
        max_length: method.settings.max_length,
        stops: &stops.ids,
        knows_generation_config: stops.configured,
    };
    let conversations = samples.iter().enumerate().filter_map(|(index, sample)| {
        let sample_of = method.with_kwargs(sample.conversation()?.into_owned());
        Some(ChatSample { index, id: sample.id.clone(), sample: sample_of })
    });
    let context = ChatContext::new(plan, &conversations.collect::<Vec<_>>());
    // Without every label there is no account, and no check may say that all is well.
    if inspections.len() < samples.len() {
        return report(&context);
    }
    report(&context.with_accounts(Accounts::of(setup, samples, inspections)))
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
            "generation_config.json: there is none beside the tokenizer, so only eos stops generation"
                .to_string(),
        );
    }
    if context.samples.len() < context.given {
        let (looked, given) = (context.samples.len(), context.given);
        list.push(format!("{} of {given} samples: only the first {looked} were rendered", given - looked));
    }
    if context.samples.is_empty() {
        list.push("data: there are no conversations, only those made on the spot".to_string());
    }
    list
}
