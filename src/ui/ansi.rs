//! A frame as text, with or without terminal colours, for printing it.

use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};

use crate::text::width;

/// The frame's text, one line a row, blanks at the ends cut.
pub fn to_text(buffer: &Buffer) -> String {
    rows(buffer, |_, _| String::new(), "")
}

/// The frame's text with SGR sequences; every row ends reset.
pub fn to_ansi(buffer: &Buffer) -> String {
    let mut last = String::new();
    rows(
        buffer,
        |cell, first| {
            let style = sgr(cell);
            if first {
                last.clear();
            }
            if style == last {
                return String::new();
            }
            last.clone_from(&style);
            format!("\x1b[0{style}m")
        },
        "\x1b[0m",
    )
}

fn rows(
    buffer: &Buffer,
    mut before: impl FnMut(&ratatui::buffer::Cell, bool) -> String,
    end: &str,
) -> String {
    let mut out = String::new();
    for y in 0..buffer.area.height {
        let mut line = String::new();
        let mut x = 0;
        while x < buffer.area.width {
            let Some(cell) = buffer.cell((x, y)) else { break };
            line += &before(cell, x == 0);
            line += cell.symbol();
            x += u16::try_from(width(cell.symbol())).unwrap_or(1).max(1);
        }
        line += end;
        out += if end.is_empty() { line.trim_end() } else { &line };
        out.push('\n');
    }
    out
}

fn sgr(cell: &ratatui::buffer::Cell) -> String {
    const MODIFIERS: [(Modifier, &str); 6] = [
        (Modifier::BOLD, ";1"),
        (Modifier::DIM, ";2"),
        (Modifier::ITALIC, ";3"),
        (Modifier::UNDERLINED, ";4"),
        (Modifier::REVERSED, ";7"),
        (Modifier::CROSSED_OUT, ";9"),
    ];
    let mut out: String =
        MODIFIERS.iter().filter(|(m, _)| cell.modifier.contains(*m)).map(|(_, code)| *code).collect();
    out += &color(cell.fg, 30);
    out += &color(cell.bg, 40);
    out
}

/// The code of a colour; `base` is 30 for text and 40 for its ground.
fn color(color: Color, base: u16) -> String {
    let basic = |n: u16| format!(";{}", base + n);
    let bright = |n: u16| format!(";{}", base + 60 + n);
    match color {
        Color::Reset => String::new(),
        Color::Black => basic(0),
        Color::Red => basic(1),
        Color::Green => basic(2),
        Color::Yellow => basic(3),
        Color::Blue => basic(4),
        Color::Magenta => basic(5),
        Color::Cyan => basic(6),
        Color::Gray => basic(7),
        Color::DarkGray => bright(0),
        Color::LightRed => bright(1),
        Color::LightGreen => bright(2),
        Color::LightYellow => bright(3),
        Color::LightBlue => bright(4),
        Color::LightMagenta => bright(5),
        Color::LightCyan => bright(6),
        Color::White => bright(7),
        Color::Indexed(n) => format!(";{};5;{n}", base + 8),
        Color::Rgb(r, g, b) => format!(";{};2;{r};{g};{b}", base + 8),
    }
}
