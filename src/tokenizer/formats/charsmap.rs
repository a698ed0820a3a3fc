//! SentencePiece's compiled normalisation rules: a trie of text prefixes and what replaces them.
//!
//! Layout: `u32` size of the trie in bytes, the trie as a double array of little-endian `u32` units (the format
//! of the Darts library), then the replacements, each ended by a NUL byte. A value in the trie is the byte
//! position of its replacement. The `spm_precompiled` crate below `tokenizers` reads the same blob, but walks it unchecked
//! and does not tell how many bytes of the text a rule replaced, which spans need.

use crate::error::{Error, Result};
use std::path::Path;

/// Rules that replace the longest known prefix of a text.
#[derive(Debug, Clone, Default)]
pub struct CharsMap {
    units: Vec<u32>,
    replacements: Vec<u8>,
}

/// Fields of one unit of the double array.
#[derive(Debug, Clone, Copy)]
struct Unit(u32);

impl Unit {
    fn has_leaf(self) -> bool {
        (self.0 >> 8) & 1 == 1
    }
    fn value(self) -> u32 {
        self.0 & ((1 << 31) - 1)
    }
    fn label(self) -> u32 {
        self.0 & ((1 << 31) | 0xFF)
    }
    fn offset(self) -> u32 {
        (self.0 >> 10) << ((self.0 & (1 << 9)) >> 6)
    }
}

impl CharsMap {
    /// True without any rule.
    pub fn is_empty(&self) -> bool {
        self.units.is_empty()
    }

    /// Reads the rules; an empty blob has none.
    ///
    /// # Errors
    /// A blob whose trie does not fit in it.
    pub fn read(blob: &[u8], path: &Path) -> Result<Self> {
        let Some((size, rest)) = blob.split_first_chunk::<4>() else { return Ok(Self::default()) };
        let size = u32::from_le_bytes(*size) as usize;
        if !size.is_multiple_of(4) {
            return Err(Error::format(path, "the normalisation rules are cut off"));
        }
        let (trie, replacements) = rest
            .split_at_checked(size)
            .ok_or_else(|| Error::format(path, "the normalisation rules are cut off"))?;
        let units = trie.chunks_exact(4).filter_map(|c| c.first_chunk::<4>().map(|c| u32::from_le_bytes(*c)));
        Ok(Self { units: units.collect(), replacements: replacements.to_vec() })
    }

    /// Whether every step from the root stays in the trie and every replacement is a text.
    ///
    /// The `tokenizers` library walks the trie unchecked, so rules from a file must pass this first.
    pub fn is_sound(&self) -> bool {
        let unit = |at: u32| self.units.get(at as usize).copied().map(Unit);
        let Some(root) = unit(0) else { return self.replacements.is_empty() };
        let replacements = match std::str::from_utf8(&self.replacements) {
            Ok(text) => text,
            Err(_) => return false,
        };
        let mut seen = std::collections::HashSet::new();
        let mut open = vec![root.offset()];
        while let Some(state) = open.pop() {
            if !seen.insert(state) {
                continue;
            }
            if (state | 0xFF) as usize >= self.units.len() {
                return false;
            }
            for byte in 1..=0xFF {
                let Some(at) = unit(state ^ byte).filter(|u| u.label() == byte) else { continue };
                let next = state ^ byte ^ at.offset();
                let leaf = unit(next).map(|leaf| leaf.value() as usize);
                if at.has_leaf() && !leaf.is_some_and(|value| replacements.is_char_boundary(value)) {
                    return false;
                }
                open.push(next);
            }
        }
        true
    }

    /// The same for rules that are to be given to the library: it looks at the first step whatever there is.
    pub fn is_usable(&self) -> bool {
        !self.is_empty() && self.is_sound()
    }

    /// The longest prefix of `text` that a rule replaces: its length in bytes, and the replacement.
    pub fn longest_prefix(&self, text: &str) -> Option<(usize, &str)> {
        let unit = |at: u32| self.units.get(at as usize).copied().map(Unit);
        let mut node = unit(0)?.offset();
        let mut found = None;
        for (i, byte) in text.bytes().enumerate() {
            node ^= u32::from(byte);
            let Some(at) = unit(node).filter(|u| u.label() == u32::from(byte)) else { break };
            node ^= at.offset();
            if at.has_leaf() {
                found = unit(node).map(|leaf| (i + 1, leaf.value()));
            }
        }
        let (len, value) = found.filter(|(len, _)| text.is_char_boundary(*len))?;
        let bytes = self.replacements.get(value as usize..)?;
        let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
        Some((len, std::str::from_utf8(bytes.get(..end)?).ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_rules_are_refused_or_have_no_effect() {
        let path = Path::new("m");
        assert!(CharsMap::read(&[], path).expect("empty").longest_prefix("a").is_none());
        assert!(CharsMap::read(&[255, 255, 255, 255, 0], path).is_err());
        let map = CharsMap::read(&[8, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, b'x'], path);
        let map = map.expect("reads");
        assert!(map.longest_prefix("abc").is_none());
        assert!(!map.is_sound(), "a step leaves the trie");
        assert!(CharsMap::default().is_sound());
    }
}
