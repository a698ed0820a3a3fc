//! Ids of words that were met before: a table of fixed size for short ones, a map that is emptied when full for others.

use std::collections::HashMap;

use crate::tokenizer::encoding::TokenId;

/// Longest word of the table, in bytes; one more byte holds the length.
const SHORT: usize = 15;
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

/// A short word: its bytes and length, its ids and their number (0: the slot is free).
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    key: [u8; SHORT + 1],
    ids: [TokenId; FEW],
    len: u32,
}

/// What one thread remembers of words.
#[derive(Debug)]
pub struct Words {
    places: Vec<[Slot; WAYS]>,
    /// The way of a full place that the next word takes.
    next: usize,
    long: HashMap<Box<str>, Box<[TokenId]>>,
}

impl Default for Words {
    fn default() -> Self {
        Self { places: vec![[Slot::default(); WAYS]; PLACES], next: 0, long: HashMap::new() }
    }
}

impl Words {
    /// Appends the ids of a word and says true, or false where the word is not known.
    pub(super) fn append(&self, word: &str, ids: &mut Vec<TokenId>) -> bool {
        if let Some(key) = key(word) {
            let slots = self.places.get(place(&key)).map_or([].as_slice(), <[Slot; WAYS]>::as_slice);
            if let Some(slot) = slots.iter().find(|slot| slot.key == key) {
                ids.extend_from_slice(slot.ids.get(..slot.len as usize).unwrap_or(&[]));
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
        match key(word) {
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

    fn insert_short(&mut self, key: [u8; SHORT + 1], ids: &[TokenId]) {
        let Some(slots) = self.places.get_mut(place(&key)) else { return };
        let way = slots.iter().position(|slot| slot.len == 0).unwrap_or_else(|| {
            self.next = (self.next + 1) % WAYS;
            self.next
        });
        if let Some(slot) = slots.get_mut(way) {
            *slot = Slot { key, ..Slot::default() };
            for (to, id) in slot.ids.iter_mut().zip(ids) {
                *to = *id;
                slot.len += 1;
            }
        }
    }
}

/// The bytes of a short word with its length behind them; `None` for an empty or a longer one.
fn key(word: &str) -> Option<[u8; SHORT + 1]> {
    let bytes = word.as_bytes();
    let mut key = [0; SHORT + 1];
    if bytes.is_empty() || bytes.len() > SHORT {
        return None;
    }
    key.get_mut(..bytes.len())?.copy_from_slice(bytes);
    *key.last_mut()? = u8::try_from(bytes.len()).ok()?;
    Some(key)
}

/// A word's place: both halves mixed by a multiplication whose high and low half are folded together.
fn place(key: &[u8; SHORT + 1]) -> usize {
    let whole = u128::from_le_bytes(*key);
    let (low, high) = (whole as u64, (whole >> 64) as u64);
    let mixed = u128::from(low ^ 0x9E37_79B9_7F4A_7C15) * u128::from(high ^ 0xD1B5_4A32_D192_ED03);
    ((mixed as u64) ^ ((mixed >> 64) as u64)) as usize & (PLACES - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_comes_back_and_nothing_else() {
        let mut words = Words::default();
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
    fn a_table_that_is_full_forgets_but_does_not_mix_words_up() {
        let mut words = Words::default();
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
