//! The template editor over the screen: source with line numbers, the rendered text beside or under it, and the error
//! with its line between them.
//!
//! ```text
//! ╭ chat template ─────────────────────┬ sample thoughts-and-tool ──────────╮
//! │  1 {%- for message in messages -%} │ ⟨|im_start|⟩user↵                  │
//! │ ✗2     {{ message.contnet }        │ How warm is it in Oslo?…           │
//! ├ line 2: TemplateSyntaxError: … ────┴────────────────────────────────────┤
//! ╰─────────────────────────────────────────────────────────────────────────╯
//! ```

use super::canvas::{Canvas, wrapped};
use super::theme::Meaning;
use crate::app::TemplateEditor;
use crate::app::{App, Area, TextBuffer};
use crate::text::{Glyph, GlyphKind, Spaces, glyphs};

/// Least width for two columns.
const BESIDE: u16 = 70;
/// Characters of a result that are made into glyphs: far more than any screen holds.
const SHOWN: usize = 20_000;

/// Draws the editor over everything but the footer.
pub fn draw(canvas: &mut Canvas<'_>, app: &App, editor: &TemplateEditor) {
    let (width, height) = app.shell.size;
    let outer = Area::new(0, 0, width, height.saturating_sub(1));
    canvas.fill(outer, Meaning::Text);
    canvas.frame(outer, Meaning::Quiet);
    let inner = Area::new(1, 1, width.saturating_sub(2), outer.height.saturating_sub(2));
    let problem = problem_lines(editor, inner.width, inner.height);
    let below = u16::try_from(problem.len()).unwrap_or(0);
    let work = Area { height: inner.height.saturating_sub(below), ..inner };
    let title = "chat template · what is typed here is rendered at once";
    canvas.text(Area::new(2, 0, width.saturating_sub(4), 1), &format!(" {title} "), Meaning::Strong);
    let (left, right) = if work.width >= BESIDE {
        let half = work.width / 2;
        (
            Area { width: half, ..work },
            Area { x: work.x + half + 2, width: work.width.saturating_sub(half + 2), ..work },
        )
    } else {
        let half = work.height.div_ceil(2);
        (
            Area { height: half, ..work },
            Area { y: work.y + half, height: work.height.saturating_sub(half), ..work },
        )
    };
    source(canvas, left, editor);
    result(canvas, right, editor);
    for (n, line) in problem.iter().enumerate() {
        let y = work.y + work.height + u16::try_from(n).unwrap_or(0);
        canvas.text(Area { y, height: 1, ..inner }, line, Meaning::Bad);
    }
}

fn problem_lines(editor: &TemplateEditor, width: u16, height: u16) -> Vec<String> {
    let Some(problem) = &editor.problem else { return Vec::new() };
    let text = match problem.line {
        Some(line) => format!("✗ line {line}: {}", problem.message),
        None => format!("✗ {}", problem.message),
    };
    let mut lines = wrapped(&text, usize::from(width));
    lines.truncate(if height > 14 { 3 } else { 1 });
    lines
}

fn source(canvas: &mut Canvas<'_>, area: Area, editor: &TemplateEditor) {
    let lines = editor.buffer.len_lines();
    let top = editor.top(usize::from(area.height));
    let (row, column) = editor.buffer.cursor();
    let numbers = u16::try_from(lines.to_string().len() + 2).unwrap_or(4);
    let wrong = editor.problem.as_ref().and_then(|problem| problem.line);
    for n in (top..lines).take(usize::from(area.height)) {
        let place = area.line(u16::try_from(n - top).unwrap_or(u16::MAX));
        let is_wrong = wrong == Some(n + 1);
        let mark = if is_wrong { "✗" } else { " " };
        let number = Area { width: numbers.min(area.width), ..place };
        canvas.text(number, &format!("{mark}{:>1$} ", n + 1, usize::from(numbers) - 2), Meaning::Quiet);
        if is_wrong {
            canvas.tint(number, Meaning::Bad);
        }
        let text = Area { x: place.x + numbers, width: place.width.saturating_sub(numbers), ..place };
        source_line(canvas, text, &editor.buffer, n, (n == row).then_some(column));
    }
}

/// One line of the source, moved so that the cursor is in sight.
fn source_line(canvas: &mut Canvas<'_>, area: Area, buffer: &TextBuffer, row: usize, cursor: Option<usize>) {
    let room = usize::from(area.width);
    if room == 0 {
        return;
    }
    let shown = |c: char| glyphs(c.encode_utf8(&mut [0; 4]), Spaces::Blank);
    let skip = cursor.map_or(0, |column| column.saturating_sub(room.saturating_sub(2)));
    let mut x = area.x;
    let end = area.x + area.width;
    for (at, c) in buffer.line(row).enumerate().skip(skip) {
        let style = canvas.style(Meaning::Text);
        let next = canvas.glyphs(x, area.y, end, &shown(c), style);
        if cursor == Some(at) {
            canvas
                .tint(Area { x, width: next.saturating_sub(x).max(1).min(end - x), ..area }, Meaning::Cursor);
        }
        if next == x || next >= end {
            return;
        }
        x = next;
    }
    if cursor.is_some_and(|column| column >= buffer.line(row).count()) && x < end {
        canvas.text(Area { x, width: 1, ..area }, " ", Meaning::Cursor);
    }
}

fn result(canvas: &mut Canvas<'_>, area: Area, editor: &TemplateEditor) {
    let head = match (&editor.good, &editor.problem, editor.waiting) {
        (None, None, _) => "rendering …".to_string(),
        (None, Some(_), _) => "no result yet".to_string(),
        (Some(text), None, false) => format!("rendered: {} characters", text.chars().count()),
        (Some(_), None, true) => "rendered · newer on its way …".to_string(),
        (Some(_), Some(_), _) => "last good result".to_string(),
    };
    let meaning = if editor.problem.is_some() { Meaning::Warning } else { Meaning::Strong };
    canvas.text(area.line(0), &head, meaning);
    let Some(text) = &editor.good else { return };
    let area = Area { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    let head: String = text.chars().take(SHOWN).collect();
    let mut y = 0;
    let mut x = area.x;
    for glyph in glyphs(&head, Spaces::Shown) {
        if x + glyph.width > area.x + area.width {
            (x, y) = (area.x, y + 1);
        }
        if y >= area.height {
            return;
        }
        let meaning = if glyph.kind == GlyphKind::Plain { Meaning::Text } else { Meaning::StandIn };
        let style = canvas.style(meaning);
        canvas.glyph(x, area.y + y, area.x + area.width, &glyph, style);
        x += glyph.width;
        if is_line_end(&glyph) {
            (x, y) = (area.x, y + 1);
        }
    }
}

fn is_line_end(glyph: &Glyph) -> bool {
    glyph.text == "↵" && glyph.kind == GlyphKind::StandIn
}
