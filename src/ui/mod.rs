//! Screens as pure functions of the state: an [`App`] and a size give a buffer of cells and what the mouse can
//! hit in it. Nothing here changes anything.

mod ansi;
mod canvas;
mod cells;
mod chrome;
mod compare;
mod doctor;
mod experts;
mod inspector;
mod labels;
mod lengths;
mod onboard;
mod overlay;
mod prompt;
mod samples;
mod scan;
mod special;
mod strategies;
mod table;
mod template_editor;
mod theme;
mod turn_lengths;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub use ansi::{to_ansi, to_text};
pub use cells::{to_html, to_svg};
pub use theme::{Depth, Meaning, Theme};

use crate::app::{App, Area, Load, MIN_SIZE, Panes, SampleView, Screen, Target, Tier};
use canvas::Canvas;

/// One frame.
#[derive(Debug)]
pub struct Frame {
    pub buffer: Buffer,
    /// What the mouse can hit, top-most last.
    pub hits: Vec<(Area, Target)>,
    /// Tokens whose glyphs were made: the cost of the frame.
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
    let (width, height) = app.size;
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
    let theme = Theme { depth, background: app.background };
    let mut canvas = Canvas::new(&mut buffer, theme);
    let panes = app.panes();
    let tokens_drawn = if panes.tier == Tier::Tiny {
        let needs = format!("needs {}x{}", MIN_SIZE.0, MIN_SIZE.1);
        canvas.text(Area::new(0, 0, width, height), &needs, Meaning::Warning);
        0
    } else {
        whole(&mut canvas, app, &panes)
    };
    let hits = canvas.into_hits();
    Frame { buffer, hits, tokens_drawn }
}

fn whole(canvas: &mut Canvas<'_>, app: &App, panes: &Panes) -> usize {
    chrome::header(canvas, app, panes);
    chrome::tabs(canvas, app, panes);
    chrome::state(canvas, app, panes);
    chrome::alert(canvas, app, panes);
    let drawn = match (app.screen, app.shown()) {
        (Screen::Samples, _) => {
            samples::draw(canvas, app, panes);
            0
        }
        (screen, shown) if screen.is_panel() && (shown.is_some() || !failed(app)) => {
            panel(canvas, app, panes, screen);
            0
        }
        (screen, Some(view)) => body(canvas, app, panes, screen, view),
        (_, None) => {
            waiting(canvas, app, panes);
            0
        }
    };
    chrome::footer(canvas, app, panes);
    overlay::draw(canvas, app, panes);
    drawn
}

fn body(canvas: &mut Canvas<'_>, app: &App, panes: &Panes, screen: Screen, view: &SampleView) -> usize {
    match screen {
        Screen::Labels | Screen::Lengths if view.labelled().is_none() => {
            raised(canvas, panes, view);
            0
        }
        Screen::Labels => {
            let drawn = labels::draw(canvas, app, panes, view);
            inspector::draw(canvas, app, panes, view);
            drawn
        }
        Screen::Lengths => {
            lengths::draw(canvas, app, panes, view);
            0
        }
        Screen::Special => {
            special::draw(canvas, app, panes, view);
            0
        }
        Screen::Prompt => {
            prompt::draw(canvas, app, panes, view);
            0
        }
        _ => 0,
    }
}

fn panel(canvas: &mut Canvas<'_>, app: &App, panes: &Panes, screen: Screen) {
    match screen {
        Screen::Doctor => doctor::draw(canvas, app, panes),
        Screen::Onboard => onboard::draw(canvas, app, panes),
        Screen::Experts => experts::draw(canvas, app, panes),
        Screen::Compare => compare::draw(canvas, app, panes),
        Screen::Scan => scan::draw(canvas, app, panes),
        Screen::Strategies => strategies::draw(canvas, app, panes),
        _ => {}
    }
}

/// The exception of the training code, in place of tokens.
fn raised(canvas: &mut Canvas<'_>, panes: &Panes, view: &SampleView) {
    let Err(error) = &view.inspection.result else { return };
    let area = Area {
        x: panes.gutter.x.max(panes.alert.x),
        width: panes.gutter.width + panes.body.width,
        ..panes.body
    };
    canvas.text(area.line(0), &format!("{}:", error.kind), Meaning::Bad);
    let rest = Area { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    let used = canvas.paragraph(rest, &error.message.replace('\n', " "), Meaning::Text);
    let next = Area { y: rest.y + used + 1, height: rest.height.saturating_sub(used + 1), ..rest };
    canvas.paragraph(
        next,
        "The training code raises this; its data set prints it and takes a random other sample instead.",
        Meaning::Quiet,
    );
}

/// Whether there is nothing to show and nothing on its way.
fn failed(app: &App) -> bool {
    matches!(app.base, Load::Failed(_)) || matches!(app.samples, Load::Failed(_))
}

/// Before anything is there: what is being done, or what failed.
fn waiting(canvas: &mut Canvas<'_>, app: &App, panes: &Panes) {
    let (text, meaning) = match (&app.base, &app.samples) {
        (Load::Failed(error), _) | (_, Load::Failed(error)) => (error.clone(), Meaning::Bad),
        (Load::Ready(_), _) => (format!("reading {} …", app.source.name()), Meaning::Quiet),
        _ => (format!("loading {} …", app.request.tokenizer), Meaning::Quiet),
    };
    canvas.paragraph(panes.body, &text, meaning);
}
