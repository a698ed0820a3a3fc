//! Ids of words that were met before: a table of fixed size for short words, a map that is emptied when full for others.
//!
//! Written here and not taken from a crate of caches: the scan looks up every word of a data set, and a slot that holds
//! its key and its ids in half a line of the processor's cache needs no hashing of strings and no second access.

use std::collections::HashMap;

use crate::tokenizer::encoding::TokenId;

/// Longest word of the table, in bytes.
const SHORT: usize = 16;
/// Most ids of a word of the table.
const FEW: usize = 3;
/// Words that share one place of the table.
const WAYS: usize = 4;
/// Places of the table: 2 MiB.
const PLACES: usize = 1 << 14;
/// Longest word that is kept at all.
const LONG: usize = 256;
/// Words of the map; it is emptied when it holds so many.
const MOST_LONG: usize = 1 << 14;

/// A short word (the fields of its [`Key`], so that two slots fill a line of the cache) and its ids.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    head: u64,
    tail: u64,
    ids: [TokenId; FEW],
    len: u8,
    /// Number of ids; 0 where the slot is free.
    count: u8,
}

/// A short word as numbers: its first and last bytes (which overlap in all but the longest) and its length, which
/// together are no other word's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    head: u64,
    tail: u64,
    len: u8,
}

/// What one thread remembers of words.
#[derive(Debug)]
pub struct WordCache {
    places: Vec<[Slot; WAYS]>,
    /// The way of a full place that the next word takes.
    next: usize,
    long: HashMap<Box<str>, Box<[TokenId]>>,
}

impl Default for WordCache {
    fn default() -> Self {
        Self { places: vec![[Slot::default(); WAYS]; PLACES], next: 0, long: HashMap::new() }
    }
}

impl WordCache {
    /// Appends the ids of a word and says true, or false where the word is not known.
    pub(super) fn append(&self, word: &str, ids: &mut Vec<TokenId>) -> bool {
        if let Some(key) = Key::of(word) {
            let slots = self.places.get(key.place()).map_or([].as_slice(), <[Slot; WAYS]>::as_slice);
            if let Some(slot) = slots.iter().find(|slot| slot.key() == key) {
                let [first, second, third] = slot.ids;
                match slot.count {
                    1 => ids.push(first),
                    2 => ids.extend([first, second]),
                    _ => ids.extend([first, second, third]),
                }
                return true;
            }
        } else if word.len() > LONG {
            return false;
        }
        match self.long.get(word) {
            Some(found) => ids.extend_from_slice(found),
            None => return false,
        }
        true
    }

    /// Remembers a word.
    pub(super) fn insert(&mut self, word: &str, ids: &[TokenId]) {
        match Key::of(word) {
            Some(key) if (1..=FEW).contains(&ids.len()) => self.insert_short(key, ids),
            _ if word.len() <= LONG => {
                if self.long.len() >= MOST_LONG {
                    self.long.clear();
                }
                self.long.insert(word.into(), ids.into());
            }
            _ => {}
        }
    }

    fn insert_short(&mut self, key: Key, ids: &[TokenId]) {
        let Some(slots) = self.places.get_mut(key.place()) else { return };
        let way = slots.iter().position(|slot| slot.count == 0).unwrap_or_else(|| {
            self.next = (self.next + 1) % WAYS;
            self.next
        });
        if let Some(slot) = slots.get_mut(way) {
            let Key { head, tail, len } = key;
            *slot = Slot { head, tail, len, ..Slot::default() };
            for (to, id) in slot.ids.iter_mut().zip(ids) {
                *to = *id;
                slot.count += 1;
            }
        }
    }
}

impl Slot {
    fn key(&self) -> Key {
        Key { head: self.head, tail: self.tail, len: self.len }
    }
}

impl Key {
    /// The key of a short word; `None` for an empty or a longer one.
    fn of(word: &str) -> Option<Self> {
        let bytes = word.as_bytes();
        let (head, tail) = if let (Some(head), Some(tail)) = (bytes.first_chunk(), bytes.last_chunk()) {
            (u64::from_le_bytes(*head), u64::from_le_bytes(*tail))
        } else if let (Some(head), Some(tail)) = (bytes.first_chunk(), bytes.last_chunk()) {
            (u64::from(u32::from_le_bytes(*head)), u64::from(u32::from_le_bytes(*tail)))
        } else {
            let [first, middle, last] = [bytes.first()?, bytes.get(bytes.len() / 2)?, bytes.last()?];
            (u64::from(u16::from_le_bytes([*first, *middle])), u64::from(*last))
        };
        let len = u8::try_from(bytes.len()).ok().filter(|len| usize::from(*len) <= SHORT)?;
        Some(Self { head, tail, len })
    }

    /// Where the word belongs: all of it mixed by a multiplication whose high and low half are folded together.
    fn place(self) -> usize {
        let tail = self.tail ^ (u64::from(self.len) << 56) ^ 0xD1B5_4A32_D192_ED03;
        let mixed = u128::from(self.head ^ 0x9E37_79B9_7F4A_7C15) * u128::from(tail);
        ((mixed as u64) ^ ((mixed >> 64) as u64)) as usize & (PLACES - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_comes_back_and_nothing_else() {
        let mut words = WordCache::default();
        let long = "x".repeat(40);
        let known: [(&str, &[TokenId]); 4] =
            [(" a", &[1]), ("a\0", &[2, 3]), (&long, &[4; 9]), ("four ids", &[5; 4])];
        for (word, ids) in known {
            words.insert(word, ids);
        }
        for (word, ids) in known {
            let mut found = vec![7];
            assert!(words.append(word, &mut found), "{word}");
            assert_eq!(&found[1..], ids);
        }
        let mut none = Vec::new();
        assert!(!["", "a", " a\0", "y"].iter().any(|w| words.append(w, &mut none)) && none.is_empty());
    }

    #[test]
    fn keys_of_different_words_differ() {
        let words = ["a", "aa", "aaa", "aba", "aab", "baa", "aaaa", "aaaaa", "aaaab", "abcdefg", "abcdefgh"];
        let more = ["abcdefghi", "abcdefghh", "abcdefghabcdefgh", "abcdefghabcdefg", "\0", "\0\0", " \0"];
        let all: Vec<Key> = words.iter().chain(&more).map(|w| Key::of(w).expect("a key")).collect();
        for (n, key) in all.iter().enumerate() {
            assert!(!all[..n].contains(key), "{n}");
        }
        assert_eq!((Key::of(""), Key::of("abcdefghabcdefghi")), (None, None));
    }

    #[test]
    fn a_table_that_is_full_forgets_but_does_not_mix_words_up() {
        let mut words = WordCache::default();
        let count = 3 * (PLACES * WAYS) as u32;
        for n in 0..count {
            words.insert(&format!("w{n}"), &[n]);
        }
        let mut kept = 0;
        for n in 0..count {
            let mut ids = Vec::new();
            if words.append(&format!("w{n}"), &mut ids) {
                assert_eq!(ids, [n]);
                kept += 1;
            }
        }
        assert!(kept > count / 8, "{kept}");
    }
}
