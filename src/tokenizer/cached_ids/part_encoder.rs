//! What a tokenizer is asked for: how its texts are cut, and the encoding of a part.

use super::cutting::{Added, Cutting, Uncertain};
use super::probe;
use super::remembered::PartEncoder;
use crate::tokenizer::encoding::Encoding;
use crate::tokenizer::loaded::{Engine, Tokenizer};
use crate::tokenizer::split_points::{Family, SplitPoints};

impl PartEncoder for Tokenizer {
    fn cutting(&self) -> Option<Cutting> {
        Cutting::of(self).ok()
    }

    fn encode_part(&self, cutting: &Cutting, part: &str) -> Result<Encoding, Uncertain> {
        cutting.ask(self, part)
    }

    fn agrees(&self, cutting: &Cutting, encode: &dyn Fn(&str, bool) -> Result<Encoding, Uncertain>) -> bool {
        probe::check_encodings(self, cutting, encode).is_ok()
    }

    fn ends_at_text(&self) -> bool {
        self.is_slow()
    }
}

impl Cutting {
    /// How this tokenizer's texts are cut; not tried yet.
    ///
    /// # Errors
    /// Why they cannot be, in a sentence for people.
    pub fn of(tokenizer: &Tokenizer) -> Result<Self, String> {
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
        let ids = |text: &str| tokenizer.encode_whole(text, false).map(|e| e.ids).map_err(|e| e.to_string());
        let space = ids("x ")?;
        let [space] = *space.get(ids("x")?.len()..).unwrap_or(&[]) else {
            return Err("a space at the end of a text is not one id of its own".to_string());
        };
        Ok(Self { before: around.before, behind: around.behind, split_points, added, space })
    }

    /// The tokenizer's own answer for a part of a text.
    pub fn ask(&self, tokenizer: &Tokenizer, word: &str) -> Result<Encoding, Uncertain> {
        let dummy = self.split_points.family == Family::DummySpace;
        if self.added.iter().any(|a| (dummy || a.looks_around) && word.contains(&a.content)) {
            return Err(Uncertain);
        }
        let encoding = tokenizer.encode_whole(word, false).map_err(|_| Uncertain)?;
        if is_regular(&encoding, word) { Ok(encoding) } else { Err(Uncertain) }
    }
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
