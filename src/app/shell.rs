//! What is around the screens: which one is shown, what lies over it, the message line, the size.

use super::command::Notice;
use super::fix::Preview;
use super::load::Load;
use super::overlay::Overlay;
use super::screen::Screen;

/// Colours for which background.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Background {
    #[default]
    Dark,
    Light,
}

/// The state around the screens.
#[derive(Debug)]
pub struct Shell {
    /// Columns and rows.
    pub size: (u16, u16),
    pub background: Background,
    pub screen: Screen,
    pub overlay: Option<Overlay>,
    /// What the marked entry of the open list would do.
    pub preview: Load<Preview>,
    pub notice: Option<Notice>,
    /// The stop of the tour that is shown.
    pub tour: Option<usize>,
    pub quit: bool,
}

impl Default for Shell {
    fn default() -> Self {
        Self {
            size: (80, 24),
            background: Background::Dark,
            screen: Screen::Labels,
            overlay: None,
            preview: Load::Idle,
            notice: None,
            tour: None,
            quit: false,
        }
    }
}
