//! Encodings of words that were met before: behind `Tokenizer::encode`, so that label rules, mask strategies and checks pay for
//! each word once, and for the text that was encoded last not at all.
//!
//! A tokenizer is asked for this when it is set up and changes no more; a copy of it, which an override may change, begins
//! anew. The cutting is tried on many texts, ids and spans, before it is used, and a text of which it is not sure is encoded as
//! a whole. Each thread remembers for itself: nothing is waited for.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use super::cutting::{Cutting, Uncertain};
use crate::tokenizer::encoding::Encoding;
use crate::tokenizer::split_points::Family;

/// Long texts that are encoded as a whole before the cutting is tried: whoever looks at a few samples does not wait for it.
const WARM: usize = 128;
/// Bytes of the texts that are cut: of a shorter one nothing is won, and of a longer one each word may be new.
const CUT: std::ops::Range<usize> = 32..1 << 20;
/// Bytes of the longest part that is remembered.
const LONGEST: usize = 128;
/// Parts that a thread remembers of a tokenizer; all are forgotten when there are more.
const MOST: usize = 1 << 15;
/// Tokenizers that a thread remembers parts of.
const TOKENIZERS: usize = 4;

/// What a tokenizer remembers.
#[derive(Debug, Default)]
pub struct RememberedWords {
    is_wanted: AtomicBool,
    asked: AtomicUsize,
    /// Texts that were not sure, more than sure ones: the cutting is given up when there are many.
    unsure: AtomicUsize,
    cutting: OnceLock<Option<Numbered>>,
}

/// A cutting with a number that no other one has in this process.
#[derive(Debug)]
struct Numbered {
    number: u64,
    cutting: Cutting,
}

/// The tokenizer behind remembered words.
pub trait PartEncoder {
    /// How its texts are cut; `None` where that is not known.
    fn cutting(&self) -> Option<Cutting>;

    /// A part as a text of its own.
    ///
    /// # Errors
    /// [`Uncertain`] for one that may be encoded otherwise among others.
    fn encode_part(&self, cutting: &Cutting, part: &str) -> Result<Encoding, Uncertain>;

    /// True where what `encode` puts together is what the tokenizer gives.
    fn agrees(&self, cutting: &Cutting, encode: &dyn Fn(&str, bool) -> Result<Encoding, Uncertain>) -> bool;

    /// True where the tokens behind a text lie at its end; at its beginning in the fast classes, as the library has it.
    fn ends_at_text(&self) -> bool;
}

/// A copy may be changed, so it remembers nothing.
impl Clone for RememberedWords {
    fn clone(&self) -> Self {
        Self::default()
    }
}

type Parts = HashMap<Box<str>, Encoding>;

/// What a thread remembers of a tokenizer.
struct Known {
    /// That of its [`Numbered`].
    number: u64,
    parts: Parts,
    /// The text that was encoded last, with or without special tokens: the labels of a sample and its account ask for the
    /// same one.
    last: Option<(String, bool, Encoding)>,
}

thread_local! {
    /// The tokenizers used last, the newest at the end.
    static KNOWN: RefCell<Vec<Known>> = const { RefCell::new(Vec::new()) };
}

impl RememberedWords {
    /// The tokenizer changes no more: words may be remembered.
    pub fn want(&self) {
        self.is_wanted.store(true, Ordering::Relaxed);
    }

    /// The encoding of a text put together from its parts; `None` where the tokenizer must be asked for the whole.
    pub fn encode(
        &self,
        tokenizer: &dyn PartEncoder,
        text: &str,
        add_special_tokens: bool,
    ) -> Option<Encoding> {
        if !CUT.contains(&text.len()) || !self.is_wanted.load(Ordering::Relaxed) {
            return None;
        }
        let known = self.known(tokenizer)?;
        let found = known.encode(tokenizer, text, add_special_tokens);
        let counted = |unsure: usize| match &found {
            Ok(_) => unsure.checked_sub(1),
            Err(Uncertain) => unsure.checked_add(1),
        };
        // Nothing to take away is no failure.
        let _ = self.unsure.fetch_update(Ordering::Relaxed, Ordering::Relaxed, counted);
        found.ok()
    }

