//! What is noted while a template runs: how much it has written, the bodies of its `{% generation %}` blocks, and
//! where each message's turn begins.
//!
//! The top level writes in pieces, so whatever is written while a `for` loop holds a message is that message's turn.
//! Text that a macro, a `set` block or a filter collects is counted when it is written: the starts of a loop inside
//! of one are all the same, and whoever reads [`Tracker::turn_starts`] has to hold them against the text.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use minijinja::Value;
use minijinja::value::{Enumerator, Object, ObjectRepr};

/// Name of the variable that carries the [`Tracker`] of a rendering.
pub(super) const VARIABLE: &str = "_maskscope_tracker";

/// One generation block as transformers reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Code points of the rendered text.
    pub chars: Range<usize>,
    /// The text at `chars` is not the block's text: the tag stands inside a macro, a `set` block, a filter
    /// or another generation block, and transformers counts only text that was already yielded.
    pub displaced: bool,
}

/// Counts what the top level has written and keeps the bodies in the order in which they end.
#[derive(Debug, Default)]
pub(super) struct Tracker {
    written: AtomicUsize,
    bodies: Mutex<Vec<(usize, String)>>,
    /// Bytes written.
    bytes: AtomicUsize,
    /// The messages as the template sees them.
    messages: Vec<Value>,
    turn_starts: Mutex<Vec<Option<usize>>>,
}

impl Tracker {
    /// For a rendering of `messages`.
    pub fn new(messages: &Value) -> Self {
        let messages: Vec<Value> = messages.try_iter().map(Iterator::collect).unwrap_or_default();
        Self { turn_starts: Mutex::new(vec![None; messages.len()]), messages, ..Self::default() }
    }

    /// `text` reached the top level.
    pub fn wrote(&self, bytes: &[u8]) {
        // Continuation bytes are not characters.
        let chars = bytes.iter().filter(|byte| *byte & 0xc0 != 0x80).count();
        self.written.fetch_add(chars, Ordering::Relaxed);
        self.bytes.fetch_add(bytes.len(), Ordering::Relaxed);
    }

    /// A generation body is complete.
    pub fn record(&self, body: &str) {
        if let Ok(mut bodies) = self.bodies.lock() {
            bodies.push((self.written.load(Ordering::Relaxed), body.to_string()));
        }
    }

    /// A `for` loop takes message `index`: what is written from here on is its turn.
    fn begin_turn(&self, index: usize) {
        if let Ok(mut starts) = self.turn_starts.lock()
            && let Some(start) = starts.get_mut(index)
        {
            *start = Some(self.bytes.load(Ordering::Relaxed));
        }
    }

    /// For each message the byte of the text at which the last loop took it; `None` where no loop did.
    pub fn turn_starts(&self) -> Vec<Option<usize>> {
        self.turn_starts.lock().map(|starts| starts.clone()).unwrap_or_default()
    }

    /// What a `for` loop iterates over. A loop over the messages, or all from one on, is watched.
    pub fn watched(self: &Arc<Self>, list: Value) -> Value {
        let Some(first) =
            list.len().filter(|len| *len > 0).and_then(|len| self.messages.len().checked_sub(len))
        else {
            return list;
        };
        let own = self.messages.get(first..).unwrap_or_default();
        // The engine compares by pointer first, so this is cheap for the messages themselves.
        let is_own =
            list.try_iter().is_ok_and(|mut items| own.iter().all(|own| items.next().as_ref() == Some(own)));
        match is_own {
            true => Value::from_object(WatchedMessages { tracker: self.clone(), first }),
            false => list,
        }
    }

    /// The spans over the finished text.
    pub fn spans(&self, text: &str) -> Vec<Span> {
        let Ok(bodies) = self.bodies.lock() else { return Vec::new() };
        if bodies.is_empty() {
            return Vec::new();
        }
        let index = CharIndex::new(text);
        let span = |(start, body): &(usize, String)| {
            let chars = *start..*start + body.chars().count();
            Span { displaced: !index.tail(text, *start).starts_with(body.as_str()), chars }
        };
        bodies.iter().map(span).collect()
    }
}

/// Byte offsets of every so many characters, so that a character is found without counting from the start.
struct CharIndex(Vec<usize>);

impl CharIndex {
    const STRIDE: usize = 256;

    fn new(text: &str) -> Self {
        Self(text.char_indices().step_by(Self::STRIDE).map(|(at, _)| at).collect())
    }

    /// The text from character `position` on; empty behind its end.
    fn tail<'t>(&self, text: &'t str, position: usize) -> &'t str {
        let known = self.0.get(position / Self::STRIDE).and_then(|at| text.get(*at..)).unwrap_or_default();
        let rest = known.char_indices().nth(position % Self::STRIDE).map_or(known.len(), |(at, _)| at);
        known.get(rest..).unwrap_or_default()
    }
}

impl Object for Tracker {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
}

/// The messages from `first` on, for one loop: taking one begins its turn.
#[derive(Debug)]
struct WatchedMessages {
    tracker: Arc<Tracker>,
    first: usize,
}

impl Object for WatchedMessages {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let (tracker, first) = (self.tracker.clone(), self.first);
        let messages = tracker.messages.get(first..).unwrap_or_default().to_vec();
        Enumerator::Iter(Box::new(messages.into_iter().enumerate().map(move |(index, message)| {
            tracker.begin_turn(first + index);
            message
        })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_found_from_the_index() {
        let text = "é".repeat(700) + "ab";
        let index = CharIndex::new(&text);
        assert_eq!(index.tail(&text, 700), "ab");
        assert_eq!(index.tail(&text, 0).len(), text.len());
        assert_eq!(index.tail(&text, 702), "");
        assert_eq!(index.tail(&text, 9999), "");
        assert_eq!(CharIndex::new("").tail("", 0), "");
    }
}
