//! A text of several lines with a cursor: what the template editor edits. Tabs and control characters are kept as they
//! are; whoever draws makes them visible.

/// Lines and a cursor. There is always one line at least, and the cursor lies in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextBuffer {
    lines: Vec<String>,
    row: usize,
    /// In characters.
    column: usize,
}

impl TextBuffer {
    /// A text with the cursor at its beginning.
    pub fn new(text: &str) -> Self {
        Self { lines: text.split('\n').map(String::from).collect(), row: 0, column: 0 }
    }

    /// The whole text.
    pub fn text(&self) -> String {
        self.lines.join("\n")
    }

    /// The lines, without their ends.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// Line and character of the cursor, from 0.
    pub fn cursor(&self) -> (usize, usize) {
        (self.row, self.column)
    }

    fn line(&self) -> &str {
        self.lines.get(self.row).map_or("", String::as_str)
    }

    fn len(&self) -> usize {
        self.line().chars().count()
    }

    /// The byte of the cursor in its line.
    fn byte(&self) -> usize {
        self.line().char_indices().nth(self.column).map_or(self.line().len(), |(at, _)| at)
    }

    /// Puts a character at the cursor; a line feed breaks the line.
    pub fn insert(&mut self, c: char) {
        if c == '\n' {
            return self.break_line();
        }
        let at = self.byte();
        if let Some(line) = self.lines.get_mut(self.row) {
            line.insert(at, c);
            self.column += 1;
        }
    }

    fn break_line(&mut self) {
        let at = self.byte();
        let Some(line) = self.lines.get_mut(self.row) else { return };
        let rest = line.split_off(at);
        self.row += 1;
        self.column = 0;
        self.lines.insert(self.row, rest);
    }

    /// Takes the character before the cursor away, or joins two lines.
    pub fn delete_back(&mut self) {
        if (self.row, self.column) == (0, 0) {
            return;
        }
        self.left();
        self.delete_forward();
    }

    /// Takes the character at the cursor away, or joins the next line.
    pub fn delete_forward(&mut self) {
        let at = self.byte();
        if at < self.line().len() {
            if let Some(line) = self.lines.get_mut(self.row) {
                line.remove(at);
            }
        } else if self.row + 1 < self.lines.len() {
            let next = self.lines.remove(self.row + 1);
            if let Some(line) = self.lines.get_mut(self.row) {
                line.push_str(&next);
            }
        }
    }

    /// Takes blanks and then letters before the cursor away, in this line.
    pub fn delete_word(&mut self) {
        let before: Vec<char> = self.line().chars().take(self.column).collect();
        let blanks = before.iter().rev().take_while(|c| c.is_whitespace()).count();
        let letters = before.iter().rev().skip(blanks).take_while(|c| !c.is_whitespace()).count();
        for _ in 0..blanks + letters {
            self.delete_back();
        }
    }

    /// Empties the line of the cursor.
    pub fn clear_line(&mut self) {
        if let Some(line) = self.lines.get_mut(self.row) {
            line.clear();
        }
        self.column = 0;
    }

    /// A character to the left, over the line's beginning too.
    pub fn left(&mut self) {
        if self.column > 0 {
            self.column -= 1;
        } else if self.row > 0 {
            self.row -= 1;
            self.column = self.len();
        }
    }

    /// A character to the right, over the line's end too.
    pub fn right(&mut self) {
        if self.column < self.len() {
            self.column += 1;
        } else if self.row + 1 < self.lines.len() {
            (self.row, self.column) = (self.row + 1, 0);
        }
    }

    /// Lines up or down.
    pub fn vertical(&mut self, by: isize) {
        self.row = self.row.saturating_add_signed(by).min(self.lines.len().saturating_sub(1));
        self.column = self.column.min(self.len());
    }

    /// To the beginning of the line.
    pub fn home(&mut self) {
        self.column = 0;
    }

    /// To the end of the line.
    pub fn end(&mut self) {
        self.column = self.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_and_join() {
        let mut buffer = TextBuffer::new("ab\nçd");
        buffer.right();
        buffer.insert('\n');
        assert_eq!((buffer.text().as_str(), buffer.cursor()), ("a\nb\nçd", (1, 0)));
        buffer.delete_back();
        assert_eq!((buffer.text().as_str(), buffer.cursor()), ("ab\nçd", (0, 1)));
        buffer.end();
        buffer.delete_forward();
        assert_eq!((buffer.text().as_str(), buffer.cursor()), ("abçd", (0, 2)));
        buffer.insert('é');
        buffer.right();
        buffer.delete_back();
        assert_eq!(buffer.text(), "abéd");
    }

    #[test]
    fn words_and_lines_go() {
        let mut buffer = TextBuffer::new("{% if x %}\nend");
        buffer.end();
        buffer.delete_word();
        assert_eq!(buffer.lines()[0], "{% if x ");
        buffer.clear_line();
        assert_eq!((buffer.text().as_str(), buffer.cursor()), ("\nend", (0, 0)));
        buffer.delete_back();
        assert_eq!(buffer.text(), "\nend");
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
    }
}
