//! Screen Samples: the state of every sample in a line. Only the window is drawn.

use crate::app::screens::samples::{SampleFilter, SampleOrder};
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
    let list = &app.screens.samples;
    let shown = list.len(samples.len());
    let which = match (list.filter, list.order) {
        (SampleFilter::All, SampleOrder::Data) => String::new(),
        (SampleFilter::All, order) => format!(" · {}", order.name()),
        (filter, SampleOrder::Data) => format!(" · {shown}: {}", filter.name()),
        (filter, order) => format!(" · {shown}: {}, {}", filter.name(), order.name()),
    };
    canvas.spans(
        area.line(0),
        &[
            (&format!("{} · {} samples · ", app.session.source.name(), samples.len()), Meaning::Quiet),
            (&app.session.counts().line(), Meaning::Strong),
            (&which, Meaning::Key),
            (&progress, Meaning::Warning),
        ],
    );
    let mut below = 1;
    if let Some(left_out) = &app.session.left_out {
        canvas.text(area.line(1), &format!("✗ {}", left_out.line()), Meaning::Bad);
        below = 2;
    }
    let room = usize::from(area.height.saturating_sub(below)).max(1);
    let top = list.cursor.saturating_sub(room / 2).min(shown.saturating_sub(room));
    if shown == 0 {
        canvas.text(area.line(below), "no sample is listed: v lists others", Meaning::Warning);
    }
    for row in top..shown.min(top + room) {
        let found = list.sample_at(row, samples.len());
        let Some((n, sample)) = found.and_then(|n| Some((n, samples.get(n)?))) else { continue };
        let line = area.line(u16::try_from(row - top).unwrap_or(u16::MAX).saturating_add(below));
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
        canvas.hit(line, Target::Sample(row));
        if row == list.cursor {
            canvas.tint(line, Meaning::Selected);
        }
    }
}

fn state_meaning(state: &SampleStatus) -> Meaning {
    if state.is_sound() { Meaning::Good } else { Meaning::Bad }
}
