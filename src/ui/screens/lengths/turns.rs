//! Screen Lengths with a chat template: nothing is counted and compared there, so it lists the turns: how many tokens each
//! takes, how many of them are the template's, and how many are supervised.
//!
//! ```text
//!              tokens  template  supervised  span
//! 1 user       17      6         0        [0, 17)
//! 2 assistant  9       5         6        [17, 26)
//! ```

use crate::app::{App, Panes, SampleView, Target};
use crate::labels::{IGNORE_INDEX, Labelled, SegmentKind};
use crate::ui::canvas::Canvas;
use crate::ui::table::{Cell, table};
use crate::ui::theme::Meaning;

/// Draws the table.
pub fn draw(canvas: &mut Canvas<'_>, app: &App, panes: &Panes, view: &SampleView, labelled: &Labelled) {
    let area = panes.body;
    let room = usize::from(area.height.saturating_sub(4)).max(1);
    let first = app.screens.lengths.round.saturating_sub(room.saturating_sub(1));
    let shown = labelled.rounds.len().saturating_sub(first).min(room);
    let rows: Vec<Vec<Cell>> = (first..first + shown).filter_map(|turn| row(view, labelled, turn)).collect();
    let used = table(canvas, area, &["", "tokens", "template", "supervised", "span"], &rows);
    for n in 0..u16::try_from(shown).unwrap_or(0) {
        let line = area.line(1 + n);
        let turn = first + usize::from(n);
        canvas.hit(line, Target::Round(turn));
        if turn == app.screens.lengths.round {
            canvas.tint(line, Meaning::Selected);
        }
    }
    let text = format!(
        "{} turns, {} tokens, {} supervised; a chat template compares no lengths, so none can mismatch",
        labelled.rounds.len(),
        labelled.input_ids.len(),
        labelled.supervised()
    );
    canvas.text(area.line(used + 1), &text, Meaning::Quiet);
}

fn row(view: &SampleView, labelled: &Labelled, turn: usize) -> Option<Vec<Cell>> {
    let round = labelled.rounds.get(turn)?;
    let tokens = view.real_rounds.get(turn)?.clone();
    let frame = labelled.segments.iter().filter(|s| s.round == Some(turn) && s.kind == SegmentKind::Frame);
    let frame: usize = frame.map(|s| s.tokens.len()).sum();
    let labels = labelled.labels.get(tokens.clone()).unwrap_or_default();
    let supervised = labels.iter().filter(|label| **label != IGNORE_INDEX).count();
    let name = match &round.message {
        Some(message) => format!("{} {}", message.index + 1, message.role),
        None => format!("{}", turn + 1),
    };
    let look = if supervised > 0 { Meaning::Supervised } else { Meaning::Quiet };
    Some(vec![
        Cell::new(name, Meaning::Strong),
        Cell::new(tokens.len().to_string(), Meaning::Text),
        Cell::new(frame.to_string(), Meaning::Text),
        Cell::new(supervised.to_string(), look),
        Cell::new(format!("[{}, {})", tokens.start, tokens.end), Meaning::Text),
    ])
}
