//! The tokens of a sample with what the loss makes of each, as glyphs: for pages and pictures, and for a scan's examples.

use super::glyphs::token_glyphs;
use crate::labels::{IGNORE_INDEX, Inspection, Labelled};
use crate::scan::{Look, Mask, Stretch};
use crate::setup::Setup;

/// Tokens of an example that are shown: as many from the beginning as from the end.
const SHOWN: usize = 400;

/// What the loss makes of token `index`.
pub fn look_at(labelled: &Labelled, index: usize) -> Look {
    match (labelled.labels_before_check.get(index), labelled.mismatch) {
        (Some(&IGNORE_INDEX) | None, _) => Look::Masked,
        (Some(_), true) => Look::Lost,
        (Some(_), false) => Look::Learned,
    }
}

/// State and lengths in a sentence, or what the training code raises.
pub fn state_text(inspection: &Inspection) -> String {
    let labelled = match &inspection.result {
        Ok(labelled) => labelled,
        Err(error) => return format!("✗ {}: {}", error.kind, error.message),
    };
    let supervised = format!("{} of {} tokens supervised", labelled.supervised(), labelled.labels.len());
    match (labelled.cur_len, labelled.total_len) {
        (Some(cur), Some(total)) if labelled.mismatch => {
            format!("✗ cur_len {cur} ≠ total_len {total}: all labels are −100")
        }
        (Some(cur), Some(total)) if cur == total => {
            format!("✓ cur_len {cur} = total_len {total} · {supervised}")
        }
        (Some(cur), Some(total)) => format!("! not checked: cur_len {cur}, total_len {total} · {supervised}"),
        _ if labelled.supervised() == 0 => format!("! no length check · {supervised}"),
        _ => format!("✓ no length check · {supervised}"),
    }
}

/// The mask of an example; of a long one the middle is left out.
pub fn example_mask(setup: &Setup, inspection: &Inspection) -> Mask {
    let summary = state_text(inspection);
    let Ok(labelled) = &inspection.result else {
        return Mask { summary, stretches: Vec::new(), left_out: 0 };
    };
    let all = labelled.input_ids.len();
    let left_out = all.saturating_sub(SHOWN);
    let shown = |at: &usize| left_out == 0 || *at < SHOWN / 2 || *at >= all - SHOWN / 2;
    let mut stretches: Vec<Stretch> = Vec::new();
    for (at, id) in labelled.input_ids.iter().enumerate().filter(|(at, _)| shown(at)) {
        let (look, token) = (look_at(labelled, at), token_glyphs(&setup.tokenizer, *id));
        let breaks = left_out > 0 && at == all - SHOWN / 2;
        match stretches.last_mut() {
            Some(last) if last.look == look && !breaks => last.tokens.push(token),
            _ => stretches.push(Stretch { look, tokens: vec![token] }),
        }
    }
    Mask { summary, stretches, left_out: u64::try_from(left_out).unwrap_or(u64::MAX) }
}
