//! The screen in ASCII, for terminals that show nothing else: the console of Linux, and locales without UTF-8.
//!
//! Every cell keeps its width, so that nothing moves: a glyph becomes one that looks like it, or a question mark.

use ratatui::buffer::Buffer;

/// Glyphs of the screens and what stands for them; everything else that is no ASCII becomes `?`.
const STAND_INS: [(&str, &str); 12] = [
    ("│┃╎", "|"),
    ("├┤┬┴┌┐└┘╭╮╯╰", "+"),
    ("─–−", "-"),
    ("·⋯…", "."),
    ("►▸›→↳⟩⟧»", ">"),
    ("◄‹←⟨⟦«", "<"),
    ("↑▲", "^"),
    ("↓▾", "v"),
    ("▌▓█▇▆▅", "#"),
    ("▄▃▂▁", "_"),
    ("✗✂×", "x"),
    ("✓", "+"),
];

/// One more of them for single signs.
const SIGNS: [(char, &str); 6] = [('∅', "0"), ('≠', "!"), ('Δ', "d"), ('÷', "/"), ('↵', "$"), ('○', "o")];

/// True where the terminal is the console of Linux, or the locale is one without UTF-8. Where no locale is set, as in many
/// containers, nothing is known against Unicode.
pub fn is_wanted(variable: impl Fn(&str) -> Option<String>) -> bool {
    if variable("TERM").as_deref() == Some("linux") {
        return true;
    }
    let set = |name: &&str| variable(name).filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(set);
    locale.is_some_and(|locale| !locale.to_lowercase().replace('-', "").contains("utf8"))
}

/// Replaces every glyph that is no ASCII.
pub fn replace(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        if !cell.symbol().is_ascii() {
            let symbol = stand_in(cell.symbol());
            cell.set_symbol(symbol);
        }
    }
}

fn stand_in(glyph: &str) -> &'static str {
    let Some(first) = glyph.chars().next() else { return " " };
    let sign = SIGNS.iter().find(|(sign, _)| *sign == first).map(|(_, text)| *text);
    let alike = || STAND_INS.iter().find(|(glyphs, _)| glyphs.contains(first)).map(|(_, text)| *text);
    sign.or_else(alike).unwrap_or("?")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::layout::Rect;

    #[test]
    fn the_console_and_old_locales_get_ascii() {
        let of = |pairs: &[(&str, &str)]| {
            is_wanted(|name| pairs.iter().find(|(n, _)| *n == name).map(|(_, value)| value.to_string()))
        };
        assert!(of(&[("TERM", "linux"), ("LANG", "en_US.UTF-8")]));
        assert!(of(&[("LANG", "C")]) && of(&[("LC_ALL", "POSIX"), ("LANG", "en_US.UTF-8")]));
        assert!(of(&[("LC_CTYPE", "de_DE.ISO-8859-1")]));
        assert!(!of(&[]) && !of(&[("LANG", "C.UTF-8")]) && !of(&[("LC_ALL", ""), ("LANG", "ja_JP.utf8")]));
    }

    #[test]
    fn nothing_but_ascii_is_left_and_every_cell_stays() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 12, 1));
        buffer.set_string(0, 0, "│✓ ⟨漢é⟩ █ →", ratatui::style::Style::new());
        replace(&mut buffer);
        let text: String = buffer.content.iter().map(|cell| cell.symbol()).collect();
        assert!(text.is_ascii(), "{text}");
        assert!(text.starts_with("|+ <?"), "{text}");
        assert_eq!(buffer.content.len(), 12);
    }
}
