//! Screen Lengths, the ledger: where the rule expects each round, where it is, and the first divergence.
//!
//! ```text
//!            round_len  instruction  expected span  answer  actual span  answer  counted  Δ   cur_len
//! start                                                                                       0
//! round 1    52         41           [0, 52)        41      [0, 52)      41      51       +1  52
//! …
//! sum        cur_len 107   total_len 104   Δ +3
//! first divergence token 51 ⟨|endoftext|⟩: equals pad, total_len does not count it
//! ```

mod turns;

use crate::app::flow::token_glyphs;
use crate::app::{App, Area, Panes, SampleView, Target};
use crate::diagnose::{PairedRound, alignment_line};
use crate::labels::{Labelled, LoopEnd};
use crate::report::aligned_lines;
use crate::text::{Spaces, glyphs};
use crate::ui::canvas::{Canvas, wrapped};
use crate::ui::missing;
use crate::ui::table::{Cell, table};
use crate::ui::theme::Meaning;

/// Draws the ledger.
pub fn draw(canvas: &mut Canvas<'_>, app: &App, panes: &Panes) {
    let Some(view) = missing::shown(canvas, app, panes) else { return };
    let Some(labelled) = view.labelled() else { return missing::raised(canvas, panes, view) };
    if view.setup.chat().is_some() {
        return turns::draw(canvas, app, panes, view, labelled);
    }
    let area = panes.body;
    let wide = area.width >= 90;
    let narrow = area.width < 56;
    // Below the rounds stand the sum, the place of the difference and the marked round.
    let below = if area.height > 14 { 8 } else { 3 };
    let room = usize::from(area.height.saturating_sub(below + 2)).max(1);
    let first = app.screens.lengths.round.saturating_sub(room.saturating_sub(1));
    let start = labelled.rounds.first().map_or(0, |r| r.start);
    let mut rows = vec![start_row(view, start, wide)];
    let shown = labelled.rounds.len().saturating_sub(first).min(room);
    rows.extend((first..first + shown).filter_map(|round| round_row(view, labelled, round, wide)));
    let header: &[&str] = if wide {
        &[
            "",
            "round_len",
            "instruction",
            "expected span",
            "answer",
            "actual span",
            "answer",
            "counted",
            "Δ",
            "cur_len",
        ]
    } else {
        &["", "len", "instr", "expected", "actual", "Δ"]
    };
    let header = if narrow { &["", "len", "expected", "actual", "Δ"] } else { header };
    if narrow {
        rows.iter_mut().for_each(|row| drop(row.remove(2)));
    }
    let used = table(canvas, area, header, &rows);
    for row in 0..u16::try_from(shown).unwrap_or(0) {
        let line = area.line(2 + row);
        let round = first + usize::from(row);
        canvas.hit(line, Target::Round(round));
        if round == app.screens.lengths.round {
            canvas.tint(line, Meaning::Selected);
        }
    }
    let rest = Area { y: area.y + used, height: area.height.saturating_sub(used), ..area };
    summary(canvas, app, rest, view, labelled);
}

fn start_row(view: &SampleView, start: i64, wide: bool) -> Vec<Cell> {
    let real = i64::try_from(view.real_start).unwrap_or(0);
    let delta = delta_cell(start - real);
    let claims = Cell::new(start.to_string(), Meaning::Text);
    let really = Cell::new(real.to_string(), Meaning::Text);
    let none = || Cell::new("", Meaning::Text);
    let name = Cell::new("start", Meaning::Quiet);
    if wide {
        let cur_len = Cell::new(start.to_string(), Meaning::Strong);
        vec![name, none(), none(), claims, none(), really, none(), none(), delta, cur_len]
    } else {
        vec![name, none(), none(), claims, really, delta]
    }
}

fn delta_cell(delta: i64) -> Cell {
    match delta {
        0 => Cell::new("0", Meaning::Quiet),
        d => Cell::new(format!("{d:+}"), Meaning::Bad),
    }
}

fn round_row(view: &SampleView, labelled: &Labelled, round: usize, wide: bool) -> Option<Vec<Cell>> {
    let claim = labelled.rounds.get(round)?;
    let real = view.real_rounds.get(round)?;
    let answer = view.real_answers.get(round)?;
    let pads = view.pads.iter().filter(|at| real.contains(*at)).count();
    let counted = real.len().saturating_sub(pads);
    let delta = claim.round_len - i64::try_from(counted).unwrap_or(0);
    let differs = |claim: i64, real: usize| match usize::try_from(claim) == Ok(real) {
        true => Meaning::Text,
        false => Meaning::Bad,
    };
    let name = Cell::new(format!("round {}", round + 1), Meaning::Strong);
    let round_len = Cell::new(claim.round_len.to_string(), Meaning::Text);
    let instruction = Cell::new(claim.instruction_len.to_string(), Meaning::Text);
    let place = if claim.end < 0 || differs(claim.start, real.start) == Meaning::Bad {
        Meaning::Bad
    } else {
        differs(claim.end, real.end)
    };
    let claims = Cell::new(format!("[{}, {})", claim.start, claim.end), place);
    let really = Cell::new(format!("[{}, {})", real.start, real.end), Meaning::Text);
    if !wide {
        return Some(vec![name, round_len, instruction, claims, really, delta_cell(delta)]);
    }
    let claimed_answer = claim.start + claim.instruction_len;
    Some(vec![
        name,
        round_len,
        instruction,
        claims,
        Cell::new(claimed_answer.to_string(), differs(claimed_answer, *answer)),
        really,
        Cell::new(answer.to_string(), Meaning::Text),
        Cell::new(counted.to_string(), if pads > 0 { Meaning::Bad } else { Meaning::Text }),
        delta_cell(delta),
        Cell::new(claim.end.to_string(), Meaning::Strong),
    ])
}

