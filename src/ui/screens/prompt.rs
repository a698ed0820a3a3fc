//! Screen Prompt: the rendered text, role marks and separators marked.

use crate::app::{App, Area, Panes, SampleView, Speaker};
use crate::text::{Glyph, GlyphKind, Spaces, glyphs};
use crate::ui::canvas::Canvas;
use crate::ui::missing;
use crate::ui::theme::Meaning;

/// Prompts longer than this are shown from a byte on instead of from a line on: a frame stays cheap.
const LAID_OUT_WHOLE: usize = 64 * 1024;

/// Draws the prompt.
pub fn draw(canvas: &mut Canvas<'_>, app: &App, panes: &Panes) {
    let Some(view) = missing::shown(canvas, app, panes) else { return };
    let Some(prompt) = view.inspection.prompt.as_deref() else {
        canvas.text(panes.body, "no prompt: the template already raises", Meaning::Warning);
        return;
    };
    let area = panes.body;
    let legend = area.line(0);
    canvas.spans(
        legend,
        &[
            ("role", Meaning::Strong),
            ("  ", Meaning::Text),
            ("separator", Meaning::Special),
            ("  ", Meaning::Text),
            ("answer", Meaning::Supervised),
            (&format!("   {} bytes, template {}", prompt.len(), view.setup.template_name()), Meaning::Quiet),
        ],
    );
    let area = Area { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    let width = usize::from(area.width.max(1));
    let room = usize::from(area.height);
    let (from, skip) = if prompt.len() > LAID_OUT_WHOLE {
        let byte = app.screens.prompt.line.saturating_mul(width).min(prompt.len().saturating_sub(1));
        ((0..=byte).rev().find(|b| prompt.is_char_boundary(*b)).unwrap_or(0), 0)
    } else {
        (0, app.screens.prompt.line)
    };
    // Every glyph is at least a byte; a window needs at most this many characters.
    let wanted = (skip + room) * width;
    let end =
        prompt.get(from..).and_then(|p| p.char_indices().nth(wanted)).map_or(prompt.len(), |(b, _)| from + b);
    let all = glyphs(prompt.get(from..end).unwrap_or(""), Spaces::Shown);
    let lines = lines(&all, area.width);
    // The last line stays in sight.
    let skip = skip.min(lines.len().saturating_sub(1));
    for (n, line) in lines.iter().skip(skip).take(room).enumerate() {
        let mut x = area.x;
        let y = area.y + u16::try_from(n).unwrap_or(0);
        for glyph in *line {
            let style = canvas.style(meaning(view, from + glyph.source.start));
            let style = match glyph.kind {
                GlyphKind::Plain => style,
                _ => style.patch(canvas.style(Meaning::StandIn)),
            };
            canvas.glyph(x, y, area.x + area.width, glyph, style);
            x += glyph.width;
        }
    }
}

/// Lines end behind a line feed, or where the next glyph would not fit.
fn lines(all: &[Glyph], width: u16) -> Vec<&[Glyph]> {
    let mut lines = Vec::new();
    let (mut start, mut used) = (0, 0);
    for (at, glyph) in all.iter().enumerate() {
        if used + glyph.width > width && at > start {
            lines.push(all.get(start..at).unwrap_or_default());
            (start, used) = (at, 0);
        }
        used += glyph.width;
        if glyph.text == "↵" && glyph.kind == GlyphKind::StandIn {
            lines.push(all.get(start..=at).unwrap_or_default());
            (start, used) = (at + 1, 0);
        }
    }
    lines.push(all.get(start..).unwrap_or_default());
    lines
}

/// What a byte of the prompt belongs to.
fn meaning(view: &SampleView, byte: usize) -> Meaning {
    let at = view.turns.partition_point(|t| t.whole.end <= byte);
    match view.turns.get(at).filter(|t| t.whole.contains(&byte)) {
        None => Meaning::Quiet,
        Some(turn) if byte < turn.message.start => Meaning::Strong,
        Some(turn) if byte >= turn.message.end => Meaning::Special,
        Some(turn) if turn.speaker == Speaker::Assistant => Meaning::Supervised,
        Some(_) => Meaning::Text,
    }
}
