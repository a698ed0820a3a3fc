//! Changing the set-up: to a new one, back to an older one, and back from one that cannot be carried out.

use std::sync::Arc;

use super::job::{DataSource, Effect, Fix, JobKind};
use super::state::{App, Load, Notice, Step};
use super::update::{abandon, inspect, load_samples, load_tokenizer};
use crate::chat::Sample;
use crate::diagnose;
use crate::setup::Request;

/// A request that cannot be carried out: say why, and go back to the last one that could.
pub(super) fn refuse(app: &mut App, error: String) -> Vec<Effect> {
    app.notice = Some(Notice { text: error, is_error: true });
    if app.request == app.good_request {
        return Vec::new();
    }
    app.history.pop();
    let request = app.good_request.clone();
    if let (Some(view), None) = (app.shown(), app.base.ready()) {
        // The tokenizer of the last good request is still there: it need not be loaded again.
        app.base = Load::Ready(view.setup.base.clone());
        (app.request, app.survey_stale, app.fix) = (request, true, Load::Idle);
        return inspect(app);
    }
    adopt(app, request)
}

/// Ends the loading of a tokenizer and goes back to the one before it.
pub(super) fn stop_loading(app: &mut App) -> Vec<Effect> {
    let end = abandon(app, JobKind::Tokenizer);
    (app.base, app.progress) = (Load::Failed("cancelled".to_string()), None);
    let name = app.request.tokenizer.clone();
    let mut effects = vec![end];
    effects.extend(refuse(app, format!("loading {name} was cancelled")));
    effects
}

/// Ends the reading of a file and goes back to the data before it.
pub(super) fn stop_reading(app: &mut App) -> Vec<Effect> {
    let end = abandon(app, JobKind::Samples);
    let error = format!("reading {} was cancelled", app.source.name());
    [vec![end], no_samples(app, error)].concat()
}

/// Data that could not be read: say why; the data before stays, as the tokenizer does.
pub(super) fn no_samples(app: &mut App, error: String) -> Vec<Effect> {
    (app.samples, app.reading) = (Load::Failed(error.clone()), None);
    if let Some(former) = app.former.take() {
        app.set_data(former);
    }
    app.notice = Some(Notice { text: error, is_error: true });
    Vec::new()
}

/// Changes the set-up, and remembers the old one.
pub(super) fn change(app: &mut App, request: Request) -> Vec<Effect> {
    if request == app.request {
        return Vec::new();
    }
    app.panels.doctor.before = None;
    app.history.push(Step { request: app.request.clone(), data: None });
    adopt(app, request)
}

/// Changes the set-up and the data with it; undo brings back both.
pub(super) fn change_with_data(app: &mut App, request: Request, source: DataSource) -> Vec<Effect> {
    if request == app.request && source == app.source {
        return Vec::new();
    }
    app.panels.doctor.before = None;
    app.history.push(Step { request: app.request.clone(), data: app.data() });
    let mut effects = adopt(app, request);
    effects.push(load_samples(app, source));
    effects
}

fn adopt(app: &mut App, request: Request) -> Vec<Effect> {
    let loaded = app.base.ready().is_some();
    let same_tokenizer = request.tokenizer == app.request.tokenizer && request.load == app.request.load;
    app.request = request;
    app.survey_stale = true;
    app.fix = Load::Idle;
    if same_tokenizer && loaded { inspect(app) } else { vec![load_tokenizer(app)] }
}

pub(super) fn apply_fix(app: &mut App) -> Vec<Effect> {
    let say = |app: &mut App, text: &str| {
        app.notice = Some(Notice { text: text.to_string(), is_error: false });
        Vec::new()
    };
    match &app.fix {
        Load::Ready(Some(Fix { request, label, .. })) => {
            let (request, text) = (request.clone(), format!("{label} applied; u undoes it"));
            app.notice = Some(Notice { text, is_error: false });
            change(app, request)
        }
        Load::Loading => say(app, "still trying set-ups that could help"),
        _ if app.cause.is_none() => say(app, "nothing to fix: this sample is sound"),
        _ => say(app, "no change of the set-up repairs this sample: the data needs a look"),
    }
}

/// Applies a fix of the doctor in memory: a change of the request, and samples that are left out.
pub(super) fn adopt_fix(app: &mut App, fix: &diagnose::Fix) -> Vec<Effect> {
    let Some(setup) = app.shown().map(|view| view.setup.clone()) else { return Vec::new() };
    let (request, dropped) = fix.request(&app.request, &setup);
    app.notice = Some(Notice { text: format!("{} applied; u undoes it", fix.summary), is_error: false });
    let Some(samples) = app.samples.ready().filter(|_| !dropped.is_empty()).cloned() else {
        return change(app, request);
    };
    let kept = samples.iter().enumerate().filter(|(i, _)| !dropped.contains(i)).map(|(_, s)| s.clone());
    let kept: Vec<Sample> = kept.collect();
    app.history.push(Step { request: app.request.clone(), data: app.data() });
    app.samples = Load::Ready(Arc::new(kept));
    (app.current, app.view_state.sample, app.draft) = (0, 0, None);
    adopt(app, request)
}

pub(super) fn undo(app: &mut App) -> Vec<Effect> {
    app.panels.doctor.before = None;
    match app.history.pop() {
        Some(Step { request, data: None }) => adopt(app, request),
        Some(Step { request, data: Some(data) }) => {
            let end = abandon(app, JobKind::Samples);
            app.set_data(data);
            (app.current, app.view_state.sample, app.draft) = (0, 0, None);
            [vec![end], adopt(app, request)].concat()
        }
        None => {
            app.notice = Some(Notice { text: "nothing to undo".to_string(), is_error: false });
            Vec::new()
        }
    }
}
