//! The doctor: why samples are lost or masked wrongly, shown with evidence, and a fix that was tried first.
//!
//! ```text
//! LlavaSetup ── what labels a sample, open to change    delta_fit, data_delta_fit, alignment ── the measured difference
//!   │                                                      │
//! context ── labels taken apart: layout, terms, cause ─────┤
//!   │                                                      │
//! checks ── one finding each ── fix, what_if, search ── onboard ── patch (Python)      sarif
//! ```
//!
//! Everything here is plain data and pure functions of a [`Setup`] and samples. Texts in findings come from
//! the data as they are; whoever shows them makes them safe.

mod accounting;
mod alignment;
mod alternative_load;
mod arithmetic;
mod attribution;
mod cause;
mod change;
mod chat;
mod checks;
mod code;
mod compare;
mod content;
mod context;
mod data_delta_fit;
mod data_fix;
mod delta_fit;
mod delta_terms;
mod effect;
mod finding;
mod fix;
mod folder;
mod layout;
mod line_fix;
mod linear_fit;
mod onboard;
mod patch;
mod probe;
mod sarif;
mod search;
mod setup_fix;
mod special;
mod tokens;
mod what_if;

pub use accounting::{
    Account, Fate, FoundPart, IgnoredFlag, LedgerEntry, MediaAccount, PartKind, RecordAccount, Weight,
};
pub use alignment::{
    AlignedToken, Difference, DifferenceKind, Pair, PairedRound, RoundAlignment, align, align_tokens,
    alignment_line,
};
pub use alternative_load::AlternativeLoad;
pub use arithmetic::Arithmetic;
pub use attribution::{Attribution, RuleHit};
pub use cause::id;
pub use change::Change;
pub use chat::{CHAT_CHECKS, ChatCheck, ChatPlan, ChatSample};
pub use checks::{CHECKS, Check};
pub use compare::{CompareTotals, Differs, SetupComparison, Stretch, StretchSide, share_vocabulary};
pub use context::causes_of;
pub use data_delta_fit::{DataDeltaFit, Differences};
pub use data_fix::DataFix;
pub use delta_fit::{DeltaFit, DeltaFits, MAX_ROUNDS, conversation, conversations};
pub use delta_terms::DeltaTerms;
pub use effect::ChangeEffect;
pub use finding::{DoctorReport, Evidence, Finding, Verdict};
pub use fix::Fix;
pub use layout::{MaskCheck, check_mask, tokens_before, turns};
pub use line_fix::{LineFix, line_fix};
pub use linear_fit::LinearFit;
pub use onboard::{
    Onboarding, TokenProposal, TokenizerKind, kind_of, llava_setup, onboard, proposal_tokens, token_changes,
};
pub use patch::{
    Patch, RepositoryPatch, RepositoryPatchRequest, patch, pins_are_supervised, python_string,
    repository_patch, write_diff, write_patch,
};
pub use probe::Probe;
pub use sarif::sarif;
pub use search::{Search, counting_fix, fix_search, quick_fix};
pub use setup_fix::setup_fix;
pub use special::{ListedToken, SeparatorTruth, TokenNote, TokenReport, TokenVerdict, token_report};
pub use tokens::{Reserved, Spare, reserved_tokens, spare_tokens};
pub use what_if::{LabelVerdict, label_verdict, what_if};

use crate::chat::Sample;
use crate::labels::{Inspection, StatusCounts};
use crate::setup::{LlavaSetup, Setup};
use context::{Context, SetupMeasurements};

/// Every check on samples and their labels under a set-up (`inspections[i]` is the label of `samples[i]`).
pub fn diagnose(setup: &Setup, samples: &[Sample], inspections: &[Inspection]) -> DoctorReport {
    diagnose_with(setup, samples, inspections, &[])
}

/// The same, with the same files loaded in other ways to compare with.
pub fn diagnose_with(
    setup: &Setup,
    samples: &[Sample],
    inspections: &[Inspection],
    alternative_loads: &[AlternativeLoad],
) -> DoctorReport {
    match setup.to_llava() {
        Some(llava) => diagnose_llava(llava, samples, inspections, alternative_loads),
        None => DoctorReport {
            by_state: StatusCounts::of(inspections),
            ..chat::diagnose_setup(setup, samples, inspections)
        },
    }
}

/// The same for a set-up that has a LLaVA template.
pub fn diagnose_llava(
    setup: LlavaSetup,
    samples: &[Sample],
    inspections: &[Inspection],
    alternative_loads: &[AlternativeLoad],
) -> DoctorReport {
    let measurements = SetupMeasurements::new(setup);
    let context = Context::new(&measurements, samples, inspections, alternative_loads);
    let findings = CHECKS.iter().map(|check| check.run(&context)).collect();
    DoctorReport {
        findings,
        delta_fits: context.delta_fits.clone(),
        by_state: StatusCounts::of(inspections),
        not_checked: not_checked(&context),
    }
}

/// What no check looks at, in sentences.
fn not_checked(context: &Context<'_>) -> Vec<String> {
    let mut list = vec![
        "generation_config.json: only the tokenizer's eos is held against the separator".to_string(),
        "image files: only their number is compared, none is opened".to_string(),
        "chat templates and their masks: this run used a LLaVA template".to_string(),
    ];
    if context.setup.tokenizer.embedding_rows.is_none() {
        list.push("the model's embedding rows: there is no config.json beside the tokenizer".to_string());
    }
    if !context.counts() {
        list.push(format!("lengths: the rule {} does not compare any", context.setup.labelling.rule.name()));
    }
    if context.samples.is_empty() {
        list.push("data: there are no samples, only conversations made on the spot".to_string());
    }
    list
}
