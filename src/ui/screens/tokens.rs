//! Screen Tokens: the rows of a dump, and under them tokens, findings, or the row beside our own labels.
//!
//! ```text
//! labels at their own place · padded on the right · not packed      5 rows, 203 tokens …
//! row   tokens  supervised  padding  docs  faults
//! 0         37          8        14     1  MSK104
//! ── tokens ─────────────────────────────────────
//! ⟨<|im_start|>⟩user↵What·is…
//! ```

use crate::app::screens::tokens::{KeptRow, OpenedDump, TOKENS_A_STEP, TokensPane, told_findings};
use crate::app::{App, Area, Load, Panes, keyed};
use crate::dumps::{DivergenceCause, LogProbGap};
use crate::labels::IGNORE_INDEX;
use crate::report::{label_effect, side_text, token_glyphs, what};
use crate::text::{Spaces, glyphs, glyphs_width};
use crate::ui::canvas::{Canvas, wrapped};
use crate::ui::missing;
use crate::ui::theme::Meaning;

/// Draws the screen.
pub fn draw(canvas: &mut Canvas<'_>, app: &App, panes: &Panes) {
    if missing::has_failed(canvas, app, panes) {
        return;
    }
    let area = panes.body;
    let state = &app.screens.tokens;
    let dump = match &state.dump {
        Load::Ready(dump) => dump,
        Load::Failed(error) => {
            let used = canvas.paragraph(area, error, Meaning::Bad);
            let hint =
                &keyed("{open} opens another file; maskscope hook transformers prints lines that write one");
            canvas.text(area.line(used + 1), hint, Meaning::Quiet);
            return;
        }
        Load::Loading => {
            canvas.text(area, "opening the dump … Esc ends it", Meaning::Quiet);
            return;
        }
        Load::Idle => {
            let text = "What a trainer fed: O opens its ids and labels (JSON lines, Parquet, Arrow, safetensors, .npz, a folder of \
                        datasets). maskscope hook transformers prints lines of Python that write them.";
            canvas.paragraph(area, text, Meaning::Quiet);
            return;
        }
    };
    let used = head(canvas, area, dump);
    let left = area.height.saturating_sub(used);
    let list_height = if left > 12 {
        (left / 3).min(u16::try_from(dump.rows.len() + 1).unwrap_or(u16::MAX))
    } else {
        (left / 2).min(4)
    };
    rows(canvas, app, Area { y: area.y + used, height: list_height, ..area }, dump);
    let below = Area { y: area.y + used + list_height, height: left - list_height, ..area };
    pane(canvas, app, below, dump);
}

/// How the file labels, and what it comes to; gives the lines used.
fn head(canvas: &mut Canvas<'_>, area: Area, dump: &OpenedDump) -> u16 {
    canvas.text(area.line(0), &dump.convention.summary(), Meaning::Strong);
    let state = match (&dump.failed, dump.done) {
        (Some(error), _) => (format!("{} · {error}", dump.totals), Meaning::Bad),
        (None, true) => (dump.totals.clone(), Meaning::Text),
        (None, false) => (format!("{} so far · esc ends it", dump.totals), Meaning::Quiet),
    };
    canvas.text(area.line(1), &state.0, state.1);
    2
}

fn rows(canvas: &mut Canvas<'_>, app: &App, area: Area, dump: &OpenedDump) {
    let state = &app.screens.tokens;
    let title = "  row   tokens  supervised  padding  documents  faults";
    canvas.text(area.line(0), title, Meaning::Quiet);
    let room = usize::from(area.height.saturating_sub(1)).max(1);
    let top = state.row.saturating_sub(room / 2).min(dump.rows.len().saturating_sub(room));
    for (n, row) in dump.rows.iter().enumerate().skip(top).take(room) {
        let line = area.line(u16::try_from(n - top + 1).unwrap_or(u16::MAX));
        let KeptRow { tokens, supervised, padding, documents, faults, .. } = row;
        let numbers = format!("{n:>5}  {tokens:>7}  {supervised:>10}  {padding:>7}  {documents:>9}  ");
        canvas.spans(line, &[(&numbers, Meaning::Text), (&faults.join(" "), Meaning::Bad)]);
        if n == state.row {
            canvas.tint(line, Meaning::Selected);
        }
    }
}

fn pane(canvas: &mut Canvas<'_>, app: &App, area: Area, dump: &OpenedDump) {
    let state = &app.screens.tokens;
    if area.height == 0 {
        return;
    }
    let name = match state.pane {
        TokensPane::Tokens => format!("── row {} · {} ", state.row, state.pane.name()),
        _ => format!("── {} ", state.pane.name()),
    };
    canvas.text(area.line(0), &name, Meaning::Key);
    let body = Area { y: area.y + 1, height: area.height - 1, ..area };
    match state.pane {
        TokensPane::Tokens => {
            if let Some(row) = state.kept() {
                tokens(canvas, dump, row, state.top, body);
            }
        }
        TokensPane::Findings => list(canvas, &findings(dump, usize::from(body.width)), state.top, body),
        TokensPane::Beside => {
            list(canvas, &beside(dump, state.row, usize::from(body.width)), state.top, body)
        }
    }
}

fn list(canvas: &mut Canvas<'_>, lines: &[(String, Meaning)], top: usize, area: Area) {
    let room = usize::from(area.height);
    let top = top.min(lines.len().saturating_sub(room));
    for (n, (text, meaning)) in lines.iter().skip(top).take(room).enumerate() {
        canvas.text(area.line(u16::try_from(n).unwrap_or(u16::MAX)), text, *meaning);
    }
}

