//! The pure heart: a message comes in, the state changes, effects go out. No clock, no file, no thread.

use std::sync::Arc;

use super::action::{Action, Screen};
use super::bindings::{Context, resolve};
use super::job::{DataSource, Effect, Job, JobKind, Outcome, Work};
use super::key::{Code, Key};
use super::overlays::{accept, edit, in_overlay, open, open_with_known, preview, typed};
use super::panels;
use super::picker::{self, PickKind, Picker};
use super::request_changes::{apply_fix, change, no_samples, refuse, stop_loading, stop_reading, undo};
use super::state::{App, Background, Load, Notice, Overlay, PathPrompt, PathUse, Sheet};
use super::template_editor;
use super::view::SampleView;
use crate::chat::Sample;
use crate::setup::{Request, SAMPLE_PREFIX};

/// What a click can hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    Screen(Screen),
    Token(usize),
    Round(usize),
    Role(usize),
    Sample(usize),
    Entry(usize),
    Fix,
}

/// What comes in.
#[derive(Debug, Clone)]
pub enum Msg {
    /// The first message: start loading.
    Start,
    Key(Key),
    Paste(String),
    Click(Target),
    /// Lines, down is positive.
    Wheel(i16),
    Resize(u16, u16),
    /// The file that a screen was written into, or why it was not.
    Exported(Result<String, String>),
    Done {
        kind: JobKind,
        ticket: u64,
        outcome: Outcome,
    },
}

/// Takes a message.
pub fn update(app: &mut App, msg: Msg) -> Vec<Effect> {
    let before = seen(app);
    let mut effects = match msg {
        Msg::Start => start(app),
        Msg::Key(key) => key_pressed(app, key),
        // Terminals send a line break as the Enter key would.
        Msg::Paste(text) => typed(app, &text.replace("\r\n", "\n").replace('\r', "\n")),
        Msg::Click(target) => click(app, target),
        Msg::Wheel(lines) => {
            let action = if lines > 0 { Action::Down } else { Action::Up };
            (0..lines.unsigned_abs()).flat_map(|_| act(app, action)).collect()
        }
        Msg::Resize(width, height) => {
            app.size = (width, height);
            Vec::new()
        }
        Msg::Exported(written) => {
            let is_error = written.is_err();
            let text = written.map_or_else(|error| error, |file| format!("written: {file}"));
            app.notice = Some(Notice { text, is_error });
            Vec::new()
        }
        Msg::Done { kind, ticket, outcome } if app.tickets.get(&kind) == Some(&ticket) => done(app, outcome),
        Msg::Done { .. } => Vec::new(),
    };
    if seen(app) != before {
        effects.extend(refresh(app));
    }
    settle(app);
    effects
}

/// Starts what the present screen shows beyond the sample, where it is out of date.
fn refresh(app: &mut App) -> Vec<Effect> {
    if app.screen.is_panel() {
        return panels::refresh(app);
    }
    match app.shown().map(|view| view.setup.clone()) {
        Some(setup) if app.screen == Screen::Special && app.token_report().is_none() => {
            vec![job(app, JobKind::Special, Work::Special(setup))]
        }
        _ => Vec::new(),
    }
}

/// What a panel's results depend on: which screen, which inspection, which samples. Each inspection and each list
/// of samples is made anew, so their addresses tell them apart while both are alive.
fn seen(app: &App) -> (Screen, Option<*const SampleView>, Option<*const Vec<Sample>>) {
    (app.screen, app.view.ready().map(Arc::as_ptr), app.samples.ready().map(Arc::as_ptr))
}

/// Keeps the token under the cursor in sight.
fn settle(app: &mut App) {
    let Some(view) = app.shown().cloned() else { return };
    let height = app.panes().body.height;
    let top = app.flow(&view).settle(app.view_state.top, app.view_state.token, height);
    app.view_state.top = top;
}

/// A job of a kind, as the newest one.
pub(super) fn job(app: &mut App, kind: JobKind, work: Work) -> Effect {
    app.next_ticket += 1;
    app.tickets.insert(kind, app.next_ticket);
    Effect::Start(Box::new(Job { kind, ticket: app.next_ticket, work }))
}

fn start(app: &mut App) -> Vec<Effect> {
    let source = app.source.clone();
    vec![load_tokenizer(app), load_samples(app, source)]
}

pub(super) fn load_tokenizer(app: &mut App) -> Effect {
    app.base = Load::Loading;
    let work = Work::LoadTokenizer(Box::new(app.request.clone()));
    job(app, JobKind::Tokenizer, work)
}

pub(super) fn load_samples(app: &mut App, source: DataSource) -> Effect {
    // A file that is read in place of one that was still being read keeps what was there before both.
    app.former = app.data().or(app.former.take());
    (app.samples, app.left_out, app.source) = (Load::Loading, None, source.clone());
    app.panels.doctor.before = None;
    job(app, JobKind::Samples, Work::LoadSamples(source, app.request.layout))
}

