//! The tokens of a sample with what the loss makes of each, as glyphs: for pages and pictures, and for a scan's examples.

use crate::labels::{Inspection, StatusKind};
use crate::scan::{Mask, MaskStretch};
use crate::setup::Setup;

use super::glyphs::token_glyphs;

/// Tokens of an example that are shown: as many from the beginning as from the end.
const SHOWN: usize = 400;

/// Status and lengths in a sentence, or what the training code raises.
pub fn status_text(inspection: &Inspection) -> String {
    let status = inspection.status();
    let line = status.line();
    let lengths = inspection.result.as_ref().ok().and_then(|l| Some((l.cur_len?, l.total_len?)));
    let text = match (status.kind(), lengths) {
        (StatusKind::Mismatch | StatusKind::Raises, _) => line,
        (_, Some((cur, total))) if cur == total => format!("cur_len {cur} = total_len {total} · {line}"),
        (_, Some((cur, total))) => format!("cur_len {cur}, total_len {total}, not compared · {line}"),
        (_, None) => line,
    };
    format!("{} {text}", status.kind().symbol())
}

/// The mask of an example; of a long one the middle is left out.
pub fn example_mask(setup: &Setup, inspection: &Inspection) -> Mask {
    let summary = status_text(inspection);
    let Ok(labelled) = &inspection.result else {
        return Mask { summary, stretches: Vec::new(), left_out: 0 };
    };
    let all = labelled.input_ids.len();
    let left_out = all.saturating_sub(SHOWN);
    let shown = |at: &usize| left_out == 0 || *at < SHOWN / 2 || *at >= all - SHOWN / 2;
    let mut stretches: Vec<MaskStretch> = Vec::new();
    for (at, id) in labelled.input_ids.iter().enumerate().filter(|(at, _)| shown(at)) {
        let Some(label) = labelled.token_label(at) else { continue };
        let token = token_glyphs(&setup.tokenizer, *id);
        let breaks = left_out > 0 && at == all - SHOWN / 2;
        match stretches.last_mut() {
            Some(last) if last.label == label && !breaks => last.tokens.push(token),
            _ => stretches.push(MaskStretch { label, tokens: vec![token] }),
        }
    }
    Mask { summary, stretches, left_out: u64::try_from(left_out).unwrap_or(u64::MAX) }
}
