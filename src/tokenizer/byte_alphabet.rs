//! The alphabet of byte-level BPE: one printable character for each of the 256 bytes.
//!
//! Bytes that are visible characters in Latin-1 stand for themselves; the other 68 take the characters from
//! U+0100 on, in byte order (so a space is `Ġ`, U+0120). Written here, as the `tokenizers` crate keeps its table private.

use std::sync::LazyLock;

fn is_visible(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF)
}

static CHARS: LazyLock<[char; 256]> = LazyLock::new(|| {
    let mut hidden = 0u32;
    std::array::from_fn(|byte| {
        let byte = byte as u8;
        if is_visible(byte) {
            char::from(byte)
        } else {
            hidden += 1;
            char::from_u32(0xFF + hidden).unwrap_or('\u{FFFD}')
        }
    })
});

/// The bytes as the vocabulary writes them.
pub fn encode(bytes: &[u8]) -> String {
    bytes.iter().filter_map(|b| CHARS.get(usize::from(*b))).collect()
}

/// The bytes that a vocabulary entry stands for; `None` when a character is not of the alphabet.
pub fn decode(token: &str) -> Option<Vec<u8>> {
    token.chars().map(byte_of).collect()
}

/// The byte of a byte-fallback piece like `<0x0A>`.
pub fn byte_piece(piece: &str) -> Option<u8> {
    let hex = piece.strip_prefix("<0x")?.strip_suffix('>')?;
    (hex.len() == 2).then(|| u8::from_str_radix(hex, 16).ok()).flatten()
}

fn byte_of(c: char) -> Option<u8> {
    let code = u32::from(c);
    if let Ok(byte) = u8::try_from(code) {
        return is_visible(byte).then_some(byte);
    }
    CHARS.iter().position(|x| *x == c).and_then(|i| u8::try_from(i).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_back_and_known_letters_are_right() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&encode(&all)), Some(all));
        assert_eq!(encode(b" \n\x00\x7f\xad"), "ĠĊĀġŃ");
        assert_eq!(decode("▁"), None);
    }
}