/// Ends a job for good: what it still sends is nobody's.
pub(super) fn abandon(app: &mut App, kind: JobKind) -> Effect {
    app.tickets.remove(&kind);
    Effect::Cancel(kind)
}

/// Inspects the sample on screen again; the other samples follow when that is there.
pub(super) fn inspect(app: &mut App) -> Vec<Effect> {
    let (Some(wish), Some(sample)) = (app.wish(), app.sample().cloned()) else { return Vec::new() };
    let work = Work::Inspect { wish, index: app.current, sample };
    vec![job(app, JobKind::Inspect, work)]
}

fn done(app: &mut App, outcome: Outcome) -> Vec<Effect> {
    match outcome {
        Outcome::Tokenizer(Ok(base)) => {
            (app.base, app.progress) = (Load::Ready(base), None);
            app.survey_stale = true;
            let mut effects = inspect(app);
            let name = app.request.tokenizer.clone();
            if app.remembers && !name.starts_with(SAMPLE_PREFIX) {
                effects.push(job(app, JobKind::Remember, Work::Remember(name)));
            }
            effects
        }
        Outcome::Progress(progress) => {
            app.progress = Some(progress);
            Vec::new()
        }
        Outcome::Known(known) => {
            if let Some(Overlay::Picker(picker)) = &mut app.overlay {
                picker.add_known(&known);
            }
            Vec::new()
        }
        Outcome::Explained(lines) => {
            if let Some(Overlay::Sheet(sheet)) = &mut app.overlay {
                sheet.lines = lines.map_or_else(Load::Failed, Load::Ready);
            }
            Vec::new()
        }
        Outcome::Tokenizer(Err(error)) => {
            (app.base, app.progress) = (Load::Failed(error.clone()), None);
            refuse(app, error)
        }
        Outcome::Reading(progress) => {
            app.reading = Some(progress);
            Vec::new()
        }
        Outcome::Samples(Ok(data)) => {
            app.notice = data.left_out.as_ref().map(|some| Notice { text: some.line(), is_error: true });
            app.set_data((app.source.clone(), data));
            (app.current, app.view_state.sample, app.draft) = (0, 0, None);
            app.view = Load::Idle;
            app.survey_stale = true;
            inspect(app)
        }
        Outcome::Samples(Err(error)) => no_samples(app, error),
        Outcome::Inspected(Ok(view)) => inspected(app, view),
        Outcome::Inspected(Err(error)) => refuse(app, error),
        Outcome::Surveyed { first, states, done } => {
            app.states.truncate(first);
            app.states.extend(states);
            app.survey_done = done;
            Vec::new()
        }
        Outcome::Previewed(Ok(preview)) => {
            app.preview = Load::Ready(preview);
            Vec::new()
        }
        Outcome::Previewed(Err(error)) => {
            app.preview = Load::Failed(error);
            Vec::new()
        }
        Outcome::Fix(fix) => {
            app.fix = Load::Ready(fix.map(|f| *f));
            Vec::new()
        }
        Outcome::Special(token_report) => {
            app.token_report = app.shown().map(|view| (view.setup.clone(), token_report));
            Vec::new()
        }
        Outcome::Rendered(result) => {
            template_editor::rendered(app, result);
            Vec::new()
        }
        Outcome::Panel(outcome) => panels::done(app, outcome),
        Outcome::Vocabulary(tokens) => {
            if let Some(base) = app.base.ready() {
                app.vocabulary = Some((base.name.clone(), tokens.clone()));
            }
            if let Some(Overlay::Picker(picker)) = &mut app.overlay
                && let PickKind::Token(role) = picker.kind
            {
                picker.extend(picker::vocabulary(role, &tokens));
            }
            Vec::new()
        }
    }
}

fn inspected(app: &mut App, view: Arc<SampleView>) -> Vec<Effect> {
    app.good_request = app.request.clone();
    let setup = view.setup.clone();
    app.show(view);
    let mut effects = Vec::new();
    if app.cause.is_some() {
        if let (Some(wish), Some(sample), Some(samples)) =
            (app.wish(), app.sample().cloned(), app.samples.ready().cloned())
        {
            app.fix = Load::Loading;
            effects.push(job(app, JobKind::Fix, Work::FindFix { wish, sample, samples }));
        }
    } else {
        app.fix = Load::Idle;
    }
    if std::mem::take(&mut app.survey_stale) {
        app.states.clear();
        app.survey_done = false;
        if let Some(samples) = app.samples.ready().cloned() {
            effects.push(job(app, JobKind::Survey, Work::Survey { setup, samples }));
        }
    }
    effects
}

fn explain(app: &mut App) -> Vec<Effect> {
    let Some(view) = app.shown().cloned() else { return Vec::new() };
    let index = app.view_state.token;
    let title = format!("why token {index} is split like this");
    app.overlay = Some(Overlay::Sheet(Sheet { title, lines: Load::Loading, top: 0 }));
    vec![job(app, JobKind::Explain, Work::Explain { view, index })]
}

