//! What lies over a screen: lists, the editor of a turn, the path of a file, the help.

use tui_input::Input;

use super::canvas::{Canvas, wrapped};
use super::theme::Meaning;
use crate::app::help::{self, HelpLine};
use crate::app::picker::{PickKind, Picker};
use crate::app::{
    App, Area, Editor, Help, Load, Overlay, Panes, PathPrompt, PathUse, SearchPrompt, Sheet, Target,
    TextBuffer,
};
use crate::text::{Glyph, GlyphKind, Spaces, glyphs};

/// Draws the open overlay, if there is one.
pub fn draw(canvas: &mut Canvas<'_>, app: &App, panes: &Panes) {
    match &app.shell.overlay {
        None => {}
        Some(Overlay::Picker(picker)) => list(canvas, app, picker),
        Some(Overlay::Editor(editor)) => turn(canvas, app, panes, editor),
        Some(Overlay::Template(editor)) => super::template_editor::draw(canvas, app, editor),
        Some(Overlay::Path(prompt)) => path(canvas, app, prompt),
        Some(Overlay::Search(prompt)) => search(canvas, app, prompt),
        Some(Overlay::Help(view)) => help(canvas, app, view),
        Some(Overlay::Sheet(sheet)) => read(canvas, app, sheet),
    }
}

/// A box in the middle that leaves the footer free; gives its inside.
fn window(canvas: &mut Canvas<'_>, app: &App, width: u16, height: u16, title: &str) -> Area {
    let (w, h) = app.shell.size;
    let width = width.min(w);
    let height = height.min(h.saturating_sub(1));
    let area = Area::new((w - width) / 2, h.saturating_sub(1 + height) / 2, width, height);
    boxed(canvas, area, title)
}

fn boxed(canvas: &mut Canvas<'_>, area: Area, title: &str) -> Area {
    canvas.fill(area, Meaning::Text);
    canvas.frame(area, Meaning::Key);
    let top = Area::new(area.x + 2, area.y, area.width.saturating_sub(4), 1);
    canvas.text(top, &format!(" {title} "), Meaning::Strong);
    Area::new(area.x + 2, area.y + 1, area.width.saturating_sub(4), area.height.saturating_sub(2))
}

fn list(canvas: &mut Canvas<'_>, app: &App, picker: &Picker) {
    let area = window(canvas, app, 96, 22, &picker.title());
    if area.height < 3 {
        return;
    }
    let search = area.line(0);
    canvas.text(search, "› ", Meaning::Key);
    let input = Area { x: search.x + 2, width: search.width.saturating_sub(2), ..search };
    text_line(canvas, input, &picker.query);
    let previews = !matches!(app.shell.preview, Load::Idle);
    let room = usize::from(area.height - 1 - u16::from(previews)).max(1);
    let top = picker.cursor.saturating_sub(room.saturating_sub(1));
    let (label_width, spaces) = match picker.kind {
        PickKind::Token(_) => ((area.width * 2 / 5).max(12), Spaces::Shown),
        PickKind::Copy => (20, Spaces::Blank),
        PickKind::Palette { .. } => (area.width * 3 / 4, Spaces::Blank),
        _ => ((area.width * 2 / 5).max(12), Spaces::Blank),
    };
    for position in top..picker.len().min(top + room) {
        let Some(entry) = picker.entry(position) else { continue };
        let line = area.line(u16::try_from(position - top + 1).unwrap_or(u16::MAX));
        let label = fitted(glyphs(&entry.label, spaces), label_width.min(line.width));
        let style = canvas.style(Meaning::Text);
        canvas.glyphs(line.x, line.y, line.x + label_width.min(line.width), &label, style);
        let x = line.x + label_width + 1;
        let rest = Area { x, width: (line.x + line.width).saturating_sub(x), ..line };
        canvas.text(rest, &entry.detail, Meaning::Quiet);
        canvas.hit(line, Target::Entry(position));
        if position == picker.cursor {
            canvas.tint(line, Meaning::Selected);
        }
    }
    if picker.is_empty() {
        canvas.text(area.line(1), "nothing matches", Meaning::Warning);
    }
    let status = area.line(area.height - 1);
    match &app.shell.preview {
        Load::Idle if picker.loading => {
            canvas.text(status, "listing the vocabulary …", Meaning::Quiet);
        }
        Load::Idle => {}
        Load::Loading => {
            canvas.text(status, "trying …", Meaning::Quiet);
        }
        Load::Failed(error) => {
            canvas.text(status, &format!("✗ {error}"), Meaning::Bad);
        }
        Load::Ready(preview) => {
            let meaning = if preview.current.is_sound() { Meaning::Good } else { Meaning::Bad };
            let mark = if preview.current.is_sound() { "✓ " } else { "✗ " };
            canvas.spans(
                status,
                &[
                    ("this sample ", Meaning::Quiet),
                    (mark, meaning),
                    (&preview.current.line(), meaning),
                    ("   samples ", Meaning::Quiet),
                    (&preview.counts.line(), Meaning::Strong),
                ],
            );
        }
    }
}

