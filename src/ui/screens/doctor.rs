//! Screen Doctor: findings as a list, the one under the cursor in full: evidence, cause, fix and what it did.

use crate::app::screens::doctor::{CHECKED, SEARCHED};
use crate::app::{App, Area, Load, Panes, keyed};
use crate::diagnose::{DoctorReport, Finding, Verdict};
use crate::report::effect_text;
use crate::ui::canvas::{Canvas, wrapped};
use crate::ui::missing;
use crate::ui::theme::Meaning;

/// Draws the screen.
pub fn draw(canvas: &mut Canvas<'_>, app: &App, panes: &Panes) {
    let area = panes.body;
    let state = &app.screens.doctor;
    let (done, of) = state.progress;
    let doing = format!("labelling and checking: {done} of {of} samples … esc ends it");
    let Some(report) = missing::made(canvas, app, panes, &state.report, &doing) else { return };
    let findings = state.shown(report);
    let head = summary(canvas, app, area, report);
    let rest = Area { y: area.y + head, height: area.height.saturating_sub(head), ..area };
    // The list takes what it needs, at most half where there is room for both.
    let wanted = u16::try_from(findings.len()).unwrap_or(u16::MAX).max(1);
    let most = if rest.height < 12 { 3 } else { rest.height / 2 };
    let list_height = wanted.min(most).min(rest.height);
    let list = Area { height: list_height, ..rest };
    rows(canvas, app, list, &findings);
    let below = rest.height.saturating_sub(list_height + 1);
    let detail = Area { y: rest.y + list_height + 1, height: below, ..rest };
    if let Some(finding) = findings.get(state.row) {
        full(canvas, app, detail, finding);
    }
}

/// How many of each verdict, what the last fix did, what the search found; gives the lines used.
fn summary(canvas: &mut Canvas<'_>, app: &App, area: Area, report: &DoctorReport) -> u16 {
    let state = &app.screens.doctor;
    let count = |verdict| report.findings.iter().filter(|f| f.verdict == verdict).count();
    let counts = app.session.counts();
    let samples = app.session.samples.ready().map_or(0, |samples| samples.len());
    let bad = format!("✗ {} error  ", count(Verdict::Error));
    let warn = format!("! {} warn  ", count(Verdict::Warn));
    let others = format!(
        "i {} note  ✓ {} ok  – {} skipped",
        count(Verdict::Note),
        count(Verdict::Ok),
        count(Verdict::Skipped)
    );
    canvas.spans(
        area.line(0),
        &[
            (&bad, if count(Verdict::Error) > 0 { Meaning::Bad } else { Meaning::Quiet }),
            (&warn, if count(Verdict::Warn) > 0 { Meaning::Warning } else { Meaning::Quiet }),
            (&others, Meaning::Quiet),
        ],
    );
    let mut line = 1;
    if samples > CHECKED {
        let text = format!("the first {CHECKED} of {samples} samples; 0 scans them all");
        canvas.text(area.line(line), &text, Meaning::Warning);
        line += 1;
    }
    let searched = match samples > SEARCHED {
        true => format!("all of the first {SEARCHED} samples"),
        false => "every sample".to_string(),
    };
    if let Some((sound, total)) = app.session.before_fix {
        let text =
            format!("sound before the fix: {sound} of {total}, now {} of {}", counts.sound, counts.total());
        let meaning = if counts.sound >= sound { Meaning::Good } else { Meaning::Bad };
        canvas.spans(area.line(line), &[(&text, meaning), (&keyed("   {undo} undoes it"), Meaning::Quiet)]);
        line += 1;
    }
    match &state.search {
        Load::Idle => {}
        Load::Loading => {
            canvas.text(
                area.line(line),
                "searching for the smallest change that works … esc ends it",
                Meaning::Quiet,
            );
            line += 1;
        }
        Load::Failed(error) => {
            canvas.text(area.line(line), error, Meaning::Bad);
            line += 1;
        }
        Load::Ready(search) => {
            match &search.best {
                None => {
                    let text = format!(
                        "none of {} combinations makes {searched} match with right masks",
                        search.tried
                    );
                    canvas.text(area.line(line), &text, Meaning::Warning);
                }
                Some(fix) if fix.changes.is_empty() => {
                    canvas.text(
                        area.line(line),
                        &format!("search: nothing has to change for {searched} to match"),
                        Meaning::Good,
                    );
                }
                Some(fix) => {
                    let text = format!(
                        "of {} tried, the smallest that makes {searched} match: {}",
                        search.tried, fix.summary
                    );
                    canvas.spans(
                        area.line(line),
                        &[("a ", Meaning::Key), ("applies it · ", Meaning::Quiet), (&text, Meaning::Good)],
                    );
                }
            }
            line += 1;
        }
    }
    line
}

