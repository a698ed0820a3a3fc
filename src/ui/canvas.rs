//! Drawing into a buffer: the only code that writes cells. All text goes through [`crate::text`] here, so nothing
//! that a terminal would act on can reach a cell, whoever draws.

use ratatui::buffer::Buffer;
use ratatui::style::Style;

use super::theme::{Meaning, Theme};
use crate::app::{Area, Target};
use crate::text::{Glyph, GlyphKind, Spaces, glyphs, width};

/// A buffer, the looks, and what the mouse can hit.
#[derive(Debug)]
pub struct Canvas<'a> {
    buffer: &'a mut Buffer,
    pub theme: Theme,
    hits: Vec<(Area, Target)>,
    /// Tokens whose glyphs were made: the cost of the frame.
    pub tokens_drawn: usize,
}

impl<'a> Canvas<'a> {
    /// A canvas over a whole buffer.
    pub fn new(buffer: &'a mut Buffer, theme: Theme) -> Self {
        Self { buffer, theme, hits: Vec::new(), tokens_drawn: 0 }
    }

    /// What was marked for the mouse, top-most last.
    pub fn into_hits(self) -> Vec<(Area, Target)> {
        self.hits
    }

    /// Marks an area for the mouse.
    pub fn hit(&mut self, area: Area, target: Target) {
        self.hits.push((area, target));
    }

    /// The look of a meaning.
    pub fn style(&self, meaning: Meaning) -> Style {
        self.theme.style(meaning)
    }

    /// One glyph at a cell; false where it does not fit before `end`.
    pub fn glyph(&mut self, x: u16, y: u16, end: u16, glyph: &Glyph, style: Style) -> bool {
        let Some(after) = x.checked_add(glyph.width).filter(|after| *after <= end) else { return false };
        let area = self.buffer.area;
        if after > area.right() || y >= area.bottom() {
            return false;
        }
        if glyph.kind == GlyphKind::Plain {
            if let Some(cell) = self.buffer.cell_mut((x, y)) {
                cell.set_symbol(&glyph.text).set_style(style);
            }
            for rest in x + 1..after {
                if let Some(cell) = self.buffer.cell_mut((rest, y)) {
                    cell.reset();
                    cell.set_style(style);
                }
            }
            return true;
        }
        for (at, c) in (x..after).zip(glyph.text.chars()) {
            if let Some(cell) = self.buffer.cell_mut((at, y)) {
                cell.set_char(c).set_style(style);
            }
        }
        true
    }

    /// Glyphs from a cell on, cut at `end`; gives the cell behind the last one.
    pub fn glyphs(&mut self, x: u16, y: u16, end: u16, glyphs: &[Glyph], style: Style) -> u16 {
        let mut at = x;
        for glyph in glyphs {
            if !self.glyph(at, y, end, glyph, style) {
                break;
            }
            at += glyph.width;
        }
        at
    }

    /// A text on the first line of an area, cut with `…` where it is too long; gives the cell behind it.
    pub fn text(&mut self, area: Area, text: &str, meaning: Meaning) -> u16 {
        self.styled(area, text, self.theme.style(meaning))
    }

    /// The same with a style.
    pub fn styled(&mut self, area: Area, text: &str, style: Style) -> u16 {
        if area.width == 0 || area.height == 0 {
            return area.x;
        }
        let end = area.x + area.width;
        let all = glyphs(text, Spaces::Blank);
        let fits = all.iter().map(|g| usize::from(g.width)).sum::<usize>() <= usize::from(area.width);
        if fits {
            return self.glyphs(area.x, area.y, end, &all, style);
        }
        let at = self.glyphs(area.x, area.y, end - 1, &all, style);
        self.glyphs(at, area.y, end, &glyphs("…", Spaces::Blank), style)
    }

    /// Texts of different meanings, one behind the other.
    pub fn spans(&mut self, area: Area, spans: &[(&str, Meaning)]) -> u16 {
        let end = area.x + area.width;
        let mut at = area.x;
        for (text, meaning) in spans {
            let rest = Area { x: at, width: end.saturating_sub(at), ..area };
            at = self.text(rest, text, *meaning);
        }
        at
    }

    /// A text at the right end of an area; gives the cell where it begins.
    pub fn right(&mut self, area: Area, text: &str, meaning: Meaning) -> u16 {
        let wide = u16::try_from(width(text)).unwrap_or(u16::MAX).min(area.width);
        let x = area.x + area.width - wide;
        self.text(Area { x, width: wide, ..area }, text, meaning);
        x
    }

    /// Fills an area with blanks in a style.
    pub fn fill(&mut self, area: Area, meaning: Meaning) {
        let style = self.theme.style(meaning);
        for y in area.y..area.y.saturating_add(area.height) {
            for x in area.x..area.x.saturating_add(area.width) {
                if let Some(cell) = self.buffer.cell_mut((x, y)) {
                    cell.reset();
                    cell.set_style(style);
                }
            }
        }
    }

    /// Puts a style over what is drawn already.
    pub fn tint(&mut self, area: Area, meaning: Meaning) {
        let style = self.theme.style(meaning);
        for y in area.y..area.y.saturating_add(area.height) {
            for x in area.x..area.x.saturating_add(area.width) {
                if let Some(cell) = self.buffer.cell_mut((x, y)) {
                    cell.set_style(style);
                }
            }
        }
    }

    /// A box.
    pub fn frame(&mut self, area: Area, meaning: Meaning) {
        if area.width < 2 || area.height < 2 {
            return;
        }
        let line = "─".repeat(usize::from(area.width - 2));
        let bottom = area.y + area.height - 1;
        self.text(area.line(0), &format!("╭{line}╮"), meaning);
        self.text(Area { y: bottom, height: 1, ..area }, &format!("╰{line}╯"), meaning);
        for y in area.y + 1..bottom {
            self.text(Area::new(area.x, y, 1, 1), "│", meaning);
            self.text(Area::new(area.x + area.width - 1, y, 1, 1), "│", meaning);
        }
    }

    /// A line across a box.
    pub fn divider(&mut self, frame: Area, y: u16, meaning: Meaning) {
        let line = "─".repeat(usize::from(frame.width.saturating_sub(2)));
        self.text(Area { y, height: 1, ..frame }, &format!("├{line}┤"), meaning);
    }

    /// A long text on the lines of an area, broken at blanks; gives the number of lines used.
    pub fn paragraph(&mut self, area: Area, text: &str, meaning: Meaning) -> u16 {
        let mut line = 0;
        for piece in wrapped(text, usize::from(area.width)) {
            if line >= area.height {
                break;
            }
            self.text(area.line(line), &piece, meaning);
            line += 1;
        }
        line
    }
}

/// A text broken at blanks into lines of at most `limit` cells.
pub fn wrapped(text: &str, limit: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if width(line) + 1 + width(word) <= limit => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_string()),
        }
    }
    lines
}