/// A label in `width` cells. What is too long loses its beginning: paths and tokens differ at their ends.
fn fitted(label: Vec<Glyph>, width: u16) -> Vec<Glyph> {
    let cells = |label: &[Glyph]| label.iter().map(|g| usize::from(g.width)).sum::<usize>();
    let width = usize::from(width);
    if cells(&label) <= width {
        return label;
    }
    let mut used = 1;
    let kept = label.iter().rev().take_while(|g| {
        used += usize::from(g.width);
        used <= width
    });
    let from = label.len() - kept.count();
    glyphs("…", Spaces::Blank).into_iter().chain(label.into_iter().skip(from)).collect()
}

/// An input on one line with its cursor in sight.
fn text_line(canvas: &mut Canvas<'_>, area: Area, input: &Input) {
    let cursor = byte_of(input);
    let all = glyphs(input.value(), Spaces::Blank);
    // As many glyphs before the cursor as there is room for.
    let before = all.partition_point(|g| g.source.end <= cursor);
    let mut used = 1;
    let shown = all.get(..before).unwrap_or_default().iter().rev().take_while(|g| {
        used += usize::from(g.width);
        used <= usize::from(area.width)
    });
    let all = all.get(before - shown.count()..).unwrap_or_default();
    let end = area.x + area.width;
    let mut x = area.x;
    let mut marked = false;
    for glyph in all {
        let here = !marked && glyph.source.end > cursor;
        marked |= here;
        let style = canvas.style(if here { Meaning::Cursor } else { Meaning::Text });
        if !canvas.glyph(x, area.y, end, glyph, style) {
            return;
        }
        x += glyph.width;
    }
    if !marked {
        canvas.tint(Area { x, width: 1.min(end.saturating_sub(x)), ..area }, Meaning::Cursor);
    }
}

fn byte_of(input: &Input) -> usize {
    input.value().char_indices().nth(input.cursor()).map_or(input.value().len(), |(at, _)| at)
}

/// The editor takes the lower part of the screen: the tokens above it follow every key.
fn turn(canvas: &mut Canvas<'_>, app: &App, panes: &Panes, editor: &Editor) {
    let (w, h) = app.shell.size;
    let height = if panes.inspector.height > 1 { panes.inspector.height + 2 } else { 4.min(h) };
    let area = Area::new(0, h.saturating_sub(height + 1), w, height);
    let turn = app.session.sample().and_then(|sample| sample.conversations.get(editor.turn));
    let from = turn.map_or("", |t| t.from.as_str());
    let title = format!("turn {} · {from} · the tokens above follow", editor.turn + 1);
    let inner = boxed(canvas, area, &title);
    // Only the text around the cursor is laid out.
    let first = first_shown(&editor.buffer, inner);
    let around = usize::from(inner.width) * usize::from(inner.height);
    let wanted = editor.buffer.position() - first + around + 1;
    let text: String = editor.buffer.chars_from(first).take(wanted).collect();
    let cursor = text.char_indices().nth(editor.buffer.position() - first).map_or(text.len(), |(at, _)| at);
    let all = glyphs(&text, Spaces::Blank);
    let mut lines: Vec<Vec<&Glyph>> = vec![Vec::new()];
    let (mut used, mut cursor_line, mut marked) = (0, 0, false);
    for glyph in &all {
        let fed = lines.last().and_then(|l| l.last()).is_some_and(|g| is_line_feed(g));
        if used + glyph.width > inner.width || fed {
            lines.push(Vec::new());
            used = 0;
        }
        used += glyph.width;
        if let Some(line) = lines.last_mut() {
            line.push(glyph);
        }
        if !marked && glyph.source.end > cursor {
            (cursor_line, marked) = (lines.len() - 1, true);
        }
    }
    if !marked {
        cursor_line = lines.len() - 1;
    }
    let skip = cursor_line.saturating_sub(usize::from(inner.height.max(1)) - 1);
    for (n, line) in lines.iter().enumerate().skip(skip).take(usize::from(inner.height)) {
        let spot = inner.line(u16::try_from(n - skip).unwrap_or(u16::MAX));
        let mut x = spot.x;
        for glyph in line {
            let here = glyph.source.contains(&cursor);
            let style = canvas.style(if here { Meaning::Cursor } else { Meaning::Text });
            canvas.glyph(x, spot.y, spot.x + spot.width, glyph, style);
            x += glyph.width;
        }
        if n == cursor_line && !marked && x < spot.x + spot.width {
            canvas.tint(Area { x, width: 1, ..spot }, Meaning::Cursor);
        }
    }
}

/// The character from which the text of a turn is laid out: the beginning, or a multiple of what the window holds, some
/// windows before the cursor. Rows that are longer break there.
fn first_shown(buffer: &TextBuffer, window: Area) -> usize {
    let holds = (usize::from(window.width) * usize::from(window.height)).max(1);
    (buffer.position() / holds).saturating_sub(1) * holds
}

fn is_line_feed(glyph: &Glyph) -> bool {
    glyph.kind == GlyphKind::StandIn && glyph.text == "↵"
}

