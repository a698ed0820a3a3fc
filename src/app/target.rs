//! What a click can hit.

use super::screen::Screen;

/// Something on screen that the mouse can choose; numbers are positions in what the screen lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    Screen(Screen),
    Token(usize),
    Round(usize),
    Role(usize),
    Sample(usize),
    Entry(usize),
    /// A line of code.
    Line(usize),
    Fix,
}
