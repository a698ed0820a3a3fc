//! A text of several lines with a cursor: what the editors of a turn and of a template change. Tabs and control
//! characters are kept as they are; whoever draws makes them visible.
//!
//! Hand-written over the rope of `ropey`: the text-area crates that fit (`ratatui-textarea`, `edtui`) are widgets with
//! ratatui's types in their interface, and `app` draws nothing. A change costs the logarithm of the text and what is
//! put in.

use std::ops::Range;

use ropey::Rope;

/// A text and a cursor that lies in it. There is always one line at least.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextBuffer {
    text: Rope,
    /// In characters, from the beginning of the text.
    cursor: usize,
}

impl TextBuffer {
    /// A text with the cursor at its beginning.
    pub fn new(text: &str) -> Self {
        Self { text: Rope::from_str(text), cursor: 0 }
    }

    /// The same with the cursor at the end.
    #[must_use]
    pub fn at_end(mut self) -> Self {
        self.cursor = self.text.len_chars();
        self
    }

    /// The whole text.
    pub fn text(&self) -> String {
        self.text.to_string()
    }

    /// Number of lines: one more than there are line feeds.
    pub fn len_lines(&self) -> usize {
        self.text.len_lines()
    }

    /// The characters of line `row`, without the line feed; none behind the last line.
    pub fn line(&self, row: usize) -> impl Iterator<Item = char> + '_ {
        let line = self.text.get_line(row).into_iter();
        line.flat_map(|line| line.chars()).take_while(|c| *c != '\n')
    }

    /// The characters from position `start` on.
    pub fn chars_from(&self, start: usize) -> impl Iterator<Item = char> + '_ {
        self.text.get_chars_at(start).into_iter().flatten()
    }

    /// Line and character of the cursor, from 0.
    pub fn cursor(&self) -> (usize, usize) {
        let row = self.row();
        (row, self.cursor - self.text.line_to_char(row))
    }

    /// The cursor in characters from the beginning of the text.
    pub fn position(&self) -> usize {
        self.cursor
    }

    fn row(&self) -> usize {
        self.text.char_to_line(self.cursor)
    }

    /// First and last place of the cursor in line `row`.
    fn ends(&self, row: usize) -> Range<usize> {
        let last = row + 1 >= self.len_lines();
        let end = if last { self.text.len_chars() } else { self.text.line_to_char(row + 1) - 1 };
        self.text.line_to_char(row)..end
    }

    /// Puts a text in front of the cursor.
    pub fn insert(&mut self, text: &str) {
        let before = self.text.len_chars();
        self.text.insert(self.cursor, text);
        self.cursor += self.text.len_chars() - before;
    }

    fn remove(&mut self, range: Range<usize>) {
        self.text.remove(range.clone());
        self.cursor = range.start;
    }

    /// Takes the character before the cursor away, or joins two lines.
    pub fn delete_back(&mut self) {
        self.remove(self.cursor.saturating_sub(1)..self.cursor);
    }

    /// Takes the character at the cursor away, or joins the next line.
    pub fn delete_forward(&mut self) {
        self.remove(self.cursor..(self.cursor + 1).min(self.text.len_chars()));
    }

    /// Takes blanks and then letters before the cursor away, in this line; at its beginning, joins two lines.
    pub fn delete_word(&mut self) {
        let before = |at: usize| self.text.chars_at(at).reversed().take_while(|c| *c != '\n');
        let blanks = before(self.cursor).take_while(|c| c.is_whitespace()).count();
        let letters = before(self.cursor - blanks).take_while(|c| !c.is_whitespace()).count();
        match blanks + letters {
            0 => self.delete_back(),
            count => self.remove(self.cursor - count..self.cursor),
        }
    }

    /// Empties the line of the cursor.
    pub fn clear_line(&mut self) {
        self.remove(self.ends(self.row()));
    }

    /// Empties the text.
    pub fn clear(&mut self) {
        self.remove(0..self.text.len_chars());
    }

    /// A character to the left, over the line's beginning too.
    pub fn left(&mut self) {
        self.cursor = self.cursor.saturating_sub(1);
    }

    /// A character to the right, over the line's end too.
    pub fn right(&mut self) {
        self.cursor = (self.cursor + 1).min(self.text.len_chars());
    }

    /// Lines up or down.
    pub fn vertical(&mut self, by: isize) {
        let (row, column) = self.cursor();
        let ends = self.ends(row.saturating_add_signed(by).min(self.len_lines() - 1));
        self.cursor = (ends.start + column).min(ends.end);
    }

    /// To the beginning of the line.
    pub fn home(&mut self) {
        self.cursor = self.ends(self.row()).start;
    }

    /// To the end of the line.
    pub fn end(&mut self) {
        self.cursor = self.ends(self.row()).end;
    }

    /// To the beginning of the text.
    pub fn first(&mut self) {
        self.cursor = 0;
    }

    /// To the end of the text.
    pub fn last(&mut self) {
        self.cursor = self.text.len_chars();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_and_join() {
        let mut buffer = TextBuffer::new("ab\nçd");
        buffer.right();
        buffer.insert("\n");
        assert_eq!((buffer.text().as_str(), buffer.cursor()), ("a\nb\nçd", (1, 0)));
        buffer.delete_back();
        assert_eq!((buffer.text().as_str(), buffer.cursor()), ("ab\nçd", (0, 1)));
        buffer.end();
        buffer.delete_forward();
        assert_eq!((buffer.text().as_str(), buffer.cursor()), ("abçd", (0, 2)));
        buffer.insert("é");
        buffer.right();
        buffer.delete_back();
        assert_eq!(buffer.text(), "abéd");
    }

    #[test]
    fn words_and_lines_go() {
        let mut buffer = TextBuffer::new("{% if x %}\nend");
        buffer.end();
        buffer.delete_word();
        assert_eq!(buffer.line(0).collect::<String>(), "{% if x ");
        buffer.clear_line();
        assert_eq!((buffer.text().as_str(), buffer.cursor()), ("\nend", (0, 0)));
        buffer.delete_back();
        assert_eq!(buffer.text(), "\nend");
        buffer.last();
        buffer.delete_forward();
        buffer.delete_word();
        buffer.delete_word();
        assert_eq!((buffer.text().as_str(), buffer.cursor()), ("", (0, 0)));
    }

    #[test]
    fn the_cursor_stays_in_the_text() {
        let mut buffer = TextBuffer::new("long line\n\nx");
        buffer.end();
        buffer.vertical(1);
        assert_eq!(buffer.cursor(), (1, 0));
        buffer.vertical(9);
        buffer.right();
        buffer.right();
        assert_eq!(buffer.cursor(), (2, 1));
        buffer.vertical(-9);
        buffer.left();
        buffer.left();
        assert_eq!(buffer.cursor(), (0, 0));
        buffer.last();
        assert_eq!(buffer.cursor(), (2, 1));
        buffer.clear();
        assert_eq!((buffer.len_lines(), buffer.cursor()), (1, (0, 0)));
    }

    #[test]
    fn only_a_line_feed_ends_a_line() {
        let mut buffer = TextBuffer::new("a\r\u{85}\u{2028}b\u{b}");
        buffer.last();
        buffer.insert("\r\n");
        assert_eq!((buffer.len_lines(), buffer.cursor()), (2, (1, 0)));
        assert_eq!(buffer.line(0).last(), Some('\r'));
    }
}