fn path(canvas: &mut Canvas<'_>, app: &App, prompt: &PathPrompt) {
    let title = match prompt.used_for {
        PathUse::Data => "open a file of conversations: JSON array or JSONL",
        PathUse::Setup => "save this set-up as which file? nothing is overwritten",
        PathUse::Patch => "write the patch into which folder? nothing is overwritten",
        PathUse::Dump => "open what a trainer fed: a file, or a folder of datasets",
    };
    let listed = prompt.recent.len().min(RECENT_SHOWN);
    let more = u16::try_from(listed).map_or(0, |listed| listed + u16::from(listed > 0));
    let area = window(canvas, app, 80, 4 + more, title);
    text_line(canvas, area.line(0), &prompt.input);
    let below = match prompt.names.is_empty() {
        true => "a path, absolute or from here; ~ is your home folder, tab completes".to_string(),
        false => prompt.names.join("  "),
    };
    canvas.text(area.line(1), &below, Meaning::Quiet);
    if listed == 0 {
        return;
    }
    canvas.text(area.line(2), "opened lately; the arrow keys take one:", Meaning::Quiet);
    let first = prompt.taken.map_or(0, |at| (at + 1).saturating_sub(listed));
    for (n, file) in prompt.recent.iter().enumerate().skip(first).take(listed) {
        let is_taken = prompt.taken == Some(n);
        let line = area.line(u16::try_from(n - first).map_or(u16::MAX, |n| n + 3));
        let mark = if is_taken { "▸ " } else { "  " };
        let meaning = if is_taken { Meaning::Strong } else { Meaning::Text };
        // The name is what tells files apart: the beginning of a long path goes.
        let room = usize::from(line.width).saturating_sub(2);
        canvas.text(line, &format!("{mark}{}", end_of(file, room)), meaning);
    }
}

/// Files opened lately that are listed at once.
const RECENT_SHOWN: usize = 6;

/// The end of a text that is longer than there is room.
fn end_of(text: &str, room: usize) -> String {
    let wide = unicode_width::UnicodeWidthStr::width;
    if wide(text) <= room {
        return text.to_string();
    }
    let mut rest = text.chars();
    while wide(rest.as_str()) + 1 > room && rest.next().is_some() {}
    format!("…{}", rest.as_str())
}

/// The line of a search, over the footer.
fn search(canvas: &mut Canvas<'_>, app: &App, prompt: &SearchPrompt) {
    let (w, h) = app.shell.size;
    let line = Area::new(0, h.saturating_sub(1), w, 1);
    canvas.fill(line, Meaning::Text);
    let found = match prompt.found {
        Some(0) => "not in this sample ".to_string(),
        Some(1) => "1 match ".to_string(),
        Some(count) => format!("{count} matches "),
        None => String::new(),
    };
    let meaning = if prompt.found == Some(0) { Meaning::Bad } else { Meaning::Quiet };
    let end = canvas.right(line, &found, meaning);
    let x = canvas.text(Area { x: 1, width: w.saturating_sub(1), ..line }, "/", Meaning::Key);
    text_line(canvas, Area { x, width: end.saturating_sub(x), ..line }, &prompt.input);
}

/// The help is the table of keys.
fn help(canvas: &mut Canvas<'_>, app: &App, view: &Help) {
    let area = window(canvas, app, 84, 60, "help · / searches");
    let lines = help::lines(app.shell.screen);
    let room = usize::from(area.height);
    let top = view.top.min(lines.len().saturating_sub(room));
    for (n, HelpLine { keys, what }) in lines.iter().skip(top).take(room).enumerate() {
        let line = area.line(u16::try_from(n).unwrap_or(u16::MAX));
        let is_found = view.search.as_ref().is_some_and(|search| search.is_in(keys) || search.is_in(what));
        let (left, right) = match (what.is_empty(), is_found) {
            (true, _) => (Meaning::Strong, Meaning::Text),
            (false, true) => (Meaning::Found, Meaning::Found),
            (false, false) => (Meaning::Key, Meaning::Text),
        };
        canvas.text(Area { width: 18.min(line.width), ..line }, keys, left);
        let x = line.x + 19.min(line.width);
        canvas.text(Area { x, width: (line.x + line.width).saturating_sub(x), ..line }, what, right);
    }
}

/// Lines to read, broken where they are longer than the window.
fn read(canvas: &mut Canvas<'_>, app: &App, sheet: &Sheet) {
    let area = window(canvas, app, 96, 24, &sheet.title);
    let lines = match &sheet.lines {
        Load::Ready(lines) => lines,
        Load::Failed(error) => {
            canvas.paragraph(area, error, Meaning::Bad);
            return;
        }
        _ => {
            canvas.text(area, "…", Meaning::Quiet);
            return;
        }
    };
    let broken: Vec<String> = lines.iter().flat_map(|line| wrapped(line, usize::from(area.width))).collect();
    let room = usize::from(area.height);
    let top = sheet.top.min(broken.len().saturating_sub(room));
    for (n, text) in broken.iter().skip(top).take(room).enumerate() {
        canvas.text(area.line(u16::try_from(n).unwrap_or(u16::MAX)), text, Meaning::Text);
    }
}