/// Tokens as running text: supervised against masked, documents parted by a bar, and the gap of log-probabilities where there is one.
fn tokens(canvas: &mut Canvas<'_>, dump: &OpenedDump, row: &KeptRow, top: usize, area: Area) {
    let Ok(labelled) = &row.inspection.result else { return };
    let (mut line, mut x) = (0_usize, 0_u16);
    let bottom = usize::from(area.height);
    let first = top * TOKENS_A_STEP;
    for (at, id) in labelled.input_ids.iter().enumerate().skip(first) {
        if row.starts.contains(&at) && at > first {
            line += 1;
            let spot = area.line(u16::try_from(line).unwrap_or(u16::MAX));
            canvas.text(spot, "┄┄ next document", Meaning::Quiet);
            (line, x) = (line + 1, 0);
        }
        let shown = glyphs(&token_glyphs(&dump.setup.tokenizer, *id), Spaces::Shown);
        let width = u16::try_from(glyphs_width(&shown)).unwrap_or(u16::MAX);
        if x > 0 && x.saturating_add(width) > area.width {
            (line, x) = (line + 1, 0);
        }
        if line >= bottom {
            break;
        }
        let supervised = labelled.labels.get(at).is_some_and(|label| *label != IGNORE_INDEX);
        let far = row.gaps.as_ref().and_then(|gaps| gaps.get(at)).is_some_and(|gap| *gap > LogProbGap::FAR);
        let meaning = match (far, supervised) {
            (true, _) => Meaning::Bad,
            (false, true) => Meaning::Supervised,
            (false, false) => Meaning::Masked,
        };
        let style = canvas.theme.shade(canvas.style(meaning), at % 2 == 1);
        let y = area.y + u16::try_from(line).unwrap_or(u16::MAX);
        canvas.glyphs(area.x + x, y, area.x + area.width, &shown, style);
        canvas.tokens_drawn += 1;
        x = x.saturating_add(width);
    }
}

fn findings(dump: &OpenedDump, width: usize) -> Vec<(String, Meaning)> {
    let mut lines = Vec::new();
    for finding in told_findings(dump) {
        let meaning = match finding.verdict.name() {
            "error" => Meaning::Bad,
            "warn" => Meaning::Warning,
            _ => Meaning::Quiet,
        };
        lines.push((format!("{} {} {}", finding.verdict.symbol(), finding.id, finding.title), meaning));
        lines.extend(
            wrapped(&finding.cause, width.saturating_sub(2))
                .into_iter()
                .map(|l| (format!("  {l}"), Meaning::Text)),
        );
        lines.extend(finding.evidence.iter().map(|e| (format!("  {}: {}", e.what, e.value), Meaning::Quiet)));
    }
    if lines.is_empty() {
        lines.push(("nothing is wrong with these rows".to_string(), Meaning::Good));
    }
    lines.push((String::new(), Meaning::Text));
    lines.push(("how this file labels".to_string(), Meaning::Strong));
    for evidence in &dump.convention.evidence {
        let text = format!("{}: {}", evidence.what, evidence.value);
        lines.extend(
            wrapped(&text, width.saturating_sub(2)).into_iter().map(|l| (format!("  {l}"), Meaning::Text)),
        );
    }
    lines
}

fn beside(dump: &OpenedDump, row: usize, width: usize) -> Vec<(String, Meaning)> {
    let Some(explained) = dump.beside.get(row) else {
        let text = if dump.done {
            "this row is not laid beside our own labels"
        } else {
            "the rows are read first …"
        };
        return vec![(text.to_string(), Meaning::Quiet)];
    };
    if explained.is_empty() {
        let text =
            "no turns are found by the template's markers: c chooses the template that the row was made with";
        return wrapped(text, width).into_iter().map(|line| (line, Meaning::Quiet)).collect();
    }
    let mut lines = Vec::new();
    for one in explained {
        let agrees = one.first.cause == DivergenceCause::None;
        let place = one.first.token.map_or(String::new(), |token| format!(", from token {token} on"));
        lines.push((
            format!("{}{place}", one.first.cause.name()),
            if agrees { Meaning::Good } else { Meaning::Bad },
        ));
        lines.extend(
            wrapped(&one.first.detail, width)
                .into_iter()
                .filter(|l| !l.is_empty())
                .map(|l| (l, Meaning::Text)),
        );
        if !one.strategies.is_empty() {
            let text = format!("labels as by {}", one.strategies.join(", "));
            lines.extend(wrapped(&text, width).into_iter().map(|line| (line, Meaning::Text)));
        }
        if agrees {
            continue;
        }
        lines.push((label_effect(&one.comparison), Meaning::Quiet));
        for stretch in one.comparison.stretches.iter().filter(|stretch| stretch.differs.any()) {
            let (a, b) = (&one.comparison.a, &one.comparison.b);
            lines.push((
                format!("{} · dump  {}", what(stretch), side_text(&dump.setup, a, &stretch.a)),
                Meaning::Warning,
            ));
            lines.push((
                format!(
                    "{:>w$} · ours  {}",
                    "",
                    side_text(&dump.setup, b, &stretch.b),
                    w = what(stretch).len()
                ),
                Meaning::Text,
            ));
        }
    }
    lines
}
