//! Screen Code: the user's own lines and what they counted.
//!
//! ```text
//! llava/train/train.py preprocess_v1                                what the line counted in this sample
//!  471             round_len = len(tokenizer_image_token(rou, …))   = 52, 40
//!  472             instruction_len = len(tokenizer_image_token(…    = 41, 18
//!      +           instruction_len = len(tokenizer_image_token(…    f makes this change in memory
//!  481         target[cur_len : cur_len + instruction_len] = …      masks 1..42, 53..71
//! ```

use crate::app::screens::code::suggested_edits;
use crate::app::{App, Area, Panes, Target};
use crate::repository::{CodeLine, CodeListing, LineEdit};
use crate::ui::canvas::Canvas;
use crate::ui::missing;
use crate::ui::theme::Meaning;

/// From this width on what a line counted stands beside it, else below it.
const WIDE: u16 = 90;
/// Cells of the line number.
const NUMBER: u16 = 5;

/// A row of the screen.
enum Row<'a> {
    Code(usize, &'a CodeLine),
    Happened(usize, &'a CodeLine),
    /// The line as a fix would have it.
    Edit(&'a LineEdit),
}

/// Draws the function.
pub fn draw(canvas: &mut Canvas<'_>, app: &App, panes: &Panes) {
    let Some(view) = missing::shown(canvas, app, panes) else { return };
    let area = panes.body;
    let Some(code) = &view.code else {
        let text = "The labels come from a built-in rule. With --repo DIR --version KEY this screen shows the label function \
                    of your own repository, and what each of its lines counted.";
        canvas.paragraph(area, text, Meaning::Quiet);
        return;
    };
    let wide = area.width >= WIDE;
    let edits = suggested_edits(&app.session);
    let rows = rows(app, code, &edits, wide);
    canvas.spans(
        area.line(0),
        &[(&code.file, Meaning::Strong), (" ", Meaning::Text), (&code.name, Meaning::Strong)],
    );
    let beside = if wide { area.width * 3 / 5 } else { area.width };
    if wide {
        let head = Area { x: area.x + beside, width: area.width - beside, ..area.line(0) };
        canvas.text(head, "what the line counted in this sample", Meaning::Quiet);
    }
    let room = usize::from(area.height.saturating_sub(1));
    let at =
        rows.iter().position(|row| matches!(row, Row::Code(n, _) if *n == app.screens.code.row)).unwrap_or(0);
    let top = at.saturating_sub(room / 2).min(rows.len().saturating_sub(room));
    for (n, row) in (1u16..).zip(rows.iter().skip(top).take(room)) {
        let line = area.line(n);
        draw_row(canvas, app, row, line, beside, &edits);
        if let Row::Code(index, _) | Row::Happened(index, _) = row {
            canvas.hit(line, Target::Line(*index));
        }
        if matches!(row, Row::Code(index, _) if *index == app.screens.code.row) {
            canvas.tint(line, Meaning::Selected);
        }
    }
}

fn draw_row(canvas: &mut Canvas<'_>, app: &App, row: &Row<'_>, line: Area, beside: u16, edits: &[&LineEdit]) {
    let number = NUMBER.min(line.width);
    let code = Area { x: line.x + number, width: beside.saturating_sub(number + 1), ..line };
    let right = Area { x: line.x + beside, width: line.width - beside, ..line };
    match row {
        Row::Code(_, shown) => {
            let is_wrong = edits.iter().any(|edit| edit.line == shown.line);
            let is_changed = is_changed(app, shown);
            let set_it = shown.slices.iter().any(|(tokens, _)| tokens.contains(&app.session.token));
            let meaning = match shown {
                _ if is_wrong || shown.raises => Meaning::Bad,
                _ if is_changed => Meaning::Good,
                _ if set_it => Meaning::Special,
                shown if shown.happened().is_empty() => Meaning::Quiet,
                _ => Meaning::Text,
            };
            canvas.right(
                Area { width: number.saturating_sub(1), ..line },
                &shown.line.to_string(),
                Meaning::Quiet,
            );
            let text = match edits.iter().find(|edit| edit.line == shown.line) {
                Some(edit) => around_change(edit, code.width).0,
                None => fitted(&shown.text, code.width),
            };
            canvas.text(code, &text, meaning);
            canvas.text(
                right,
                &happened(app, shown),
                if shown.raises { Meaning::Bad } else { Meaning::Strong },
            );
        }
        Row::Happened(_, shown) => {
            let text = format!("  ↳ {}", happened(app, shown));
            canvas.text(code, &text, if shown.raises { Meaning::Bad } else { Meaning::Strong });
        }
        Row::Edit(edit) => {
            canvas.right(Area { width: number.saturating_sub(1), ..line }, "+", Meaning::Good);
            canvas.text(code, &around_change(edit, code.width).1, Meaning::Good);
            canvas.text(right, "f makes this change in memory", Meaning::Good);
        }
    }
}

/// A line as a change in memory left it.
fn is_changed(app: &App, shown: &CodeLine) -> bool {
    let made = app.session.request.repository.iter().flat_map(|repository| &repository.edits);
    made.filter(|edit| edit.after == shown.text).any(|edit| edit.line == shown.line)
}

/// What happened at a line, and that it is another one than in the file.
fn happened(app: &App, shown: &CodeLine) -> String {
    match is_changed(app, shown) {
        true => format!("{} · changed in memory: `maskscope patch` prints it", shown.happened()),
        false => shown.happened(),
    }
}

/// A line before and after a change, each cut in its middle where there is no room, so that the change is seen.
fn around_change(edit: &LineEdit, width: u16) -> (String, String) {
    let width = usize::from(width);
    let [before, after] = [&edit.before, &edit.after].map(|text| text.lines().last().unwrap_or_default());
    let same = before.chars().zip(after.chars()).take_while(|(a, b)| a == b).count();
    let longest = before.chars().count().max(after.chars().count());
    if longest <= width {
        return (before.to_string(), after.to_string());
    }
    // Indentation and the first words, then the text around the change.
    let indent = before.chars().take_while(|c| *c == ' ').count();
    let head: String = before.chars().skip(indent).take(width / 3).collect();
    let room = width.saturating_sub(head.chars().count() + 3);
    let from = same.saturating_sub(room.saturating_sub(longest.saturating_sub(same).min(room)));
    let cut = |text: &str| match from <= indent + width / 3 {
        true => fitted(text, u16::try_from(width).unwrap_or(u16::MAX)),
        false => format!("{head} … {}", text.chars().skip(from).collect::<String>()),
    };
    (cut(before), cut(after))
}

/// Where there is little room, half the indentation does.
fn fitted(text: &str, width: u16) -> String {
    let code = text.trim_start_matches(' ');
    let indent = text.len() - code.len();
    let indent = if usize::from(width) < text.chars().count() { indent / 2 } else { indent };
    format!("{}{code}", " ".repeat(indent))
}

fn rows<'a>(app: &App, code: &'a CodeListing, edits: &[&'a LineEdit], wide: bool) -> Vec<Row<'a>> {
    let mut rows = Vec::new();
    for (index, line) in code.lines.iter().enumerate() {
        rows.push(Row::Code(index, line));
        if !wide && !happened(app, line).is_empty() {
            rows.push(Row::Happened(index, line));
        }
        rows.extend(
            edits.iter().filter(|e| e.line == line.line && e.file == code.file).map(|e| Row::Edit(e)),
        );
    }
    rows
}
