//! Ids of texts from the ids of their words: the encoder of the cached ids.

use std::sync::Arc;

use super::cutting::{Cutting, Uncertain};
use super::word_cache::WordCache;
use crate::tokenizer::encoding::TokenId;
use crate::tokenizer::loaded::Tokenizer;
use crate::tokenizer::split_points::Family;

/// Ids of texts under one tokenizer.
#[derive(Debug, Clone)]
pub struct CachedEncoder {
    pub(super) tokenizer: Arc<Tokenizer>,
    pub(super) cutting: Cutting,
}

impl CachedEncoder {
    /// An encoder for this tokenizer that is not checked against it yet.
    ///
    /// # Errors
    /// Why there is none, in a sentence for people.
    pub(super) fn unchecked(tokenizer: &Arc<Tokenizer>) -> Result<Self, String> {
        Ok(Self { cutting: Cutting::of(tokenizer)?, tokenizer: tokenizer.clone() })
    }

    /// Appends the ids of a text, without special tokens. A text that `continues` stands behind a split
    /// point of another and begins with its space.
    ///
    /// # Errors
    /// [`Uncertain`]; what was appended by then is of no use.
    pub fn encode(
        &self,
        words: &mut WordCache,
        text: &str,
        continues: bool,
        ids: &mut Vec<TokenId>,
    ) -> Result<(), Uncertain> {
        let mut rest = text;
        let mut behind_split = continues;
        while !rest.is_empty() {
            let (part, after) =
                rest.split_at_checked(self.cutting.split_points.part(rest.as_bytes())).ok_or(Uncertain)?;
            rest = after;
            let word = match (self.cutting.split_points.family, behind_split) {
                (Family::DummySpace, true) => part.strip_prefix(' ').ok_or(Uncertain)?,
                _ => part,
            };
            behind_split = true;
            if word.is_empty() {
                ids.push(self.cutting.space);
            } else if !words.append(word, ids) {
                let found = self.cutting.ask(&self.tokenizer, word)?.ids;
                words.insert(word, &found);
                ids.extend_from_slice(&found);
            }
        }
        Ok(())
    }

    /// Ids that the class puts before every text.
    pub fn before(&self) -> &[TokenId] {
        &self.cutting.before
    }

    /// Ids that the class puts behind every text.
    pub fn behind(&self) -> &[TokenId] {
        &self.cutting.behind
    }

    /// The id of a space that nothing follows.
    pub fn space(&self) -> TokenId {
        self.cutting.space
    }

    /// True where a space behind this text begins a new part.
    pub fn splits_behind(&self, text: &str) -> bool {
        text.bytes().next_back().is_some_and(|byte| self.cutting.split_points.is_behind(byte))
    }

    /// The ids of an added token, where every text is cut at it, wherever it stands, and its sides are encoded as texts
    /// of their own. `None` for a text that is no such token.
    pub fn cuts_at(&self, token: &str) -> Option<Vec<TokenId>> {
        let own = self.cutting.added.iter().find(|a| a.content == token)?;
        let others = self.cutting.added.iter().filter(|a| a.content != token);
        let is_plain = !own.looks_around && !token.starts_with(' ');
        let is_alone = others.clone().all(|other| !swallows(&other.content, token));
        // A neighbour that looks around may see it.
        let found = self.tokenizer.encode(token, false).ok()?;
        (is_plain && is_alone && found.without_id.is_empty() && !found.is_empty()).then_some(found.ids)
    }
}

/// True where `other` can be found at a place that takes a part of `token` with it: it holds the whole of it, or it
/// begins before it and ends inside.
fn swallows(other: &str, token: &str) -> bool {
    let ends_inside = |len: usize| {
        let head = token.get(..len);
        head.is_some_and(|head| other.len() > len && other.ends_with(head))
    };
    other.contains(token) || (1..token.len()).any(ends_inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_another_one_reaches_into_does_not_cut() {
        assert!(swallows("a</s>", "</s>") && swallows("a<", "</s>") && swallows("</s></s>", "</s>"));
        assert!(!swallows("<s>", "</s>") && !swallows("<", "</s>") && !swallows(">b", "</s>"));
    }
}
