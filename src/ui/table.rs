//! A plain table: a header line, a rule, rows; columns as wide as their widest cell.

use super::canvas::Canvas;
use super::theme::Meaning;
use crate::app::Area;
use crate::text::width;

/// One cell.
#[derive(Debug, Clone)]
pub struct Cell {
    pub text: String,
    pub meaning: Meaning,
}

impl Cell {
    /// A cell.
    pub fn new(text: impl Into<String>, meaning: Meaning) -> Self {
        Self { text: text.into(), meaning }
    }
}

/// Cells between two columns.
const GAP: u16 = 2;

/// Draws header and rows; gives the lines used. The last column is cut where the area ends.
pub fn table(canvas: &mut Canvas<'_>, area: Area, header: &[&str], rows: &[Vec<Cell>]) -> u16 {
    let cell = |row: &[Cell], n: usize| row.get(n).map_or(0, |c| width(&c.text));
    let widest = |n: usize, title: &str| rows.iter().map(|r| cell(r, n)).max().unwrap_or(0).max(width(title));
    let widths: Vec<u16> = header
        .iter()
        .enumerate()
        .map(|(n, title)| u16::try_from(widest(n, title)).unwrap_or(u16::MAX).min(area.width))
        .collect();
    let end = area.x + area.width;
    let mut x = area.x;
    for (title, wide) in header.iter().zip(&widths) {
        let spot = Area { x, width: (*wide).min(end.saturating_sub(x)), ..area.line(0) };
        canvas.text(spot, title, Meaning::Quiet);
        x = x.saturating_add(wide + GAP).min(end);
    }
    for (n, row) in rows.iter().enumerate() {
        let line = area.line(u16::try_from(n + 1).unwrap_or(u16::MAX));
        let mut x = area.x;
        for (cell, wide) in row.iter().zip(&widths) {
            let spot = Area { x, width: (*wide).min(end.saturating_sub(x)), ..line };
            canvas.text(spot, &cell.text, cell.meaning);
            x = x.saturating_add(wide + GAP).min(end);
        }
    }
    u16::try_from(rows.len() + 1).unwrap_or(u16::MAX).min(area.height)
}