    fn known(&self, tokenizer: &dyn PartEncoder) -> Option<&Numbered> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        if self.asked.load(Ordering::Relaxed) < WARM {
            self.asked.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        if self.unsure.load(Ordering::Relaxed) > WARM {
            return None;
        }
        let made = || {
            let made =
                Numbered { number: NEXT.fetch_add(1, Ordering::Relaxed), cutting: tokenizer.cutting()? };
            let encode = |text: &str, special: bool| made.encode(tokenizer, text, special);
            tokenizer.agrees(&made.cutting, &encode).then_some(made)
        };
        self.cutting.get_or_init(made).as_ref()
    }
}

impl Numbered {
    fn encode(
        &self,
        tokenizer: &dyn PartEncoder,
        text: &str,
        add_special_tokens: bool,
    ) -> Result<Encoding, Uncertain> {
        KNOWN.with(|known| {
            // The tokenizer's own encoding never comes back to here; if it did, it would go on with the whole text.
            let mut known = known.try_borrow_mut().map_err(|_| Uncertain)?;
            let at = known.iter().position(|known| known.number == self.number);
            let at = at.unwrap_or_else(|| {
                if known.len() >= TOKENIZERS {
                    known.remove(0);
                }
                known.push(Known { number: self.number, parts: Parts::new(), last: None });
                known.len() - 1
            });
            let known = known.get_mut(at).ok_or(Uncertain)?;
            let is_last = |(last, special, _): &&(String, bool, Encoding)| {
                *special == add_special_tokens && last == text
            };
            if let Some((_, _, encoding)) = known.last.as_ref().filter(is_last) {
                return Ok(encoding.clone());
            }
            let encoding = self.encode_parts(&mut known.parts, tokenizer, text, add_special_tokens)?;
            known.last = Some((text.to_string(), add_special_tokens, encoding.clone()));
            Ok(encoding)
        })
    }

    fn encode_parts(
        &self,
        parts: &mut Parts,
        tokenizer: &dyn PartEncoder,
        text: &str,
        add_special_tokens: bool,
    ) -> Result<Encoding, Uncertain> {
        let Cutting { split_points, before, behind, space, .. } = &self.cutting;
        let mut all = Encoding::default();
        all.ids.reserve(text.len() / 3);
        all.spans.reserve(text.len() / 3);
        if add_special_tokens {
            before.iter().for_each(|id| all.push(*id, 0..0));
        }
        let dummy = split_points.family == Family::DummySpace;
        let mut at = 0;
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            let len = split_points.part(rest.as_bytes());
            let part = rest.get(..len).ok_or(Uncertain)?;
            // The space in front stands for the one that the class would put there.
            let opens = dummy && at > 0;
            let word = if opens { part.strip_prefix(' ').ok_or(Uncertain)? } else { part };
            if word.is_empty() {
                all.push(*space, at..at + len);
            } else if let Some(found) = parts.get(word) {
                append(&mut all, found, at, opens);
            } else {
                let found = tokenizer.encode_part(&self.cutting, word)?;
                if !found.surfaces.is_empty() {
                    return Err(Uncertain);
                }
                append(&mut all, &found, at, opens);
                if word.len() <= LONGEST {
                    if parts.len() >= MOST {
                        parts.clear();
                    }
                    parts.insert(word.into(), found);
                }
            }
            at += len;
        }
        if add_special_tokens {
            let end = if tokenizer.ends_at_text() { text.len() } else { 0 };
            behind.iter().for_each(|id| all.push(*id, end..end));
        }
        Ok(all)
    }
}

/// Appends a part that begins at byte `at`; where it `opens` with a space of the text, that is the first token's.
fn append(all: &mut Encoding, part: &Encoding, at: usize, opens: bool) {
    let shift = at + usize::from(opens);
    let first = all.spans.len();
    all.ids.extend_from_slice(&part.ids);
    all.spans.extend(part.spans.iter().map(|span| span.start + shift..span.end + shift));
    if let Some(span) = all.spans.get_mut(first).filter(|_| opens) {
        span.start = at;
    }
}
