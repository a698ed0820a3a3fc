//! What the rows come to, check by check.

use super::look::RowHit;
use super::outcome::DumpOutcome;
use super::tally::{DumpChecks, MOST_NAMED, RowList};
use crate::diagnose::Verdict;
use crate::dumps::convention::{Convention, LabelForm};
use crate::dumps::token_facts::TokenFacts;

/// Fewer rows have no usual share.
const FEWEST_ROWS: usize = 20;
/// A share is far off where its odds differ by this factor at least from the usual ones, and by more than rows differ anyway.
const FAR: f32 = 20.0;
/// How many times the usual spread of the odds a share may lie off.
const SPREADS: f32 = 6.0;

impl DumpChecks {
    fn list(&self, hit: RowHit) -> &RowList {
        static NONE: RowList = RowList { named: Vec::new(), count: 0 };
        self.hits.get(hit.index()).unwrap_or(&NONE)
    }

    /// A finding where rows have a fault.
    fn rows_with(&self, hit: RowHit, verdict: Verdict, cause: &str) -> DumpOutcome {
        let list = self.list(hit);
        if list.count == 0 {
            return DumpOutcome::ok();
        }
        let first = self.first.get(hit.index()).cloned().flatten().unwrap_or_default();
        let outcome = DumpOutcome::found(verdict, &list.named, cause);
        outcome.evidence("rows", format!("{} of {}", list.count, self.rows)).evidence("first", first)
    }

    /// The reason to skip what needs labels.
    fn unlabelled(&self) -> Option<DumpOutcome> {
        (!self.labelled).then(|| DumpOutcome::skipped("the file has neither labels nor a mask"))
    }
}

pub(super) fn off_by_one(checks: &DumpChecks, convention: &Convention, _: &TokenFacts) -> DumpOutcome {
    let cause = match convention.labels {
        LabelForm::Late => {
            "each label equals the id before its place: the labels were shifted the wrong way, and a model learns to repeat its input"
        }
        _ => {
            "labels of these rows stand one place off from those of the other rows: a trainer shifts all rows alike, so that each token \
             of these predicts the wrong one"
        }
    };
    let outcome = checks.rows_with(RowHit::OffByOne, Verdict::Error, cause);
    match (convention.labels, checks.unlabelled()) {
        (_, Some(skipped)) => skipped,
        (LabelForm::Unrelated, _) => DumpOutcome::found(
            Verdict::Warn,
            &[],
            "most labels are no ids of their row: neither at their place, nor behind, nor before",
        ),
        _ => outcome,
    }
}

pub(super) fn nothing_supervised(checks: &DumpChecks, _: &Convention, _: &TokenFacts) -> DumpOutcome {
    let cause = "the loss sees no token of these rows: they cost time and teach nothing";
    let outcome = checks.rows_with(RowHit::NothingSupervised, Verdict::Error, cause);
    checks.unlabelled().unwrap_or(outcome)
}

pub(super) fn eos(checks: &DumpChecks, _: &Convention, facts: &TokenFacts) -> DumpOutcome {
    if let Some(skipped) = checks.unlabelled() {
        return skipped;
    }
    if facts.ends.is_empty() {
        return DumpOutcome::skipped("the tokenizer has no eos");
    }
    let RowList { named, count } = &checks.open;
    if *count == 0 {
        return DumpOutcome::ok();
    }
    let ends: Vec<String> = facts.ends.iter().map(i64::to_string).collect();
    let (verdict, cause) = match checks.closed {
        0 => (
            Verdict::Error,
            "the token that ends an answer stands behind each supervised answer and is masked: the model never learns to stop",
        ),
        _ => (
            Verdict::Warn,
            "the token that ends an answer is supervised in other rows and masked in these: the model learns to stop in some cases only",
        ),
    };
    DumpOutcome::found(verdict, named, cause)
        .evidence("rows", format!("{count} of {}; in {} an end is supervised", checks.rows, checks.closed))
        .evidence("ids that end an answer", ends.join(", "))
}

pub(super) fn pad_supervised(checks: &DumpChecks, _: &Convention, _: &TokenFacts) -> DumpOutcome {
    let cause = "the loss counts tokens that only fill rows up: the model learns to write padding";
    checks.unlabelled().unwrap_or(checks.rows_with(RowHit::PadSupervised, Verdict::Error, cause))
}

pub(super) fn media_supervised(checks: &DumpChecks, _: &Convention, _: &TokenFacts) -> DumpOutcome {
    let cause =
        "tokens that stand for an image, a video or a sound are labels: there is nothing to predict in them";
    checks.unlabelled().unwrap_or(checks.rows_with(RowHit::MediaSupervised, Verdict::Error, cause))
}

pub(super) fn crosses_documents(checks: &DumpChecks, _: &Convention, _: &TokenFacts) -> DumpOutcome {
    let cause = "the first token of a packed document has a label, which the last token of the document before has to predict; \
                 DataCollatorWithFlattening gives it −100";
    checks.unlabelled().unwrap_or(checks.rows_with(RowHit::CrossesDocuments, Verdict::Warn, cause))
}

pub(super) fn positions(checks: &DumpChecks, _: &Convention, _: &TokenFacts) -> DumpOutcome {
    if !checks.has_positions {
        return DumpOutcome::skipped("the file has no position_ids");
    }
    let cause = "position_ids go on where another document begins: attention reaches into the document before, and positions are those \
                 of one long text";
    checks.rows_with(RowHit::PositionsNotReset, Verdict::Warn, cause)
}

