//! stand-in until the ui branch lands
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}
pub fn visible(t: &str) -> String {
    t.chars().map(|c| if is_unsafe(c) { format!("<{:x}>", c as u32) } else { c.to_string() }).collect()
}
pub fn visible_bytes(b: &[u8]) -> String {
    visible(&String::from_utf8_lossy(b)).replace(' ', "·")
}
pub fn width(t: &str) -> usize {
    unicode_width::UnicodeWidthStr::width(t)
}
