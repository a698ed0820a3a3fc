//! A frame as text, with or without terminal colours, for printing it.

use anstyle::{Reset, Style};
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::Color;

use crate::text::width;

/// The frame's text, one line a row, blanks at the ends cut.
pub fn to_text(buffer: &Buffer) -> String {
    (0..buffer.area.height).map(|y| row(buffer, y, |_| String::new()).trim_end().to_string() + "\n").collect()
}

/// The frame's text with SGR sequences; every row ends reset.
pub fn to_ansi(buffer: &Buffer) -> String {
    let mut out = String::new();
    for y in 0..buffer.area.height {
        let mut last = None;
        out += &row(buffer, y, |cell| {
            let style = style(cell);
            match last.replace(style) {
                Some(before) if before == style => String::new(),
                _ => format!("{Reset}{style}"),
            }
        });
        out += &format!("{Reset}\n");
    }
    out
}

/// The symbols of one row, each with what `before` puts in front of it.
fn row(buffer: &Buffer, y: u16, mut before: impl FnMut(&Cell) -> String) -> String {
    let mut line = String::new();
    let mut x = 0;
    while let Some(cell) = buffer.cell((x, y)) {
        line += &before(cell);
        line += cell.symbol();
        // A wide symbol covers the cells behind it.
        x += u16::try_from(width(cell.symbol())).unwrap_or(1).max(1);
    }
    line
}

fn style(cell: &Cell) -> Style {
    let color = |color: Color| (color != Color::Reset).then(|| color.into());
    Style::new().fg_color(color(cell.fg)).bg_color(color(cell.bg)).effects(cell.modifier.into())
}
