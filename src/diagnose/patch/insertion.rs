//! Texts put into files at byte offsets, and the diff of what comes out.

use std::collections::BTreeMap;

use similar::TextDiff;

use crate::error::Result;
use crate::repository::Checkout;

/// Texts to put into files: file → offset and text. What is put at one place stays in the order in which it was named.
#[derive(Debug, Clone, Default)]
pub struct Insertions(BTreeMap<String, Vec<(usize, String)>>);

impl Insertions {
    /// Puts a text into a file. `at` is an offset in the text as it stands on disk.
    pub fn put(&mut self, file: &str, at: usize, text: String) {
        self.0.entry(file.to_string()).or_default().push((at, text));
    }

    /// The texts of the changed files.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn texts(&self, checkout: &Checkout) -> Result<BTreeMap<String, String>> {
        let mut texts = BTreeMap::new();
        for (file, inserts) in &self.0 {
            texts.insert(file.clone(), inserted(&checkout.read(file)?, inserts));
        }
        Ok(texts)
    }
}

fn inserted(text: &str, inserts: &[(usize, String)]) -> String {
    let mut inserts: Vec<&(usize, String)> = inserts.iter().collect();
    inserts.sort_by_key(|(at, _)| *at);
    let mut out = String::with_capacity(text.len());
    let mut last = 0;
    for (at, piece) in inserts {
        out.push_str(text.get(last..*at).unwrap_or_default());
        // Behind a last line without its line end.
        if *at == text.len() && !out.is_empty() && !out.ends_with('\n') && piece.ends_with('\n') {
            out.push_str(line_end(text));
        }
        out.push_str(piece);
        last = *at;
    }
    out.push_str(text.get(last..).unwrap_or_default());
    out
}

/// The line end of a text: that of its first line.
pub fn line_end(text: &str) -> &'static str {
    match text.split_once('\n') {
        Some((first, _)) if first.ends_with('\r') => "\r\n",
        _ => "\n",
    }
}

/// Lines with an indentation in front of each that is not empty, and that line end.
pub fn indented(lines: &str, indent: &str, line_end: &str) -> String {
    let line = |line: &str| match line {
        "" => line_end.to_string(),
        line => format!("{indent}{line}{line_end}"),
    };
    lines.lines().map(line).collect()
}

/// One level more than `indent`, by the unit of the file.
pub fn deeper(indent: &str, unit: &str) -> String {
    let unit = if unit.contains('\t') { "\t" } else { "    " };
    format!("{indent}{unit}")
}

/// A file's change for `git apply` and `patch -p1`; `before` is `None` for a new file.
pub fn unified_diff(file: &str, before: Option<&str>, after: &str) -> String {
    let old = before.map_or("/dev/null".to_string(), |_| format!("a/{file}"));
    // Lines as git has them: a lone carriage return ends none.
    let old_lines: Vec<&str> = before.unwrap_or_default().split_inclusive('\n').collect();
    let new_lines: Vec<&str> = after.split_inclusive('\n').collect();
    let diff = TextDiff::configure().newline_terminated(true).diff_slices(&old_lines, &new_lines);
    diff.unified_diff().context_radius(3).header(&old, &format!("b/{file}")).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_go_in_without_moving_each_other() {
        let inserts = [(2, "X\n".to_string()), (0, "A\n".to_string()), (2, "Y\n".to_string())];
        assert_eq!(inserted("a\nb\n", &inserts), "A\na\nX\nY\nb\n");
        assert_eq!(inserted("a\r\nb", &[(4, "X\r\n".to_string())]), "a\r\nb\r\nX\r\n");
        assert_eq!(indented("x\n\ny", "\t", "\r\n"), "\tx\r\n\r\n\ty\r\n");
    }

    #[test]
    fn a_lone_carriage_return_ends_no_line() {
        let diff = unified_diff("t.py", Some("a\rb\nc"), "a\rb\nX\nc");
        assert!(diff.ends_with("@@ -1,2 +1,3 @@\n a\rb\n+X\n c\n\\ No newline at end of file\n"), "{diff:?}");
    }

    #[test]
    fn a_new_file_is_a_diff_against_nothing() {
        let diff = unified_diff("tests/t.py", None, "x = 1\n");
        assert!(diff.starts_with("--- /dev/null\n+++ b/tests/t.py\n@@ -0,0 +1 @@\n+x = 1\n"), "{diff}");
    }
}
