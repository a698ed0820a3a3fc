//! Images, videos and audio without a place in the text, and places that are learned.

use super::check::ChatCheck;
use crate::diagnose::accounting::MediaAccount;
use crate::diagnose::change::Change;
use crate::diagnose::chat::context::{AccountedRecord, ChatContext};
use crate::diagnose::checks::CheckOutcome;
use crate::diagnose::data_fix::{DataFix, program};
use crate::diagnose::effect::ChangeEffect;
use crate::diagnose::finding::Verdict;
use crate::diagnose::fix::Fix;

pub const CHECK: ChatCheck =
    ChatCheck { id: "MSK055", title: "images and their places in the text differ", run };

/// Records that are named.
const LISTED: usize = 6;

fn run(context: &ChatContext<'_>) -> CheckOutcome {
    let Some(accounts) = &context.accounts else {
        return CheckOutcome::skipped("the labels of the samples were not given");
    };
    let found: Vec<&AccountedRecord> =
        accounts.records.iter().filter(|record| !record.account.media.is_empty()).collect();
    if found.is_empty() {
        return CheckOutcome::ok();
    }
    let marks = {
        let reads = context.plan.method.reads(context.plan.encoder);
        let marks = |media: &MediaAccount| reads.places_of(media.kind).join(", ");
        let first = found.iter().flat_map(|record| &record.account.media).next();
        first.map(marks).filter(|marks| !marks.is_empty())
    };
    let cause = "a processor puts the features of each file in the place that the template wrote for it: a file without \
                 a place is dropped or raises, a place without a file raises, and a place in an answer is learned";
    let mut outcome = CheckOutcome::found(
        Verdict::Warn,
        found.iter().map(|record| record.index).collect(),
        cause.to_string(),
    )
    .evidence("a place is written as", marks.unwrap_or_else(|| "nothing: the template has none".into()))
    .evidence("records", format!("{} of {}", found.len(), accounts.looked));
    for record in found.iter().take(LISTED) {
        let problems: Vec<String> = record.account.media.iter().filter_map(MediaAccount::problem).collect();
        outcome = outcome.evidence(&record.id, problems.join("; "));
    }
    let fix = DataFix::FOR_MEDIA
        .into_iter()
        .filter_map(|fix| tried(context, &found, fix))
        .max_by_key(|fix| fix.effect.as_ref().map_or(0, |effect| effect.repaired));
    outcome.with_fix(fix)
}

/// A change of the data where it gives places to as many as there are files.
fn tried(context: &ChatContext<'_>, found: &[&AccountedRecord], fix: DataFix) -> Option<Fix> {
    if !context.tries_fixes {
        return None;
    }
    let plan = &context.plan;
    let reads = plan.method.reads(plan.encoder);
    let mut effect = ChangeEffect { tried: found.len(), ..ChangeEffect::default() };
    for record in found {
        let places = |media: &MediaAccount| {
            let changed = fix.apply(&record.conversation)?;
            let masked = plan.label(&changed).ok()?;
            let (text, _) = plan.method.text_of_labels(plan.encoder, &changed, &masked);
            Some(reads.places_of(media.kind).iter().map(|mark| text.matches(mark).count()).sum::<usize>())
        };
        let right = record.account.media.iter().all(|media| places(media) == Some(media.wanted()));
        effect.repaired += usize::from(right);
    }
    effect.remaining = effect.tried - effect.repaired;
    (effect.repaired > 0).then(|| Fix {
        code: program(std::slice::from_ref(&fix), context.columns),
        effect: Some(effect),
        ..Fix::new(vec![Change::Data(fix.clone())])
    })
}
