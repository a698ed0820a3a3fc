//! Columns of text, as wide as their widest cell.

use crate::text;

/// The lines of a table: a heading, then the rows. The last column is not padded.
pub fn table(columns: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let heading: Vec<String> = columns.iter().map(|c| c.to_string()).collect();
    let all: Vec<Vec<String>> =
        std::iter::once(&heading).chain(rows).map(|r| r.iter().map(|c| text::plain(c)).collect()).collect();
    let width =
        |column: usize| all.iter().filter_map(|r| r.get(column)).map(|c| text::width(c)).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell}{}", " ".repeat(width.saturating_sub(text::width(cell)))));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_string()
    };
    all.iter().map(line).collect()
}