pub(super) fn attention(checks: &DumpChecks, _: &Convention, _: &TokenFacts) -> DumpOutcome {
    if !checks.has_attention {
        return DumpOutcome::skipped("the file has no attention_mask");
    }
    let cause = "attention_mask shows padding to the model, or hides a token that the loss counts";
    checks.rows_with(RowHit::AttentionOverPad, Verdict::Warn, cause)
}

pub(super) fn vocabulary(checks: &DumpChecks, _: &Convention, facts: &TokenFacts) -> DumpOutcome {
    if !facts.has_vocabulary() {
        return DumpOutcome::skipped("there is no tokenizer");
    }
    let cause = "ids that this tokenizer has no token for: the rows were made with another one, or the ids were damaged";
    checks.rows_with(RowHit::BeyondVocabulary, Verdict::Error, cause)
}

pub(super) fn truncated(checks: &DumpChecks, _: &Convention, facts: &TokenFacts) -> DumpOutcome {
    if let Some(skipped) = checks.unlabelled() {
        return skipped;
    }
    if facts.ends.is_empty() {
        return DumpOutcome::skipped("the tokenizer has no eos");
    }
    let RowList { named, count } = &checks.unclosed;
    match (count, checks.closed) {
        (0, _) => DumpOutcome::ok(),
        (count, 0) => DumpOutcome::found(
            Verdict::Warn,
            named,
            "no answer of this file ends with a token that ends one: all are cut, or the template writes none, and the model never learns to stop",
        )
        .evidence("rows", format!("{count} of {}", checks.rows)),
        (count, closed) => DumpOutcome::found(
            Verdict::Warn,
            named,
            "the last answer of these rows has no end: it was cut, and the model learns to go on where it should stop",
        )
        .evidence("rows", format!("{count} of {}; {closed} end as answers do", checks.rows)),
    }
}

pub(super) fn duplicates(checks: &DumpChecks, _: &Convention, _: &TokenFacts) -> DumpOutcome {
    let RowList { named, count } = &checks.repeated;
    match count {
        0 => DumpOutcome::ok(),
        count => DumpOutcome::found(
            Verdict::Note,
            named,
            "these rows have the ids and labels of an earlier one: they count twice",
        )
        .evidence("rows", format!("{count} of {}", checks.rows)),
    }
}

pub(super) fn share(checks: &DumpChecks, _: &Convention, _: &TokenFacts) -> DumpOutcome {
    if let Some(skipped) = checks.unlabelled() {
        return skipped;
    }
    if checks.shares.len() < FEWEST_ROWS {
        return DumpOutcome::skipped("too few rows to tell what share is usual");
    }
    // Shares are compared by their odds: from 1 % to 2 % is as far as from 98 % to 99 %.
    let odds = |share: f32| {
        let share = share.clamp(0.000_1, 0.999_9);
        (share / (1.0 - share)).ln()
    };
    let mut all: Vec<f32> = checks.shares.iter().map(|(_, share)| odds(*share)).collect();
    let usual = median(&mut all);
    let mut spread: Vec<f32> = all.iter().map(|odds| (odds - usual).abs()).collect();
    let limit = (SPREADS * median(&mut spread)).max(FAR.ln());
    let far = checks.shares.iter().filter(|(_, share)| (odds(*share) - usual).abs() > limit);
    let far: Vec<(usize, f32)> = far.copied().collect();
    let Some((row, share)) = far.first() else { return DumpOutcome::ok() };
    let rows: Vec<usize> = far.iter().take(MOST_NAMED).map(|(row, _)| *row).collect();
    let percent = |share: f32| format!("{:.2} %", 100.0 * share);
    let usual = 1.0 / (1.0 + (-usual).exp());
    let cause = "far more or far fewer tokens of these rows are supervised than of the others";
    DumpOutcome::found(Verdict::Note, &rows, cause)
        .evidence("rows", format!("{} of {}", far.len(), checks.rows))
        .evidence("usual share", percent(usual))
        .evidence("first", format!("row {row}: {}", percent(*share)))
}

/// The middle of some numbers; they are put into order.
fn median(values: &mut [f32]) -> f32 {
    values.sort_by(f32::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

pub(super) fn unfitting(checks: &DumpChecks, _: &Convention, _: &TokenFacts) -> DumpOutcome {
    let cause = "labels, masks or positions of these rows are not as many as their ids";
    checks.rows_with(RowHit::Unfitting, Verdict::Error, cause)
}

pub(super) fn routes(checks: &DumpChecks, _: &Convention, _: &TokenFacts) -> DumpOutcome {
    let routes = &checks.routes;
    if routes.rows == 0 {
        return DumpOutcome::skipped("the file has no routes of experts");
    }
    if routes.faults() == 0 {
        return DumpOutcome::ok();
    }
    let first: Vec<usize> = routes.first.into_iter().collect();
    let cause =
        "a trainer that replays these routes sends tokens to other experts than the server did, or to none";
    DumpOutcome::found(Verdict::Error, &first, cause)
        .evidence("choices that are −1", routes.missing.to_string())
        .evidence("tokens of a layer with an expert twice", routes.duplicates.to_string())
        .evidence("choices that are no expert", routes.out_of_range.to_string())
        .evidence("rows of another length than their ids", routes.unfitting.to_string())
}
