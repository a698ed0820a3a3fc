//! Screen Onboard: the steps of the customization guide, each with what the program found.

use crate::app::screens::onboard::Onboarded;
use crate::app::{App, Area, Panes};
use crate::diagnose::Verdict;
use crate::report::onboarding_lines;
use crate::ui::canvas::{Canvas, wrapped};
use crate::ui::missing;
use crate::ui::theme::Meaning;

/// Draws the screen.
pub fn draw(canvas: &mut Canvas<'_>, app: &App, panes: &Panes) {
    let area = panes.body;
    let state = &app.screens.onboard;
    let doing = "trying rules, separators and tokens on 1 to 5 rounds, with and without images … esc ends it";
    let Some(onboarded) = missing::made(canvas, app, panes, &state.result, doing) else { return };
    let lines = steps(app, onboarded);
    let indent = 3.min(area.width);
    let mut rows: Vec<(bool, String, Meaning)> = Vec::new();
    for (heading, text, meaning) in lines {
        let room = usize::from(area.width - if heading { 0 } else { indent });
        for piece in wrapped(&text, room) {
            rows.push((heading, piece, meaning));
        }
    }
    let room = usize::from(area.height);
    let top = state.top.min(rows.len().saturating_sub(room));
    for (n, (heading, text, meaning)) in rows.iter().skip(top).take(room).enumerate() {
        let line = area.line(u16::try_from(n).unwrap_or(u16::MAX));
        let x = if *heading { 0 } else { indent };
        canvas.text(Area { x: line.x + x, width: line.width - x, ..line }, text, *meaning);
    }
    if rows.len() > top + room {
        canvas.right(area.line(area.height.saturating_sub(1)), " ↓ more", Meaning::Key);
    }
}

/// All lines: (heading, text, meaning).
fn steps(app: &App, onboarded: &Onboarded) -> Vec<(bool, String, Meaning)> {
    let Onboarded { onboarding, patch, tokens: _ } = onboarded;
    let samples = app.session.samples.ready().map(|s| s.as_slice()).unwrap_or_default();
    let lines = onboarding_lines(onboarding, patch, samples).into_iter();
    let mut lines: Vec<(bool, String, Meaning)> = lines
        .map(|line| {
            let meaning = match line.verdict {
                _ if line.heading => Meaning::Strong,
                Verdict::Ok => Meaning::Good,
                Verdict::Warn => Meaning::Warning,
                Verdict::Error => Meaning::Bad,
                _ => Meaning::Text,
            };
            (line.heading, line.text, meaning)
        })
        .collect();
    lines.push((true, "the patch (w writes it into a folder)".to_string(), Meaning::Strong));
    for (_, place, code) in patch.pieces().into_iter().filter(|(file, ..)| !SAID.contains(file)) {
        lines.push((false, format!("# {place}"), Meaning::Special));
        lines.extend(code.lines().map(|line| (false, line.to_string(), Meaning::Quiet)));
        lines.push((false, String::new(), Meaning::Quiet));
    }
    lines
}

/// Pieces of the patch that the screen leaves out: said in a step already, and too long to read here.
const SAID: [&str; 2] = ["flags.txt", "test_labels.py"];