fn mark(verdict: Verdict) -> (&'static str, Meaning) {
    match verdict {
        Verdict::Error => ("✗", Meaning::Bad),
        Verdict::Warn => ("!", Meaning::Warning),
        Verdict::Note => ("i", Meaning::Strong),
        Verdict::Ok => ("✓", Meaning::Good),
        Verdict::Skipped => ("–", Meaning::Quiet),
    }
}

fn rows(canvas: &mut Canvas<'_>, app: &App, area: Area, findings: &[&Finding]) {
    if findings.is_empty() {
        canvas.text(area, "nothing found: every check is content", Meaning::Good);
        return;
    }
    let cursor = app.screens.doctor.row;
    let room = usize::from(area.height).max(1);
    let top = cursor.saturating_sub(room / 2).min(findings.len().saturating_sub(room));
    for (n, finding) in findings.iter().enumerate().skip(top).take(room) {
        let line = area.line(u16::try_from(n - top).unwrap_or(u16::MAX));
        let (glyph, meaning) = mark(finding.verdict);
        let samples = match finding.samples.len() {
            0 => String::new(),
            1 => " · 1 sample".to_string(),
            count => format!(" · {count} samples"),
        };
        let fix = if finding.fix.is_some() { " · f fixes" } else { "" };
        canvas.spans(
            line,
            &[
                (glyph, meaning),
                (" ", Meaning::Text),
                (finding.id, Meaning::Quiet),
                (" ", Meaning::Text),
                (finding.title, Meaning::Text),
                (&samples, Meaning::Quiet),
                (fix, Meaning::Key),
            ],
        );
        if n == cursor {
            canvas.tint(line, Meaning::Selected);
        }
    }
}

/// The finding under the cursor, line by line as far as there is room.
fn full(canvas: &mut Canvas<'_>, app: &App, area: Area, finding: &Finding) {
    let mut lines = vec![("cause", finding.cause.clone(), Meaning::Text)];
    if let Some(fix) = &finding.fix {
        lines.push(("fix", fix.summary.clone(), Meaning::Good));
        lines.extend(effect_text(fix).map(|text| ("tried", text, Meaning::Text)));
    }
    if !finding.samples.is_empty() {
        let samples = app.session.samples.ready();
        let ids = finding.samples.iter().take(6);
        let ids: Vec<&str> =
            ids.filter_map(|i| samples.and_then(|s| s.get(*i)).map(|s| s.id.as_str())).collect();
        let more = finding.samples.len().saturating_sub(ids.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        lines.push(("where", format!("{}{more}   enter opens them", ids.join(", ")), Meaning::Text));
    }
    let seen = finding.evidence.iter().map(|e| ("seen", format!("{}: {}", e.what, e.value), Meaning::Quiet));
    lines.extend(seen);
    let code = finding.fix.iter().flat_map(|fix| fix.code.lines());
    lines.extend(code.map(|line| ("code", line.to_string(), Meaning::Special)));
    let name_width = 7.min(area.width);
    let room = usize::from(area.width - name_width);
    let mut rows: Vec<(&'static str, String, Meaning)> = Vec::new();
    for (name, text, meaning) in lines {
        let pieces = wrapped(&text, room).into_iter().enumerate();
        rows.extend(pieces.map(|(n, piece)| (if n == 0 { name } else { "" }, piece, meaning)));
    }
    let height = usize::from(area.height);
    let top = app.screens.doctor.top.min(rows.len().saturating_sub(height));
    for (n, (name, text, meaning)) in rows.iter().skip(top).take(height).enumerate() {
        let line = area.line(u16::try_from(n).unwrap_or(u16::MAX));
        canvas.text(line, name, Meaning::Quiet);
        let rest = Area { x: line.x + name_width, width: line.width - name_width, ..line };
        canvas.text(rest, text, *meaning);
    }
    if rows.len() > top + height && height > 0 {
        canvas.right(area.line(area.height - 1), " ] more", Meaning::Key);
    }
}
