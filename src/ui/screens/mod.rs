//! One file a screen: what it looks like.

mod code;
mod compare;
mod doctor;
mod experts;
mod labels;
mod lengths;
mod onboard;
mod prompt;
mod samples;
mod scan;
mod special;
mod strategies;
mod tokens;

use super::canvas::Canvas;
use crate::app::screen::with_screens;
use crate::app::{App, Panes, Screen};

macro_rules! drawing {
    ($($name:ident $key:literal $title:literal $file:ident $state:ident,)*) => {
        /// Draws the present screen.
        pub fn draw(canvas: &mut Canvas<'_>, app: &App, panes: &Panes) {
            match app.shell.screen {
                $(Screen::$name => $file::draw(canvas, app, panes),)*
            }
        }
    };
}
with_screens!(drawing);
