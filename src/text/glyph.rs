//! What one character looks like: itself, or a stand-in where it would be invisible or dangerous.

use std::ops::Range;

use unicode_width::UnicodeWidthChar;

/// More combining marks than this on one base are drawn as stand-ins: a cell must stay a cell.
pub const MAX_MARKS: usize = 4;

/// Whether a glyph is the text itself or stands for something that cannot be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GlyphKind {
    /// The character itself.
    Plain,
    /// A visible stand-in for a space, a control, a format or an unpaired character.
    StandIn,
    /// A byte that is no part of a whole character.
    Byte,
}

/// Something that can be drawn: no control or format character, `width` cells wide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glyph {
    pub text: String,
    /// Cells used.
    pub width: u16,
    /// Byte range of the source that this stands for.
    pub source: Range<usize>,
    pub kind: GlyphKind,
}

impl Glyph {
    pub(super) fn plain(text: &str, width: u16, source: Range<usize>) -> Self {
        Self { text: text.to_string(), width, source, kind: GlyphKind::Plain }
    }

    /// A stand-in; its text is made of characters of one cell.
    pub(super) fn stand_in(text: String, kind: GlyphKind, source: Range<usize>) -> Self {
        let width = u16::try_from(text.chars().count()).unwrap_or(u16::MAX);
        Self { text, width, source, kind }
    }

    /// A byte outside any character: `⟨e2⟩`.
    pub(super) fn byte(byte: u8, at: usize) -> Self {
        Self::stand_in(format!("⟨{byte:02x}⟩"), GlyphKind::Byte, at..at + 1)
    }
}

/// What a character is to a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nature {
    /// Shows as itself, in this many cells.
    Visible(u16),
    /// Has no cell of its own: it sits on the character before it.
    Mark,
    /// Must be replaced.
    Hidden,
}

pub(super) fn nature(c: char) -> Nature {
    if is_hidden(c) {
        return Nature::Hidden;
    }
    match c.width() {
        Some(0) | None => Nature::Mark,
        Some(n) => u16::try_from(n).map_or(Nature::Hidden, Nature::Visible),
    }
}

/// The stand-in of a character that cannot be drawn: a control picture, an arrow, or its number.
pub(super) fn stand_in(c: char) -> String {
    match c {
        ' ' => "·".to_string(),
        '\t' => "→".to_string(),
        '\n' => "↵".to_string(),
        '\u{7f}' => "␡".to_string(),
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).map(String::from).unwrap_or_default(),
        '\u{a0}' => "⍽".to_string(),
        c => format!("⟨U+{:04X}⟩", u32::from(c)),
    }
}

/// Ranges of characters that are invisible, reorder text, change their neighbours, or have no agreed look.
///
/// Source: Unicode 16 general categories Cc, Cf, Zs (but U+0020), Zl, Zp, Co, noncharacters, and the property
/// Default_Ignorable_Code_Point; plus the braille blank and the annotation and object anchors.
#[rustfmt::skip]
const HIDDEN: &[(u32, u32)] = &[
    (0x0000, 0x001f), (0x007f, 0x00a0), (0x00ad, 0x00ad), (0x034f, 0x034f), (0x0600, 0x0605), (0x061c, 0x061c),
    (0x06dd, 0x06dd), (0x070f, 0x070f), (0x0890, 0x0891), (0x08e2, 0x08e2), (0x115f, 0x1160), (0x1680, 0x1680),
    (0x17b4, 0x17b5), (0x180b, 0x180f), (0x2000, 0x200f), (0x2028, 0x202f), (0x205f, 0x206f), (0x2800, 0x2800),
    (0x3000, 0x3000), (0x3164, 0x3164), (0xe000, 0xf8ff), (0xfdd0, 0xfdef), (0xfe00, 0xfe0f), (0xfeff, 0xfeff),
    (0xffa0, 0xffa0), (0xfff0, 0xfffc), (0xfffe, 0xffff), (0x110bd, 0x110bd), (0x110cd, 0x110cd),
    (0x13430, 0x1345f), (0x1bca0, 0x1bca3), (0x1d173, 0x1d17a), (0xe0000, 0x10_ffff),
];

/// True for a character that must never reach a terminal as itself.
pub fn is_hidden(c: char) -> bool {
    let code = u32::from(c);
    let at = HIDDEN.partition_point(|(_, end)| *end < code);
    HIDDEN.get(at).is_some_and(|(start, _)| *start <= code) || code & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The regex engine's own Unicode tables are the second opinion.
    #[test]
    fn every_control_format_and_separator_character_is_hidden() {
        let oracle = fancy_regex::Regex::new(
            r"\A[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Zs}\p{Co}\p{Default_Ignorable_Code_Point}]\z",
        )
        .expect("pattern");
        for c in '\0'..=char::MAX {
            let bad = c != ' ' && oracle.is_match(&c.to_string()).expect("match");
            assert!(!bad || nature(c) == Nature::Hidden, "U+{:04X} is let through", u32::from(c));
        }
    }

    #[test]
    fn stand_ins_are_narrow_and_visible() {
        for c in ('\0'..=char::MAX).filter(|c| nature(*c) == Nature::Hidden) {
            for s in stand_in(c).chars() {
                assert_eq!(nature(s), Nature::Visible(1), "stand-in of U+{:04X}", u32::from(c));
            }
        }
    }
}
