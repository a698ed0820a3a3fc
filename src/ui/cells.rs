//! A frame as a page or a picture: the cells of the screen with their looks, for sharing.

use std::fmt::Write;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

use crate::app::Background;
use crate::report::{Run, Visible, page, picture};
use crate::text::width;

/// Text and ground where a cell names none: dark, then light.
const DARK: (Rgb, Rgb) = ((0xe6, 0xe9, 0xec), (0x14, 0x17, 0x1b));
const LIGHT: (Rgb, Rgb) = ((0x1b, 0x1f, 0x24), (0xff, 0xff, 0xff));

/// The 16 colours of terminals, as xterm has them.
#[rustfmt::skip]
const BASIC: [Rgb; 16] = [
    (0x00, 0x00, 0x00), (0xcd, 0x00, 0x00), (0x00, 0xcd, 0x00), (0xcd, 0xcd, 0x00), (0x00, 0x00, 0xee), (0xcd, 0x00, 0xcd),
    (0x00, 0xcd, 0xcd), (0xe5, 0xe5, 0xe5), (0x7f, 0x7f, 0x7f), (0xff, 0x00, 0x00), (0x00, 0xff, 0x00), (0xff, 0xff, 0x00),
    (0x5c, 0x5c, 0xff), (0xff, 0x00, 0xff), (0x00, 0xff, 0xff), (0xff, 0xff, 0xff),
];

type Rgb = (u8, u8, u8);

/// The look of a cell with every colour resolved.
#[derive(Clone, PartialEq, Eq)]
struct Look {
    text: Rgb,
    /// `None` for the frame's own ground.
    ground: Option<Rgb>,
    modifier: Modifier,
}

/// The frame as a page.
pub fn to_html(buffer: &Buffer, background: Background, title: &str) -> String {
    let (text, ground) = plain(background);
    let style = format!(
        "color:{};background:{};white-space:pre;overflow-x:auto;font-size:14px;line-height:1.3;width:max-content;max-width:100%",
        hex(text),
        hex(ground)
    );
    let body = maud::html! {
        pre style=(style) {
            @for line in looks(buffer, background) {
                @for (text, look) in line {
                    span style=(css(&look)) { (Visible(&text)) }
                }
                "\n"
            }
        }
    };
    page(title, &body)
}

/// The frame as a picture.
pub fn to_svg(buffer: &Buffer, background: Background, title: &str) -> String {
    let lines: Vec<Vec<Run>> = looks(buffer, background)
        .into_iter()
        .map(|line| {
            let run = |(text, look): (String, Look)| Run {
                cells: width(&text),
                attributes: format!("style=\"{}\"", svg_css(&look)),
                ground: look.ground.map(|ground| format!("fill=\"{}\"", hex(ground))),
                text,
            };
            line.into_iter().map(run).collect()
        })
        .collect();
    picture(title, &lines, "", &format!("fill=\"{}\"", hex(plain(background).1)))
}

fn plain(background: Background) -> (Rgb, Rgb) {
    match background {
        Background::Dark => DARK,
        Background::Light => LIGHT,
    }
}

/// Each row as stretches of one look.
fn looks(buffer: &Buffer, background: Background) -> Vec<Vec<(String, Look)>> {
    let mut lines = Vec::with_capacity(usize::from(buffer.area.height));
    for y in 0..buffer.area.height {
        let mut line: Vec<(String, Look)> = Vec::new();
        let mut x = 0;
        while x < buffer.area.width {
            let Some(cell) = buffer.cell((x, y)) else { break };
            let look = look(cell, background);
            match line.last_mut() {
                Some((text, last)) if *last == look => text.push_str(cell.symbol()),
                _ => line.push((cell.symbol().to_string(), look)),
            }
            x += u16::try_from(width(cell.symbol())).unwrap_or(1).max(1);
        }
        lines.push(line);
    }
    lines
}

fn look(cell: &Cell, background: Background) -> Look {
    let (text, ground) = plain(background);
    let (mut fore, mut behind) = (rgb(cell.fg).unwrap_or(text), rgb(cell.bg));
    if cell.modifier.contains(Modifier::REVERSED) {
        (fore, behind) = (behind.unwrap_or(ground), Some(fore));
    }
    Look { text: fore, ground: behind, modifier: cell.modifier }
}

fn css(look: &Look) -> String {
    let mut out = format!("color:{}", hex(look.text));
    if let Some(ground) = look.ground {
        let _ = write!(out, ";background:{}", hex(ground));
    }
    out + &modifiers(look.modifier)
}

fn svg_css(look: &Look) -> String {
    format!("fill:{}{}", hex(look.text), modifiers(look.modifier))
}

fn modifiers(modifier: Modifier) -> String {
    let mut out = String::new();
    if modifier.contains(Modifier::BOLD) {
        out += ";font-weight:bold";
    }
    if modifier.contains(Modifier::ITALIC) {
        out += ";font-style:italic";
    }
    if modifier.contains(Modifier::DIM) {
        out += ";opacity:.65";
    }
    let lines = [(Modifier::UNDERLINED, "underline"), (Modifier::CROSSED_OUT, "line-through")];
    let lines: Vec<&str> = lines.iter().filter(|(m, _)| modifier.contains(*m)).map(|(_, css)| *css).collect();
    if !lines.is_empty() {
        out += &format!(";text-decoration:{}", lines.join(" "));
    }
    out
}

fn hex((r, g, b): Rgb) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// `None` for the terminal's own colour.
fn rgb(color: Color) -> Option<Rgb> {
    let basic = |n: usize| BASIC.get(n).copied();
    match color {
        Color::Reset => None,
        Color::Rgb(r, g, b) => Some((r, g, b)),
        Color::Indexed(n @ 0..=15) => basic(usize::from(n)),
        Color::Indexed(n @ 16..=231) => {
            let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
            let n = n - 16;
            Some((level(n / 36), level(n / 6 % 6), level(n % 6)))
        }
        Color::Indexed(n) => Some((8 + (n - 232) * 10, 8 + (n - 232) * 10, 8 + (n - 232) * 10)),
        Color::Black => basic(0),
        Color::Red => basic(1),
        Color::Green => basic(2),
        Color::Yellow => basic(3),
        Color::Blue => basic(4),
        Color::Magenta => basic(5),
        Color::Cyan => basic(6),
        Color::Gray => basic(7),
        Color::DarkGray => basic(8),
        Color::LightRed => basic(9),
        Color::LightGreen => basic(10),
        Color::LightYellow => basic(11),
        Color::LightBlue => basic(12),
        Color::LightMagenta => basic(13),
        Color::LightCyan => basic(14),
        Color::White => basic(15),
    }
}
