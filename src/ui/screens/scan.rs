//! Screen Scan: what the whole file comes to, with the cause under the cursor ready to be looked at.

use crate::app::screens::scan::{below, causes};
use crate::app::{App, Area, Panes};
use crate::report::share_and_left;
use crate::scan::ScanReport;
use crate::ui::canvas::Canvas;
use crate::ui::missing;
use crate::ui::theme::Meaning;

/// Draws the screen.
pub fn draw(canvas: &mut Canvas<'_>, app: &App, panes: &Panes) {
    let area = panes.body;
    let state = &app.screens.scan;
    let doing = format!("scanning {} … esc ends it", app.session.source.name());
    let Some(report) = missing::made(canvas, app, panes, &state.report, &doing) else { return };
    let running = match (state.done, state.ended) {
        (_, true) => " so far · you ended it, s scans all",
        (true, _) => "",
        _ => " so far · esc ends it",
    };
    let head = format!("{} samples{running}  ", report.samples);
    let lost = report.lost_samples();
    let text = format!("{lost} have all labels −100 or raise");
    let meaning = if lost == 0 { Meaning::Good } else { Meaning::Bad };
    let bad = match report.bad_records {
        0 => String::new(),
        1 => "  1 record is no sample".to_string(),
        count => format!("  {count} records are no samples"),
    };
    canvas.spans(area.line(0), &[(&head, Meaning::Strong), (&text, meaning), (&bad, Meaning::Bad)]);
    let rate = format!("{:>7} a second", state.throughput.rate());
    if !state.done {
        let throughput = format!("{}{}", share_and_left(&state.throughput), rate.trim_start());
        canvas.text(area.line(1), &throughput, Meaning::Quiet);
    } else if area.width >= 70 {
        canvas.right(area.line(0), &format!(" {rate}"), Meaning::Quiet);
    }
    let list = Area { y: area.y + 2, height: area.height.saturating_sub(2), ..area };
    let used = cause_rows(canvas, state.row, list, report);
    let rest = Area { y: list.y + used + 1, height: list.height.saturating_sub(used + 1), ..list };
    // The causes stand above already.
    let lines = below(report);
    let height = usize::from(rest.height);
    let first = state.line.min(lines.len().saturating_sub(height));
    for (n, line) in (0..rest.height).zip(lines.iter().skip(first)) {
        canvas.text(rest.line(n), line, Meaning::Quiet);
    }
    if first + height < lines.len() && rest.height > 0 {
        canvas.right(rest.line(rest.height - 1), " ] more", Meaning::Key);
    }
}

/// The causes, the most frequent first; gives the lines used.
fn cause_rows(canvas: &mut Canvas<'_>, cursor: usize, area: Area, report: &ScanReport) -> u16 {
    let ids = causes(report);
    if ids.is_empty() {
        canvas.text(area.line(0), "no cause for concern was found", Meaning::Good);
        return 1;
    }
    let room = usize::from((area.height / 2).max(3)).min(usize::from(area.height));
    let top = cursor.saturating_sub(room.saturating_sub(1));
    let mut used = 0;
    for (n, id) in ids.iter().enumerate().skip(top).take(room) {
        let Some(cause) = report.by_cause.get(*id) else { continue };
        let line = area.line(used);
        let (mark, meaning) = match cause.verdict.as_str() {
            "error" => ("✗ ", Meaning::Bad),
            "warn" => ("! ", Meaning::Warning),
            _ => ("i ", Meaning::Strong),
        };
        let count = format!("{:>8} ", cause.samples);
        canvas.spans(
            line,
            &[
                (mark, meaning),
                (id, Meaning::Quiet),
                (&count, Meaning::Strong),
                (&cause.title, Meaning::Text),
            ],
        );
        if n == cursor {
            canvas.tint(line, Meaning::Selected);
        }
        used += 1;
    }
    used
}
