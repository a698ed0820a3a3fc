//! Contexts as tokens (`_encode_context_list`, `_add_dynamic_eos`, `_truncate`).

use super::format::SwiftContext;
use super::template::SwiftTemplate;
use super::truncation::SwiftTruncation;
use crate::masks::MaskError;
use crate::masks::trainers::TrainingSequence;
use crate::tokenizer::TokenId;

/// Tokens with their weights.
#[derive(Debug, Clone, Default)]
pub struct SwiftEncoded {
    ids: Vec<TokenId>,
    targets: Vec<bool>,
    weights: Option<Vec<f64>>,
}

/// The ids of the format's suffix.
pub(super) fn suffix_ids(template: &SwiftTemplate) -> Result<Vec<TokenId>, MaskError> {
    let mut ids = Vec::new();
    for context in &template.format.suffix {
        ids.extend(ids_of(template, context)?);
    }
    Ok(ids)
}

fn ids_of(template: &SwiftTemplate, context: &SwiftContext) -> Result<Vec<TokenId>, MaskError> {
    match context {
        SwiftContext::Text(text) => template.resources.ids(text),
        SwiftContext::Ids(ids) => Ok(ids.clone()),
    }
}

/// Texts next to each other that weigh the same are one text.
fn joined(contexts: Vec<(SwiftContext, f64)>) -> Vec<(SwiftContext, f64)> {
    let mut out = Vec::new();
    let (mut text, mut weight) = (String::new(), 0.0);
    for (context, of_context) in contexts {
        match context {
            SwiftContext::Text(piece) if piece.is_empty() => {}
            SwiftContext::Text(piece) => {
                if of_context != weight && !text.is_empty() {
                    out.push((SwiftContext::Text(std::mem::take(&mut text)), weight));
                }
                weight = of_context;
                text.push_str(&piece);
            }
            ids @ SwiftContext::Ids(_) => {
                if !text.is_empty() {
                    out.push((SwiftContext::Text(std::mem::take(&mut text)), weight));
                }
                out.push((ids, of_context));
                weight = of_context;
            }
        }
    }
    if !text.is_empty() {
        out.push((SwiftContext::Text(text), weight));
    }
    out
}

impl SwiftEncoded {
    /// Tokenises each context by itself.
    pub(super) fn of(
        template: &SwiftTemplate,
        contexts: Vec<(SwiftContext, f64)>,
    ) -> Result<Self, MaskError> {
        let binary = template.options.is_binary_loss_scale.unwrap_or(template.loss_scale.is_binary());
        let mut encoded = Self { weights: (!binary).then(Vec::new), ..Self::default() };
        for (context, weight) in joined(contexts) {
            encoded.ids.extend(ids_of(template, &context)?);
            encoded.targets.resize(encoded.ids.len(), weight > 0.0);
            if let Some(weights) = &mut encoded.weights {
                weights.resize(encoded.ids.len(), weight);
            }
        }
        Ok(encoded)
    }

    /// Behind every supervised run, the suffix is supervised where the masked run begins with it.
    pub(super) fn dynamic_eos(&mut self, suffix: &[TokenId]) {
        let len = self.ids.len();
        let mut start = 0;
        for at in 1..=len {
            let target = |index: usize| self.targets.get(index) == Some(&true);
            if target(at - 1) && at < len && !target(at) {
                start = at;
            } else if start > 0 && !target(at - 1) && (at == len || target(at)) {
                let end = start + suffix.len();
                if at - start >= suffix.len() && self.ids.get(start..end) == Some(suffix) {
                    if let Some(targets) = self.targets.get_mut(start..end) {
                        targets.fill(true);
                    }
                    let weights = self.weights.as_mut().and_then(|weights| weights.get_mut(start..end));
                    if let Some(weights) =
                        weights.filter(|weights| weights.iter().all(|weight| *weight == 0.0))
                    {
                        weights.fill(1.0);
                    }
                }
            }
        }
    }

    /// The first token is no target.
    pub(super) fn mask_first(&mut self) -> Result<(), MaskError> {
        match self.targets.first_mut() {
            Some(first) => *first = false,
            None => return Err(MaskError::python("IndexError", "list assignment index out of range")),
        }
        if let Some(first) = self.weights.as_mut().and_then(|weights| weights.first_mut()) {
            *first = 0.0;
        }
        Ok(())
    }

    /// The sequence, cut, or its pieces.
    pub(super) fn truncate(
        self,
        max_length: Option<usize>,
        truncation: SwiftTruncation,
    ) -> Result<Vec<TrainingSequence>, MaskError> {
        let len = self.ids.len();
        let whole =
            TrainingSequence { weights: self.weights, ..TrainingSequence::new(self.ids, self.targets) };
        let Some(max) = max_length.filter(|max| len > *max && *max > 0) else { return Ok(vec![whole]) };
        let piece = |range: std::ops::Range<usize>| {
            let mut piece = whole.clone();
            piece.cut(range);
            piece.targets.first_mut().into_iter().for_each(|first| *first = false);
            piece.weights.iter_mut().flat_map(|weights| weights.first_mut()).for_each(|first| *first = 0.0);
            piece
        };
        match truncation {
            SwiftTruncation::Left => Ok(vec![piece(len - max..len)]),
            SwiftTruncation::Right => Ok(vec![piece(0..max)]),
            SwiftTruncation::Split => {
                Ok((0..len).step_by(max).map(|at| piece(at..(at + max).min(len))).collect())
            }
            SwiftTruncation::Delete => Ok(Vec::new()),
            SwiftTruncation::Raise => {
                let message = format!("Current length of row({len}) is larger than the max_length({max}).");
                Err(MaskError::python("MaxLengthError", message))
            }
        }
    }
}
