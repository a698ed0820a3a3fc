//! From text or bytes to glyphs, and the width of what is drawn.

use unicode_segmentation::UnicodeSegmentation;

use super::glyph::{Glyph, GlyphKind, MAX_MARKS, Nature, nature, stand_in};

/// How the ordinary space is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spaces {
    /// As `·`: in tokens, where a space is content.
    Shown,
    /// As a blank: in prose such as titles and messages.
    Blank,
}

/// The glyphs of a text, in order; their sources cover it without a gap.
pub fn glyphs(text: &str, spaces: Spaces) -> Vec<Glyph> {
    let mut out = Vec::with_capacity(text.len());
    push_text(text, 0, spaces, &mut out);
    out
}

/// The glyphs of bytes that need not be text: whole characters as themselves, the others byte by byte.
pub fn glyphs_of_bytes(bytes: &[u8], spaces: Spaces) -> Vec<Glyph> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    for chunk in bytes.utf8_chunks() {
        push_text(chunk.valid(), at, spaces, &mut out);
        at += chunk.valid().len();
        for byte in chunk.invalid() {
            out.push(Glyph::byte(*byte, at));
            at += 1;
        }
    }
    out
}

/// A text that is safe to print: blanks stay, everything else hidden becomes a stand-in.
pub fn plain(text: &str) -> String {
    glyphs(text, Spaces::Blank).into_iter().map(|g| g.text).collect()
}

/// Cells that a text takes once it went through this module.
pub fn width(text: &str) -> usize {
    glyphs_width(&glyphs(text, Spaces::Blank))
}

/// Cells that glyphs take.
pub fn glyphs_width(glyphs: &[Glyph]) -> usize {
    glyphs.iter().map(|g| usize::from(g.width)).sum()
}

fn push_text(text: &str, offset: usize, spaces: Spaces, out: &mut Vec<Glyph>) {
    for (at, cluster) in text.grapheme_indices(true) {
        push_cluster(cluster, offset + at, spaces, out);
    }
}

/// One grapheme. A base with its marks stays together; whatever else a cluster joins is drawn one by one, as
/// terminals do not agree on the width of joined characters.
fn push_cluster(cluster: &str, offset: usize, spaces: Spaces, out: &mut Vec<Glyph>) {
    let mut open: Option<(usize, usize)> = None; // index of the glyph that takes marks, and how many it has
    for (at, c) in cluster.char_indices() {
        let source = offset + at..offset + at + c.len_utf8();
        let mut buffer = [0; 4];
        match nature(c) {
            Nature::Visible(1) if c == ' ' => {
                open = None;
                out.push(match spaces {
                    Spaces::Shown => Glyph::stand_in(stand_in(c), GlyphKind::StandIn, source),
                    Spaces::Blank => Glyph::plain(" ", 1, source),
                });
            }
            Nature::Visible(cells) => {
                out.push(Glyph::plain(c.encode_utf8(&mut buffer), cells, source));
                open = Some((out.len() - 1, 0));
            }
            Nature::Mark => match open.and_then(|(index, marks)| Some((out.get_mut(index)?, marks))) {
                Some((base, marks)) if marks < MAX_MARKS => {
                    base.text.push(c);
                    base.source.end = source.end;
                    open = open.map(|(index, _)| (index, marks + 1));
                }
                Some(_) => {
                    open = None;
                    out.push(number(c, source));
                }
                None => out.push(number(c, source)),
            },
            Nature::Hidden => {
                open = None;
                out.push(Glyph::stand_in(stand_in(c), GlyphKind::StandIn, source));
            }
        }
    }
}

/// A mark without a base, as its number.
fn number(c: char, source: std::ops::Range<usize>) -> Glyph {
    Glyph::stand_in(format!("⟨U+{:04X}⟩", u32::from(c)), GlyphKind::StandIn, source)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        glyphs(text, Spaces::Shown).into_iter().map(|g| g.text).collect()
    }

    #[test]
    fn what_ratatui_hides_is_shown() {
        let cases = [
            ("a\tb", "a→b"),
            ("a\r\nb", "a␍↵b"),
            ("a b", "a·b"),
            ("a\u{200b}b", "a⟨U+200B⟩b"),
            ("a\u{ad}b", "a⟨U+00AD⟩b"),
            ("\u{202e}evil", "⟨U+202E⟩evil"),
            ("\u{1b}[31m", "␛[31m"),
            ("\u{301}e", "⟨U+0301⟩e"),
            ("e\u{301}", "e\u{301}"),
            ("👨\u{200d}👩", "👨⟨U+200D⟩👩"),
            ("\u{a0}", "⍽"),
            ("", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(shown(text), expected, "{text:?}");
        }
    }

    #[test]
    fn broken_characters_are_bytes() {
        let cut: String =
            glyphs_of_bytes(b"ab\xe2\x80 \xff", Spaces::Shown).into_iter().map(|g| g.text).collect();
        assert_eq!(cut, "ab⟨e2⟩⟨80⟩·⟨ff⟩");
    }

    #[test]
    fn piled_up_marks_leave_the_cell() {
        let text = format!("a{}", "\u{301}".repeat(40));
        let glyphs = glyphs(&text, Spaces::Shown);
        assert_eq!(glyphs[0].text.chars().count(), 1 + MAX_MARKS);
        assert_eq!(glyphs.last().map(|g| g.source.end), Some(text.len()));
    }

    #[test]
    fn width_counts_wide_characters_twice() {
        assert_eq!(width("漢字 a"), 6);
        assert_eq!(width("a\tb"), 3);
    }
}
