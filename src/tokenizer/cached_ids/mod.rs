//! Ids alone, fast: for scans of whole data sets, which ask for no spans and meet the same words again and again.
//!
//! A text is cut at [`joint`]s, where its ids provably are the ids of its parts one after another. Each part is
//! looked up among the [`words`] that were met before; one that is not there is encoded by the tokenizer itself. So
//! nothing here knows how a class encodes: it is asked, once a word.
//!
//! A tokenizer for which that is not known to hold is refused with the reason, and so is one for which the [`probe`]
//! finds a difference. What a text holds beyond it (an added token that looks at its neighbours) is [`Uncertain`].

mod probe;
mod split_points;
mod word_cache;

use std::sync::Arc;

use split_points::Family;
pub use split_points::SplitPoints;
pub use word_cache::WordCache;

use super::encoding::{Encoding, TokenId};
use super::loaded::{Engine, Tokenizer};

/// The ids of this text are not sure to be found this way: the tokenizer must be asked for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uncertain;

/// Ids of texts under one tokenizer.
#[derive(Debug, Clone)]
pub struct CachedEncoder {
    tokenizer: Arc<Tokenizer>,
    joints: SplitPoints,
    /// Added tokens; those that look at their neighbours, or that the family does not cut at, are `unsure`.
    added: Vec<Added>,
    /// Ids that the class puts before and behind every text.
    before: Vec<TokenId>,
    behind: Vec<TokenId>,
    /// The id of a space that nothing follows.
    space: TokenId,
}

/// An added token as the cutting at joints must know it.
#[derive(Debug, Clone)]
struct Added {
    content: String,
    /// It takes white space or words beside it into account.
    looks_around: bool,
}

impl CachedEncoder {
    /// An encoder that gives the ids of this tokenizer, or why there is none.
    ///
    /// # Errors
    /// The reason, in a sentence for people.
    pub fn new(tokenizer: &Arc<Tokenizer>) -> Result<Self, String> {
        let joints = match tokenizer.engine() {
            Engine::Fast(core) => SplitPoints::of_core(core)?,
            Engine::Slow(class, _) => class.joints()?,
        };
        let added = added_tokens(tokenizer);
        let crosses = |a: &&Added| {
            a.content.as_bytes().windows(2).any(|w| matches!(w, [l, b' '] if joints.is_behind(*l)))
        };
        if let Some(token) = added.iter().find(crosses) {
            return Err(format!("its added token {:?} has a space where texts are cut", token.content));
        }
        let ids = |text: &str, special: bool| {
            tokenizer.encode(text, special).map(|e| e.ids).map_err(|e| e.to_string())
        };
        let (bare, whole) = (ids("x", false)?, ids("x", true)?);
        let at = whole.windows(bare.len().max(1)).position(|w| w == bare).unwrap_or(0);
        let space = ids("x ", false)?;
        let [space] = *space.get(bare.len()..).unwrap_or(&[]) else {
            return Err("a space at the end of a text is not one id of its own".to_string());
        };
        let encoder = Self {
            before: whole.get(..at).unwrap_or(&[]).to_vec(),
            behind: whole.get(at + bare.len()..).unwrap_or(&[]).to_vec(),
            tokenizer: tokenizer.clone(),
            joints,
            added,
            space,
        };
        probe::check(&encoder)?;
        Ok(encoder)
    }

    /// Appends the ids of a text, without special tokens. A text that `continues` stands behind a joint of another
    /// and begins with its space.
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
        let mut behind_joint = continues;
        while !rest.is_empty() {
            let (part, after) = rest.split_at_checked(self.joints.part(rest.as_bytes())).ok_or(Uncertain)?;
            rest = after;
            let word = match (self.joints.family, behind_joint) {
                (Family::DummySpace, true) => part.strip_prefix(' ').ok_or(Uncertain)?,
                _ => part,
            };
            behind_joint = true;
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
        let dummy = self.joints.family == Family::DummySpace;
        if self.added.iter().any(|a| (dummy || a.looks_around) && word.contains(&a.content)) {
            return Err(Uncertain);
        }
        let encoding = self.tokenizer.encode(word, false).map_err(|_| Uncertain)?;
        if is_regular(&encoding, word) { Ok(encoding.ids) } else { Err(Uncertain) }
    }

    /// Ids that the class puts before every text.
    pub fn before(&self) -> &[TokenId] {
        &self.before
    }

    /// Ids that the class puts behind every text.
    pub fn behind(&self) -> &[TokenId] {
        &self.behind
    }

    /// The id of a space that nothing follows.
    pub fn space(&self) -> TokenId {
        self.space
    }

    /// True where a space behind this text begins a new part.
    pub fn is_joint_behind(&self, text: &str) -> bool {
        text.bytes().next_back().is_some_and(|byte| self.joints.is_behind(byte))
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

    /// The tokenizer whose ids these are.
    pub fn tokenizer(&self) -> &Arc<Tokenizer> {
        &self.tokenizer
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
