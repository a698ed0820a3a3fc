//! Properties of safe display: nothing that a terminal acts on gets through, and width is what is drawn.

use maskscope::text::{Spaces, glyphs, glyphs_of_bytes, glyphs_width, plain, width};
use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Characters that hide, reorder or join, mixed with ordinary ones.
fn nasty() -> impl Strategy<Value = String> {
    let special = prop::sample::select(vec![
        '\u{0}',
        '\t',
        '\n',
        '\r',
        '\u{1b}',
        '\u{7f}',
        '\u{9b}',
        '\u{ad}',
        '\u{200b}',
        '\u{200d}',
        '\u{202e}',
        '\u{2066}',
        '\u{feff}',
        '\u{fe0f}',
        '\u{301}',
        '\u{20e3}',
        '\u{e0041}',
        '\u{1f1e9}',
        '\u{1f468}',
        '漢',
        '\u{1100}',
        '\u{1161}',
        '\u{11a8}',
        '\u{915}',
        '\u{94d}',
        '\u{937}',
        '\u{644}',
        '\u{627}',
        '\u{1f3fd}',
    ]);
    prop::collection::vec(prop_oneof![special, any::<char>(), prop::char::range(' ', '~')], 0..40)
        .prop_map(|chars| chars.into_iter().collect())
}

fn acts_on_a_terminal(c: char) -> bool {
    let pattern = fancy_regex::Regex::new(r"[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]").expect("pattern");
    pattern.is_match(&c.to_string()).expect("match")
}

proptest! {
    #[test]
    fn no_control_or_format_character_gets_through(text in nasty()) {
        let bad = plain(&text).chars().find(|c| acts_on_a_terminal(*c));
        prop_assert_eq!(bad, None);
    }

    #[test]
    fn sources_cover_the_text_without_a_gap(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let mut at = 0;
        for glyph in glyphs_of_bytes(&bytes, Spaces::Shown) {
            prop_assert_eq!(glyph.source.start, at);
            prop_assert!(glyph.source.end > at);
            at = glyph.source.end;
        }
        prop_assert_eq!(at, bytes.len());
    }

    #[test]
    fn shown_width_equals_cells_used(text in nasty()) {
        let glyphs = glyphs(&text, Spaces::Shown);
        let mut buffer = Buffer::empty(Rect::new(0, 0, 600, 1));
        let mut x = 0;
        for glyph in &glyphs {
            let (next, _) = buffer.set_stringn(x, 0, &glyph.text, usize::MAX, Style::new());
            prop_assert_eq!(next - x, glyph.width, "{:?}", glyph);
            x = next;
        }
        prop_assert_eq!(usize::from(x), glyphs_width(&glyphs));
        prop_assert!(width(&text) <= glyphs_width(&glyphs));
    }
}
