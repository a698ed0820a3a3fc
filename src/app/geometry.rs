//! Where things stand on a screen of a given size. State and drawing share it, so a cursor can be kept in sight
//! without drawing.
//!
//! ```text
//!  large, medium                          small
//!  header                                 state
//!  tabs                                   alert (when something is wrong)
//! ╭ source · sample ───────── state ╮     body
//! │ alert (when something is wrong) │     …
//! │ gutter │ body                   │     inspector
//! ├ inspector ──────────────────────┤     footer
//! ╰─────────────────────────────────╯
//!  footer
//! ```

use super::screen::Screen;

/// A rectangle of cells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Area {
    pub x: u16,
    pub y: u16,
    pub width: u16,
    pub height: u16,
}

impl Area {
    /// A rectangle.
    pub const fn new(x: u16, y: u16, width: u16, height: u16) -> Self {
        Self { x, y, width, height }
    }

    /// True when the cell lies inside.
    pub fn contains(&self, x: u16, y: u16) -> bool {
        x >= self.x && y >= self.y && x - self.x < self.width && y - self.y < self.height
    }

    /// One line of it, counted from its top.
    pub fn line(&self, index: u16) -> Self {
        let height = u16::from(index < self.height);
        Self { y: self.y.saturating_add(index), height, ..*self }
    }
}

/// How much room there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// Too small for anything but saying so.
    Tiny,
    /// Tokens, a line of state, a line of inspector.
    Small,
    /// Frames; side columns fold into title lines.
    Medium,
    /// A gutter beside the tokens.
    Large,
}

/// Smallest size that shows anything.
pub const MIN_SIZE: (u16, u16) = (24, 6);

/// The places on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Panes {
    pub tier: Tier,
    pub header: Area,
    pub tabs: Area,
    /// The box around everything between tabs and footer; empty on small screens.
    pub frame: Area,
    /// The state of the sample; part of the frame's top line where there is a frame.
    pub state: Area,
    pub alert: Area,
    pub gutter: Area,
    pub body: Area,
    pub inspector: Area,
    pub footer: Area,
}

const GUTTER: u16 = 17;

/// The places for a screen of `width` x `height`.
pub fn panes(width: u16, height: u16, screen: Screen, alert: bool) -> Panes {
    let tier = match (width, height) {
        (w, h) if w < MIN_SIZE.0 || h < MIN_SIZE.1 => Tier::Tiny,
        (w, h) if w < 60 || h < 16 => Tier::Small,
        (w, h) if w < 100 || h < 24 => Tier::Medium,
        _ => Tier::Large,
    };
    if tier <= Tier::Small {
        return small(tier, width, height, screen, alert);
    }
    let inspector_height = match (screen, tier) {
        (Screen::Labels, Tier::Large) => 4,
        (Screen::Labels, _) => 3,
        _ => 0,
    };
    let divider = u16::from(inspector_height > 0);
    let frame = Area::new(0, 2, width, height - 3);
    let inner = Area::new(2, 3, width - 4, frame.height - 2);
    let alert = if alert { 2 } else { 0 };
    let body_height = inner.height.saturating_sub(alert + inspector_height + divider);
    let gutter_width = if tier == Tier::Large && screen == Screen::Labels { GUTTER } else { 0 };
    Panes {
        tier,
        header: Area::new(0, 0, width, 1),
        tabs: Area::new(0, 1, width, 1),
        frame,
        state: Area::new(0, 2, width, 1),
        alert: Area { height: alert, ..inner },
        gutter: Area::new(inner.x, inner.y + alert, gutter_width, body_height),
        body: Area::new(inner.x + gutter_width, inner.y + alert, inner.width - gutter_width, body_height),
        inspector: Area::new(inner.x, inner.y + alert + body_height + divider, inner.width, inspector_height),
        footer: Area::new(0, height - 1, width, 1),
    }
}

fn small(tier: Tier, width: u16, height: u16, screen: Screen, alert: bool) -> Panes {
    let none = Area::default();
    let alert = u16::from(alert && height > 8) * 2;
    let inspector = u16::from(screen == Screen::Labels && height > 6);
    let body = height.saturating_sub(2 + alert + inspector);
    Panes {
        tier,
        header: none,
        tabs: none,
        frame: none,
        state: Area::new(0, 0, width, 1.min(height)),
        alert: Area::new(0, 1, width, alert),
        gutter: none,
        body: Area::new(0, 1 + alert, width, body),
        inspector: Area::new(0, 1 + alert + body, width, inspector),
        footer: Area::new(0, height.saturating_sub(1), width, 1.min(height)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panes_lie_on_the_screen_at_every_size() {
        for (width, height) in (0..130).flat_map(|w| (0..45).map(move |h| (w, h))) {
            for screen in Screen::ALL {
                let p = panes(width, height, screen, true);
                for area in
                    [p.header, p.tabs, p.frame, p.state, p.alert, p.gutter, p.body, p.inspector, p.footer]
                {
                    if area.height > 0 && p.tier > Tier::Tiny {
                        assert!(area.x + area.width <= width, "{area:?} at {width}x{height}");
                        assert!(area.y + area.height <= height, "{area:?} at {width}x{height}");
                    }
                }
            }
        }
    }
}
