//! What stands in place of a sample that cannot be shown.

use super::canvas::Canvas;
use super::theme::Meaning;
use crate::app::{App, Area, Load, Panes, SampleView};

/// The inspected sample on screen; before it is there, says what is being done or what failed.
pub fn shown<'a>(canvas: &mut Canvas<'_>, app: &'a App, panes: &Panes) -> Option<&'a SampleView> {
    let view = app.session.shown();
    if view.is_none() {
        waiting(canvas, app, panes);
    }
    view.map(|view| &**view)
}

/// For a screen with a job of its own: says so where there is nothing to show and nothing on its way.
pub fn has_failed(canvas: &mut Canvas<'_>, app: &App, panes: &Panes) -> bool {
    let failed = app.session.shown().is_none() && app.session.has_failed();
    if failed {
        waiting(canvas, app, panes);
    }
    failed
}

/// What the job of a screen has made; before it is there, says what is being done or what failed.
pub fn made<'a, T>(
    canvas: &mut Canvas<'_>,
    app: &App,
    panes: &Panes,
    load: &'a Load<T>,
    doing: &str,
) -> Option<&'a T> {
    if has_failed(canvas, app, panes) {
        return None;
    }
    match load {
        Load::Ready(made) => return Some(made),
        Load::Failed(error) => canvas.paragraph(panes.body, error, Meaning::Bad),
        _ => canvas.paragraph(panes.body, doing, Meaning::Quiet),
    };
    None
}

fn waiting(canvas: &mut Canvas<'_>, app: &App, panes: &Panes) {
    let (text, meaning) = match (&app.session.base, &app.session.samples) {
        (Load::Failed(error), _) | (_, Load::Failed(error)) => (error.clone(), Meaning::Bad),
        (Load::Ready(_), Load::Ready(_)) => match (&app.session.view, app.session.running) {
            (Load::Failed(error), _) => (error.clone(), Meaning::Bad),
            (_, Some(seconds)) => (
                format!(
                    "the repository's function runs in the sandbox: {seconds} s, at most 10 s a sample … esc ends it"
                ),
                Meaning::Warning,
            ),
            _ => ("labelling the sample …".to_string(), Meaning::Quiet),
        },
        (Load::Ready(_), _) => (format!("reading {} …", app.session.source.name()), Meaning::Quiet),
        _ => (format!("loading {} …", app.session.request.tokenizer), Meaning::Quiet),
    };
    canvas.paragraph(panes.body, &text, meaning);
}

/// The exception of the training code, in place of tokens.
pub fn raised(canvas: &mut Canvas<'_>, panes: &Panes, view: &SampleView) {
    let Err(error) = &view.inspection.result else { return };
    let area = Area {
        x: panes.gutter.x.max(panes.alert.x),
        width: panes.gutter.width + panes.body.width,
        ..panes.body
    };
    canvas.text(area.line(0), &format!("{}:", error.kind), Meaning::Bad);
    let rest = Area { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    let used = canvas.paragraph(rest, &error.message.replace('\n', " "), Meaning::Text);
    let next = Area { y: rest.y + used + 1, height: rest.height.saturating_sub(used + 1), ..rest };
    let text = "The training code raises this; its data set prints it and resamples: another sample takes this one's place.";
    canvas.paragraph(next, text, Meaning::Quiet);
}
