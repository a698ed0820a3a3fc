//! Ids of texts from the ids of their words: the encoder of the cached ids.

use std::sync::Arc;

use super::word_cache::WordCache;
use crate::tokenizer::bos_and_eos::IdsAroundText;
use crate::tokenizer::encoding::{Encoding, TokenId};
use crate::tokenizer::loaded::{Engine, Tokenizer};
use crate::tokenizer::split_points::{Family, SplitPoints};

/// The ids of this text are not sure to be found this way: the tokenizer must be asked for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uncertain;

/// Ids of texts under one tokenizer.
#[derive(Debug, Clone)]
pub struct CachedEncoder {
    pub(super) tokenizer: Arc<Tokenizer>,
    split_points: SplitPoints,
    /// Added tokens; a word that holds one which looks at its neighbours, or which the family does not cut at, is
    /// [`Uncertain`].
    pub(super) added: Vec<Added>,
    around: IdsAroundText,
    /// The id of a space that nothing follows.
    space: TokenId,
}

/// An added token as the cutting at split points must know it.
#[derive(Debug, Clone)]
pub(super) struct Added {
    pub(super) content: String,
    /// It takes white space or words beside it into account.
    looks_around: bool,
}

impl CachedEncoder {
    /// An encoder for this tokenizer that is not checked against it yet.
    ///
    /// # Errors
    /// Why there is none, in a sentence for people.
    pub(super) fn unchecked(tokenizer: &Arc<Tokenizer>) -> Result<Self, String> {
        let split_points = match tokenizer.engine() {
            Engine::Fast(core) => SplitPoints::of_core(core)?,
            Engine::Slow(class, _) => class.split_points()?,
        };
        let added = added_tokens(tokenizer);
        let crosses = |a: &&Added| {
            a.content.as_bytes().windows(2).any(|w| matches!(w, [l, b' '] if split_points.is_behind(*l)))
        };
        if let Some(token) = added.iter().find(crosses) {
            return Err(format!("its added token {:?} has a space where texts are cut", token.content));
        }
        let around = tokenizer.ids_around_text().map_err(|e| e.to_string())?;
        let ids = |text: &str| tokenizer.encode(text, false).map(|e| e.ids).map_err(|e| e.to_string());
        let space = ids("x ")?;
        let [space] = *space.get(ids("x")?.len()..).unwrap_or(&[]) else {
            return Err("a space at the end of a text is not one id of its own".to_string());
        };
        Ok(Self { around, tokenizer: tokenizer.clone(), split_points, added, space })
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
                rest.split_at_checked(self.split_points.part(rest.as_bytes())).ok_or(Uncertain)?;
            rest = after;
            let word = match (self.split_points.family, behind_split) {
                (Family::DummySpace, true) => part.strip_prefix(' ').ok_or(Uncertain)?,
                _ => part,
            };
            behind_split = true;
            if word.is_empty() {
                ids.push(self.space);
            } else if !words.append(word, ids) {
                let found = self.ask(word)?;
                words.insert(word, &found);
                ids.extend_from_slice(&found);
            }
        }
        Ok(())
    }

    /// The tokenizer's own answer for a part of a text.
    fn ask(&self, word: &str) -> Result<Vec<TokenId>, Uncertain> {
        let dummy = self.split_points.family == Family::DummySpace;
        if self.added.iter().any(|a| (dummy || a.looks_around) && word.contains(&a.content)) {
            return Err(Uncertain);
        }
        let encoding = self.tokenizer.encode(word, false).map_err(|_| Uncertain)?;
        if is_regular(&encoding, word) { Ok(encoding.ids) } else { Err(Uncertain) }
    }

    /// Ids that the class puts before every text.
    pub fn before(&self) -> &[TokenId] {
        &self.around.before
    }

    /// Ids that the class puts behind every text.
    pub fn behind(&self) -> &[TokenId] {
        &self.around.behind
    }

    /// The id of a space that nothing follows.
    pub fn space(&self) -> TokenId {
        self.space
    }

    /// True where a space behind this text begins a new part.
    pub fn splits_behind(&self, text: &str) -> bool {
        text.bytes().next_back().is_some_and(|byte| self.split_points.is_behind(byte))
    }

    /// The ids of an added token, where every text is cut at it, wherever it stands, and its sides are encoded as texts
    /// of their own. `None` for a text that is no such token.
    pub fn cuts_at(&self, token: &str) -> Option<Vec<TokenId>> {
        let own = self.added.iter().find(|a| a.content == token)?;
        let others = self.added.iter().filter(|a| a.content != token);
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

/// True where the spans go on from the first byte to the last and every token has an id: nothing was dropped,
/// reordered or made up.
fn is_regular(encoding: &Encoding, text: &str) -> bool {
    let ends: Vec<usize> = encoding.spans.iter().map(|s| s.end).collect();
    // Fast byte-level classes leave white space at the end out of the last span.
    let reaches = ends.last().and_then(|end| text.get(*end..)).is_some_and(|rest| rest.trim_end().is_empty());
    encoding.without_id.is_empty() && ends.is_sorted() && reaches
}

fn added_tokens(tokenizer: &Tokenizer) -> Vec<Added> {
    // A fill token rearranges the whole text.
    let fill = tokenizer.infilling.iter().map(|i| Added { content: i.fill.clone(), looks_around: true });
    let Engine::Slow(class, splitter) = tokenizer.engine() else {
        let tokens = tokenizer.added.iter().map(|(_, t)| Added {
            content: t.content.clone(),
            looks_around: t.lstrip || t.rstrip || t.single_word,
        });
        return tokens.chain(fill).collect();
    };
    let found = splitter.tokens().map(|(content, n)| Added {
        content: content.to_string(),
        looks_around: n.lstrip || n.rstrip || n.single_word,
    });
    let closed = class.closed_tokens().iter();
    found.chain(closed.map(|(t, _)| Added { content: t.clone(), looks_around: false })).chain(fill).collect()
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