/// The context that keys are read in.
pub fn context(app: &App) -> Context {
    match &app.overlay {
        Some(Overlay::Picker(_)) => Context::Picker,
        Some(Overlay::Editor(_)) => Context::Editor,
        Some(Overlay::Template(_)) => Context::Template,
        Some(Overlay::Path(_)) => Context::Path,
        Some(Overlay::Help(_) | Overlay::Sheet(_)) => Context::Help,
        None => Context::On(app.screen),
    }
}

fn key_pressed(app: &mut App, key: Key) -> Vec<Effect> {
    app.notice = None;
    if let Some(action) = resolve(context(app), key) {
        return act(app, action);
    }
    match key {
        Key { code: Code::Char(c), ctrl: false, alt: false } => typed(app, c.encode_utf8(&mut [0; 4])),
        _ => Vec::new(),
    }
}

/// Does one act.
pub fn act(app: &mut App, action: Action) -> Vec<Effect> {
    match (app.overlay.is_some(), action) {
        (_, Action::Quit) => {
            app.quit = true;
            vec![Effect::Quit]
        }
        (_, Action::Suspend) => vec![Effect::Suspend],
        (true, action) => in_overlay(app, action),
        (false, action) => super::navigation::on_screen(app, action).unwrap_or_else(|| command(app, action)),
    }
}

/// Acts that do not depend on the screen.
fn command(app: &mut App, action: Action) -> Vec<Effect> {
    match action {
        Action::Help => app.overlay = Some(Overlay::Help(0)),
        Action::Palette => return open(app, Picker::new(PickKind::Palette, picker::commands())),
        Action::PickTokenizer => {
            return open_with_known(app, Picker::new(PickKind::Tokenizer, picker::tokenizers()));
        }
        Action::Explain => return explain(app),
        Action::Back if matches!(app.base, Load::Loading) => return stop_loading(app),
        Action::Back if matches!(app.samples, Load::Loading) => return stop_reading(app),
        Action::PickTemplate => {
            let mut effects = open(app, Picker::new(PickKind::Template, picker::templates()));
            if let Some(base) = app.base.ready().cloned() {
                effects.push(job(app, JobKind::Known, Work::ListTemplates(base)));
            }
            return effects;
        }
        Action::PickRule => {
            let entries = if app.request.wants_chat() { picker::strategies() } else { picker::rules() };
            return open(app, Picker::new(PickKind::Rule, entries));
        }
        Action::PickRecipe => return open(app, Picker::new(PickKind::Recipe, picker::recipes())),
        Action::PickLoading => {
            return open(app, Picker::new(PickKind::Loading, picker::loadings(app.request.load)));
        }
        Action::OpenFile => app.overlay = Some(Overlay::Path(PathPrompt::new(PathUse::Data))),
        Action::Edit => edit(app),
        Action::EditTemplate => return template_editor::open(app),
        Action::ApplyFix => return apply_fix(app),
        Action::Undo => return undo(app),
        Action::Tour => return super::tour::go_on(app),
        Action::Back if app.tour.is_some() => app.tour = None,
        Action::Open(screen) => app.screen = screen,
        Action::NextScreen => app.screen = app.screen.step(1),
        Action::PreviousScreen => app.screen = app.screen.step(-1),
        Action::Back if app.screen == Screen::Labels => {
            app.notice = Some(Notice { text: "q quits".to_string(), is_error: false });
        }
        Action::Back => app.screen = Screen::Labels,
        Action::NextSample => return go_to_sample(app, app.current.saturating_add(1)),
        Action::PreviousSample => return go_to_sample(app, app.current.saturating_sub(1)),
        Action::Panel(act) => return panels::act(app, act),
        Action::ToggleTheme => {
            app.background = match app.background {
                Background::Dark => Background::Light,
                Background::Light => Background::Dark,
            }
        }
        Action::Export(form) => return vec![Effect::Export(form)],
        Action::ToggleImageMarks => {
            let on = !app.request.mm_use_im_start_end;
            return change(app, Request { mm_use_im_start_end: on, ..app.request.clone() });
        }
        _ => {}
    }
    Vec::new()
}

/// Shows another sample.
pub(super) fn go_to_sample(app: &mut App, index: usize) -> Vec<Effect> {
    // While a file is read there is nowhere to go.
    let Some(samples) = app.samples.ready() else { return Vec::new() };
    let index = index.min(samples.len().saturating_sub(1));
    if index == app.current {
        return Vec::new();
    }
    (app.current, app.view_state.sample, app.draft) = (index, index, None);
    inspect(app)
}

fn click(app: &mut App, target: Target) -> Vec<Effect> {
    match target {
        Target::Entry(index) => {
            let Some(Overlay::Picker(picker)) = &mut app.overlay else { return Vec::new() };
            if picker.cursor == index {
                return accept(app);
            }
            picker.cursor = index;
            preview(app)
        }
        _ if app.overlay.is_some() => Vec::new(),
        Target::Screen(screen) => {
            app.screen = screen;
            Vec::new()
        }
        Target::Fix => apply_fix(app),
        target => super::navigation::click(app, target),
    }
}
