//! The patches of an image as a grid of letters.

use super::tokens::mark;
use crate::app::screens::experts::Routed;
use crate::app::screens::experts::routed::Layer;
use crate::app::{App, Area};
use crate::moe::token_route::TokenRoute;
use crate::ui::canvas::Canvas;
use crate::ui::theme::Meaning;

/// Draws the image under the cursor, or the first one.
pub fn draw(canvas: &mut Canvas<'_>, app: &App, area: Area, routed: &Routed, layer: &Layer) {
    if routed.images() == 0 {
        let text = match routed.is_bytes() {
            true => {
                "byte-moe reads the prompt's bytes and sees no image: m chooses a seeded model, whose images become tokens"
            }
            false => "this sample has no image",
        };
        canvas.paragraph(area, text, Meaning::Quiet);
        return;
    }
    let under =
        routed.token_positions.get(app.session.token).and_then(|r| routed.positions.get(r.start)?.patch);
    let image = under.map_or(0, |p| p.image);
    let patches = routed.image_positions(image);
    let rows = patches.iter().map(|(_, p)| p.row + 1).max().unwrap_or(0);
    let columns = patches.iter().map(|(_, p)| p.column + 1).max().unwrap_or(0);
    let room = usize::from(area.height.saturating_sub(2));
    let first = app.screens.experts.line.min(rows.saturating_sub(room));
    let shown = format!("patch rows {}–{} of {rows}", first + 1, (first + room).min(rows));
    let title = format!(
        "image {} of {} · layer {} · {} patches, {columns} a row · {shown}",
        image + 1,
        routed.images(),
        layer.routing.layer,
        patches.len()
    );
    canvas.text(area.line(0), &title, Meaning::Strong);
    canvas.text(
        area.line(1),
        "first choices. The features are seeded noise in place of a vision tower: this shows the mechanics, not content",
        Meaning::Warning,
    );
    let d = &layer.routing.decision;
    let gap = if columns * 2 <= usize::from(area.width) { 2 } else { 1 };
    for (at, patch) in patches.iter().filter(|(_, p)| p.row >= first && p.row < first + room) {
        let x = area.x + u16::try_from(patch.column * gap).unwrap_or(u16::MAX).min(area.width);
        let line = area.line(u16::try_from(patch.row - first + 2).unwrap_or(u16::MAX));
        let choice = at * d.top_k;
        let route = d.idx.get(choice).zip(d.weights.get(choice)).map(|(expert, weight)| TokenRoute {
            expert: *expert,
            weight: *weight,
            dropped: 0.0,
        });
        let (mark, style) = mark(canvas, route);
        if line.height > 0 {
            canvas.styled(
                Area { x, width: (area.x + area.width).saturating_sub(x).min(1), ..line },
                &mark,
                style,
            );
        }
    }
}
