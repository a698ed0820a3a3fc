//! Screens as pure functions of the state: an [`App`] and a size give a buffer of cells and what the mouse can
//! hit in it. Nothing here changes anything.

mod ansi;
pub mod ascii;
mod canvas;
mod cells;
mod chrome;
mod missing;
mod overlay;
mod screens;
mod table;
mod template_editor;
mod theme;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub use ansi::{to_ansi, to_text};
pub use cells::{to_html, to_svg};
pub use theme::{Depth, Meaning, Theme};

use crate::app::{App, Area, MIN_SIZE, Panes, Target, Tier};
use canvas::Canvas;

/// One frame.
#[derive(Debug)]
pub struct Frame {
    pub buffer: Buffer,
    /// What the mouse can hit, top-most last.
    pub hits: Vec<(Area, Target)>,
    /// Tokens whose glyphs were made: the cost of the frame.
    #[cfg_attr(not(feature = "internals"), allow(dead_code))]
    pub tokens_drawn: usize,
}

impl Frame {
    /// What lies under a cell.
    pub fn target_at(&self, x: u16, y: u16) -> Option<Target> {
        self.hits.iter().rev().find(|(area, _)| area.contains(x, y)).map(|(_, target)| *target)
    }
}

/// Draws the state at the size that it knows.
pub fn render(app: &App, depth: Depth) -> Frame {
    let (width, height) = app.shell.size;
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
    let theme = Theme { depth, background: app.shell.background };
    let mut canvas = Canvas::new(&mut buffer, theme);
    let panes = app.panes();
    if panes.tier == Tier::Tiny {
        let needs = format!("needs {}x{}", MIN_SIZE.0, MIN_SIZE.1);
        canvas.text(Area::new(0, 0, width, height), &needs, Meaning::Warning);
    } else {
        whole(&mut canvas, app, &panes);
    }
    let tokens_drawn = canvas.tokens_drawn;
    let hits = canvas.into_hits();
    Frame { buffer, hits, tokens_drawn }
}

fn whole(canvas: &mut Canvas<'_>, app: &App, panes: &Panes) {
    chrome::header(canvas, app, panes);
    chrome::tabs(canvas, app, panes);
    chrome::state(canvas, app, panes);
    chrome::alert(canvas, app, panes);
    screens::draw(canvas, app, panes);
    chrome::footer(canvas, app, panes);
    overlay::draw(canvas, app, panes);
}
