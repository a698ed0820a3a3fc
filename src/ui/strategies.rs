//! Screen Strategies: one sample under every mask strategy.

use super::canvas::Canvas;
use super::theme::Meaning;
use crate::app::{App, Panes};

/// Draws the screen.
pub fn draw(canvas: &mut Canvas<'_>, _app: &App, panes: &Panes) {
    canvas.text(panes.body, "nothing here yet", Meaning::Quiet);
}
