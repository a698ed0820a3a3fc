//! Screen Samples: the state of every sample in a line. Only the window is drawn.

use crate::app::{App, Area, Load, Panes, Target};
use crate::labels::SampleStatus;
use crate::ui::canvas::Canvas;
use crate::ui::theme::Meaning;

/// Draws the list.
pub fn draw(canvas: &mut Canvas<'_>, app: &App, panes: &Panes) {
    let Load::Ready(samples) = &app.session.samples else { return };
    let area = panes.body;
    let progress = if app.session.survey.is_done {
        String::new()
    } else {
        format!("   {} of {} labelled …", app.session.survey.states.len(), samples.len())
    };
    canvas.spans(
        area.line(0),
        &[
            (&format!("{} · {} samples · ", app.session.source.name(), samples.len()), Meaning::Quiet),
            (&app.session.counts().line(), Meaning::Strong),
            (&progress, Meaning::Warning),
        ],
    );
    let mut below = 1;
    if let Some(left_out) = &app.session.left_out {
        canvas.text(area.line(1), &format!("✗ {}", left_out.line()), Meaning::Bad);
        below = 2;
    }
    let room = usize::from(area.height.saturating_sub(below)).max(1);
    let top = app.screens.samples.cursor.saturating_sub(room / 2).min(samples.len().saturating_sub(room));
    for (n, sample) in samples.iter().enumerate().skip(top).take(room) {
        let line = area.line(u16::try_from(n - top).unwrap_or(u16::MAX).saturating_add(below));
        let (mark, meaning, text) = match app.session.survey.states.get(n) {
            None => ("…", Meaning::Quiet, String::new()),
            Some(state) => (state.kind().symbol(), state_meaning(state), state.line()),
        };
        let id_width = (area.width / 3).clamp(8, 28);
        let mut x = canvas.spans(line, &[(mark, meaning), (&format!(" {:>4} ", n + 1), Meaning::Quiet)]);
        let here = if n == app.session.current { Meaning::Strong } else { Meaning::Text };
        canvas.text(Area { x, width: id_width, ..line }, &sample.id, here);
        x += id_width + 1;
        let rest = |x: u16| Area { x, width: (line.x + line.width).saturating_sub(x), ..line };
        if area.width >= 70 {
            let image = if sample.has_image { "image" } else { "text" };
            canvas.text(rest(x), &format!("{:>3} turns {image}", sample.conversations.len()), Meaning::Quiet);
            x += 17;
        }
        canvas.text(rest(x), &text, meaning);
        canvas.hit(line, Target::Sample(n));
        if n == app.screens.samples.cursor {
            canvas.tint(line, Meaning::Selected);
        }
    }
}

fn state_meaning(state: &SampleStatus) -> Meaning {
    if state.is_sound() { Meaning::Good } else { Meaning::Bad }
}
