//! Screen Compare: the sample under two set-ups, stretch by stretch, with what differs marked.

use crate::app::screens::compare::{CompareRow, Compared};
use crate::app::{App, Area, Load, Panes};
use crate::diagnose::Stretch;
use crate::report::{label_effect, side_name, side_text, status_text, what};
use crate::text::{Spaces, glyphs};
use crate::ui::canvas::Canvas;
use crate::ui::missing;
use crate::ui::theme::Meaning;

/// Draws the screen.
pub fn draw(canvas: &mut Canvas<'_>, app: &App, panes: &Panes) {
    if missing::has_failed(canvas, app, panes) {
        return;
    }
    let area = panes.body;
    let state = &app.screens.compare;
    let compared = match &state.result {
        Load::Ready(compared) => compared,
        Load::Failed(error) => {
            canvas.paragraph(area, error, Meaning::Bad);
            let hint = "b chooses another tokenizer, class or release for side B";
            canvas.text(area.line(area.height.saturating_sub(1)), hint, Meaning::Quiet);
            return;
        }
        _ => {
            let what = app.screens.compare.side_b(&app.session).map_or(String::new(), |(name, _)| name);
            canvas.text(area, &format!("loading side B, {what} … Esc ends it"), Meaning::Quiet);
            return;
        }
    };
    let used = head(canvas, app, area, compared);
    let list = Area { y: area.y + used, height: area.height.saturating_sub(used), ..area };
    stretches(canvas, app, list, compared);
}

/// Both sides, how they end, and what all samples come to; gives the lines used.
fn head(canvas: &mut Canvas<'_>, app: &App, area: Area, compared: &Compared) -> u16 {
    let state = &app.screens.compare;
    let comparison = &compared.comparison;
    let mut line = 0;
    let roomy = area.height >= 14;
    for (mark, setup, inspection) in [("A ", &compared.a, &comparison.a), ("B ", &compared.b, &comparison.b)]
    {
        let ok = inspection.status().is_sound();
        let end = status_text(inspection);
        let meaning = if ok { Meaning::Good } else { Meaning::Bad };
        if roomy {
            canvas.spans(area.line(line), &[(mark, Meaning::Key), (&side_name(setup), Meaning::Text)]);
            canvas.spans(area.line(line + 1), &[("  ", Meaning::Text), (&end, meaning)]);
            line += 2;
        } else {
            canvas.spans(area.line(line), &[(mark, Meaning::Key), (&end, meaning)]);
            line += 1;
        }
    }
    let count = match comparison.differing() {
        0 if comparison.is_alike() => "alike".to_string(),
        0 => "not alike".to_string(),
        n => format!("{n} of {} stretches differ", comparison.stretches.len()),
    };
    let meaning = if comparison.is_alike() { Meaning::Good } else { Meaning::Warning };
    let effect = format!(" · {}", label_effect(comparison));
    canvas.spans(area.line(line), &[(&count, meaning), (&effect, Meaning::Text)]);
    line += 1;
    if roomy {
        let totals = &state.totals;
        let running = if state.all_done { "" } else { " …" };
        let text = format!(
            "all {}{running}: {} alike · differ: tokens {} · supervision {} · status {} · supervised A {} B {}",
            totals.samples,
            totals.alike,
            totals.tokens_differ,
            totals.labels_differ,
            totals.outcomes_differ,
            totals.sound.0,
            totals.sound.1
        );
        canvas.text(area.line(line), &text, Meaning::Quiet);
        line += 2;
    }
    line
}

fn stretches(canvas: &mut Canvas<'_>, app: &App, area: Area, compared: &Compared) {
    let state = &app.screens.compare;
    let comparison = &compared.comparison;
    let list = state.rows(comparison);
    let room = usize::from(area.height.saturating_sub(1)).max(1);
    let top = state.row.saturating_sub(room / 2).min(list.len().saturating_sub(room));
    let place = 6.min(area.width / 4);
    let tag = if area.width >= 70 { 15 } else { 3 };
    let column = area.width.saturating_sub(place + tag) / 2;
    let spot =
        |line: Area, x: u16, width: u16| Area { x: line.x + x, width: width.saturating_sub(1), ..line };
    let header = area.line(0);
    canvas.text(spot(header, 0, place), "byte", Meaning::Quiet);
    canvas.text(spot(header, place, tag), if tag > 3 { "differs in" } else { "≠" }, Meaning::Quiet);
    canvas.text(spot(header, place + tag, column), "A", Meaning::Key);
    canvas.text(spot(header, place + tag + column, column), "B   + supervised", Meaning::Key);
    for (n, row) in list.iter().enumerate().skip(top).take(room) {
        let line = area.line(u16::try_from(n - top + 1).unwrap_or(u16::MAX));
        match row {
            CompareRow::Alike(run) => {
                let text = excerpt(compared, run.start, run.end);
                let what = format!("{} alike ", run.len());
                let rest = Area { x: line.x + place, width: line.width.saturating_sub(place), ..line };
                canvas.spans(rest, &[(&what, Meaning::Quiet), (&text, Meaning::Masked)]);
            }
            CompareRow::Stretch(index) => {
                let Some(stretch) = comparison.stretches.get(*index) else { continue };
                canvas.text(spot(line, 0, place), &stretch.a.text.start.to_string(), Meaning::Quiet);
                canvas.text(spot(line, place, tag), &tag_text(stretch, tag > 3), Meaning::Warning);
                let meaning = if stretch.differs.any() { Meaning::Strong } else { Meaning::Masked };
                let left = side_text(&compared.a, &comparison.a, &stretch.a);
                let right = side_text(&compared.b, &comparison.b, &stretch.b);
                canvas.text(spot(line, place + tag, column), &left, meaning);
                canvas.text(spot(line, place + tag + column, column), &right, meaning);
            }
        }
        if n == state.row {
            canvas.tint(line, Meaning::Selected);
        }
    }
}

/// `tokens, labels`, or its first letters where there is no room.
fn tag_text(stretch: &Stretch, wide: bool) -> String {
    let text = what(stretch);
    if wide {
        return text.to_string();
    }
    text.split(", ").filter_map(|word| word.chars().next()).collect()
}

/// The text of a run of stretches, with its blanks shown.
fn excerpt(compared: &Compared, from: usize, to: usize) -> String {
    let comparison = &compared.comparison;
    let (Some(first), Some(last)) =
        (comparison.stretches.get(from), comparison.stretches.get(to.saturating_sub(1)))
    else {
        return String::new();
    };
    let prompt = comparison.a.prompt.as_deref().unwrap_or("");
    let text = prompt.get(first.a.text.start..last.a.text.end).unwrap_or("");
    // What no row can hold need not be made.
    let shown: String = text.chars().take(400).collect();
    glyphs(&shown, Spaces::Shown).into_iter().map(|g| g.text).collect()
}
