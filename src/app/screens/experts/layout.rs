//! Where things stand on screen Experts.
//!
//! ```text
//! │ model, device, time; settings                     head   │
//! │ tokens                     │ load of the layer    side   │
//! │                            │                             │
//! ├ token under the cursor through all layers         strip  ┤
//! ```
//!
//! The other views take the place of tokens and side.

use super::view::ExpertsView;
use crate::app::geometry::{Area, Panes, Tier};

/// The places inside the body of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExpertsPanes {
    /// Model, run and settings.
    pub head: Area,
    /// The token stream, or what another view shows.
    pub tokens: Area,
    /// Load of the layer beside the tokens; only where there is room.
    pub side: Area,
    /// The line between the tokens and the strip; of height 0 on small screens.
    pub divider: Area,
    /// The token under the cursor.
    pub strip: Area,
}

/// Columns of the load beside the tokens.
const SIDE: u16 = 44;

/// Divides the body.
pub fn layout(panes: &Panes, view: ExpertsView) -> ExpertsPanes {
    let body = panes.body;
    let (head, strip) = match (panes.tier, view) {
        (Tier::Large, ExpertsView::Token) => (3, 0),
        // Room for the 24 patch rows of a usual image.
        (Tier::Large, ExpertsView::Image) => (3, 2),
        (Tier::Large, _) => (3, 7),
        (Tier::Medium, ExpertsView::Token) => (2, 0),
        (Tier::Medium, _) => (2, 2),
        (_, ExpertsView::Token) => (1, 0),
        (_, _) => (1, 1),
    };
    let divider = u16::from(strip > 0 && panes.tier >= Tier::Medium);
    let head = head.min(body.height);
    let strip = strip.min(body.height - head);
    let divider = divider.min(body.height - head - strip);
    let middle = body.height - head - strip - divider;
    let side = if panes.tier == Tier::Large && view == ExpertsView::Tokens { SIDE } else { 0 };
    let y = body.y + head;
    let gap = u16::from(side > 0) * 2;
    ExpertsPanes {
        head: Area { height: head, ..body },
        tokens: Area { y, height: middle, width: body.width - side - gap, ..body },
        side: Area { x: body.x + body.width - side, y, width: side, height: middle },
        divider: Area { y: y + middle, height: divider, ..body },
        strip: Area { y: y + middle + divider, height: strip, ..body },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::geometry::panes;
    use crate::app::screen::Screen;

    #[test]
    fn everything_lies_inside_the_body_at_every_size() {
        for (width, height) in (0..130).flat_map(|w| (0..45).map(move |h| (w, h))) {
            let panes = panes(width, height, Screen::Experts, false);
            for view in ExpertsView::ALL {
                let l = layout(&panes, view);
                let used = l.head.height + l.tokens.height + l.divider.height + l.strip.height;
                assert_eq!(used, panes.body.height, "{width}x{height}");
                for area in [l.head, l.tokens, l.side, l.divider, l.strip] {
                    assert!(area.x + area.width <= panes.body.x + panes.body.width, "{width}x{height}");
                }
            }
        }
    }
}