fn summary(canvas: &mut Canvas<'_>, app: &App, area: Area, view: &SampleView, labelled: &Labelled) {
    let mut line = 0;
    if let (Some(cur), Some(total)) = (labelled.cur_len, labelled.total_len) {
        let delta = cur - total;
        let checked = if labelled.mismatch || delta == 0 { "" } else { "   not checked" };
        canvas.spans(
            area.line(line),
            &[
                ("sum        ", Meaning::Quiet),
                ("cur_len ", Meaning::Quiet),
                (&cur.to_string(), Meaning::Strong),
                ("   total_len ", Meaning::Quiet),
                (&total.to_string(), Meaning::Strong),
                ("   Δ ", Meaning::Quiet),
                (&format!("{delta:+}"), if delta == 0 { Meaning::Good } else { Meaning::Bad }),
                (checked, Meaning::Warning),
            ],
        );
        line += 1;
    }
    parts_line(canvas, area.line(line), view);
    line += 1;
    if area.height > 4 && labelled.stop != LoopEnd::NoLoop {
        let rounds = format!("{}{}", labelled.rounds.len(), stop_text(&labelled.stop));
        canvas.spans(area.line(line), &[("rounds parsed: ", Meaning::Quiet), (&rounds, Meaning::Text)]);
        line += 1;
    }
    if let Some(round) = view.paired.iter().find(|p| p.alignment.round == app.screens.lengths.round)
        && area.height >= line + 4
    {
        line += paired(canvas, Area { y: area.y + line, height: area.height - line, ..area }, round);
    }
    let rest = Area { y: area.y + line + 1, height: area.height.saturating_sub(line + 1), ..area };
    marked_round(canvas, app, rest, view, labelled);
}

/// The marked round as the piece alone and as the prompt have it, token under token; gives the lines used.
fn paired(canvas: &mut Canvas<'_>, area: Area, round: &PairedRound) -> u16 {
    let same = round.alignment.difference.is_none() && round.alignment.off == 0;
    let meaning = if same { Meaning::Good } else { Meaning::Bad };
    canvas.spans(
        area.line(0),
        &[("aligned    ", Meaning::Quiet), (&alignment_line(&round.alignment), meaning)],
    );
    let name = 11.min(area.width);
    let lines = aligned_lines(round, usize::from(area.width - name));
    let meanings = [Meaning::Text, Meaning::Text, Meaning::Bad];
    for ((n, line), meaning) in (1..).zip(&lines).zip(meanings) {
        let row = area.line(n);
        let title = match n {
            1 => "alone",
            2 => "in prompt",
            _ => "",
        };
        canvas.text(row, title, Meaning::Quiet);
        canvas.text(Area { x: row.x + name, width: row.width - name, ..row }, line, meaning);
    }
    if lines.last().is_some_and(|marks| marks.trim().is_empty()) { 3 } else { 4 }
}

fn parts_line(canvas: &mut Canvas<'_>, area: Area, view: &SampleView) {
    let Some(at) = view.parts_at else {
        canvas.spans(
            area,
            &[
                ("first divergence: ", Meaning::Quiet),
                ("none: every span is where it is expected", Meaning::Good),
            ],
        );
        return;
    };
    let uncounted = view.pads.binary_search(&at).is_ok();
    let reason =
        if uncounted { ": equals pad, so total_len does not count it" } else { ": here the spans differ" };
    let x = canvas
        .spans(area, &[("first divergence: ", Meaning::Quiet), (&format!("token {at} "), Meaning::Bad)]);
    let end = area.x + area.width;
    let style = canvas.style(Meaning::Bad);
    let x = canvas.glyphs(x, area.y, end, &token_glyphs(view, at), style);
    canvas.text(Area { x, width: end.saturating_sub(x), ..area }, reason, Meaning::Text);
}

/// Why the loop over the rounds ended, where that is not the end of the prompt.
fn stop_text(stop: &LoopEnd) -> String {
    match stop {
        LoopEnd::EmptyRound { round } => format!("; piece {} is empty", round + 1),
        LoopEnd::Parts { round, parts } => format!("; round {} has {parts} parts instead of 2", round + 1),
        LoopEnd::End | LoopEnd::NoLoop => String::new(),
    }
}

/// The text that the marked round was measured on: instruction │ answer.
fn marked_round(canvas: &mut Canvas<'_>, app: &App, area: Area, view: &SampleView, labelled: &Labelled) {
    let prompt = view.inspection.prompt.as_deref().unwrap_or("");
    let Some(round) = labelled.rounds.get(app.screens.lengths.round).filter(|_| area.height > 1) else {
        return;
    };
    let instruction = prompt.get(round.instruction_text.clone()).unwrap_or("");
    let answer = prompt.get(round.instruction_text.end..round.text.end).unwrap_or("");
    canvas.text(
        area.line(0),
        &format!("round {} as the rule measures it: instruction │ answer", app.screens.lengths.round + 1),
        Meaning::Quiet,
    );
    let shown: String =
        glyphs(&format!("{instruction}│{answer}"), Spaces::Blank).into_iter().map(|g| g.text).collect();
    let lines = wrapped(&shown, usize::from(area.width));
    let room = usize::from(area.height.saturating_sub(1));
    let skip = lines.len().saturating_sub(room);
    for (n, line) in lines.iter().skip(skip).enumerate() {
        let spot = area.line(u16::try_from(n + 1).unwrap_or(u16::MAX));
        canvas.text(spot, line, Meaning::Masked);
    }
}
