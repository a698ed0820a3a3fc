//! What lies over a screen and takes the keys: lists, the editor of a turn, paths, sheets.

use std::sync::Arc;

use tui_input::{Input, InputRequest};

use super::action::{Action, Screen};
use super::job::{DataSource, Effect, JobKind, Work};
use super::panels;
use super::picker::{self, Choice, PickKind, Picker};
use super::request_changes::{change, change_with_data};
use super::state::{App, Editor, Load, Notice, Overlay, PathPrompt, PathUse, Sheet};
use super::template_editor;
use super::update::{act, inspect, job, load_samples};

/// Text for the open input, if there is one: a character that was typed, or all that was pasted, as one change.
pub(super) fn typed(app: &mut App, text: &str) -> Vec<Effect> {
    if matches!(app.overlay, Some(Overlay::Template(_))) {
        return template_editor::typed(app, text);
    }
    // Only a turn has room for line breaks.
    let has_lines = matches!(app.overlay, Some(Overlay::Editor(_)));
    let fitting = text.chars().filter(|c| has_lines || *c != '\n');
    edit_input(app, &fitting.map(InputRequest::InsertChar).collect::<Vec<_>>())
}

fn edit_input(app: &mut App, requests: &[InputRequest]) -> Vec<Effect> {
    let apply = |input: &mut Input| {
        requests
            .iter()
            .fold(false, |changed, request| changed | input.handle(*request).is_some_and(|c| c.value))
    };
    match &mut app.overlay {
        Some(Overlay::Picker(picker)) if !requests.is_empty() => {
            apply(&mut picker.query);
            picker.filter();
            preview(app)
        }
        Some(Overlay::Editor(editor)) => {
            let changed = apply(&mut editor.input);
            let (turn, text) = (editor.turn, editor.input.value().to_string());
            if changed { redraft(app, turn, text) } else { Vec::new() }
        }
        Some(Overlay::Path(prompt)) => {
            apply(&mut prompt.input);
            Vec::new()
        }
        _ => Vec::new(),
    }
}

/// Shows a turn with another text.
fn redraft(app: &mut App, turn: usize, text: String) -> Vec<Effect> {
    let Some(mut sample) = app.sample().cloned() else { return Vec::new() };
    sample.set_turn(turn, &text);
    app.draft = Some(sample);
    inspect(app)
}

pub(super) fn in_overlay(app: &mut App, action: Action) -> Vec<Effect> {
    if matches!(app.overlay, Some(Overlay::Template(_))) {
        return template_editor::act(app, action);
    }
    let request = match action {
        Action::DeleteBack => InputRequest::DeletePrevChar,
        Action::DeleteForward => InputRequest::DeleteNextChar,
        Action::DeleteWord => InputRequest::DeletePrevWord,
        Action::ClearLine => InputRequest::DeleteLine,
        Action::LineBreak => InputRequest::InsertChar('\n'),
        Action::Left => InputRequest::GoToPrevChar,
        Action::Right => InputRequest::GoToNextChar,
        Action::First => InputRequest::GoToStart,
        Action::Last => InputRequest::GoToEnd,
        Action::Back => return close(app),
        Action::Accept => return accept(app),
        Action::Up => return move_mark(app, -1),
        Action::Down => return move_mark(app, 1),
        Action::PageUp => return move_mark(app, -8),
        Action::PageDown => return move_mark(app, 8),
        _ => return Vec::new(),
    };
    edit_input(app, &[request])
}

fn move_mark(app: &mut App, by: isize) -> Vec<Effect> {
    match &mut app.overlay {
        Some(Overlay::Picker(picker)) => {
            picker.step(by);
            preview(app)
        }
        Some(Overlay::Help(top) | Overlay::Sheet(Sheet { top, .. })) => {
            *top = top.saturating_add_signed(by);
            Vec::new()
        }
        _ => Vec::new(),
    }
}

/// Tries the marked entry without taking it.
pub(super) fn preview(app: &mut App) -> Vec<Effect> {
    let Some(Overlay::Picker(picker)) = &app.overlay else { return Vec::new() };
    let reloads = matches!(
        picker.kind,
        PickKind::Tokenizer | PickKind::Loading | PickKind::Other(_) | PickKind::Model | PickKind::Palette
    );
    let wish = picker.chosen().filter(|_| !reloads).and_then(|e| e.choice.apply(&app.request));
    let (Some(request), Some(mut wish)) = (wish, app.wish()) else {
        app.preview = Load::Idle;
        return vec![Effect::Cancel(JobKind::Preview)];
    };
    let (Some(sample), Some(samples)) = (app.sample().cloned(), app.samples.ready().cloned()) else {
        return Vec::new();
    };
    wish.request = request;
    app.preview = Load::Loading;
    vec![job(app, JobKind::Preview, Work::Preview { wish, sample, samples })]
}

/// Esc in an overlay: nothing changes.
fn close(app: &mut App) -> Vec<Effect> {
    let closed = app.overlay.take();
    app.preview = Load::Idle;
    match closed {
        Some(Overlay::Editor(editor)) => {
            let edited = app.draft.as_ref().is_some_and(|d| *d != editor.original);
            app.draft = None;
            if edited { inspect(app) } else { Vec::new() }
        }
        _ => vec![Effect::Cancel(JobKind::Preview)],
    }
}

pub(super) fn accept(app: &mut App) -> Vec<Effect> {
    app.preview = Load::Idle;
    match app.overlay.take() {
        Some(Overlay::Picker(picker)) => match picker.chosen().map(|e| e.choice.clone()) {
            Some(choice) => choose(app, &choice),
            None => Vec::new(),
        },
        Some(Overlay::Editor(_)) => keep_draft(app),
        Some(Overlay::Path(PathPrompt { input, used_for })) if !input.value().is_empty() => match used_for {
            PathUse::Data if input.value() == "-" => {
                let text = "- would read the keys: start maskscope with -d - behind a pipe".to_string();
                app.notice = Some(Notice { text, is_error: true });
                Vec::new()
            }
            PathUse::Data => vec![load_samples(app, DataSource::File(input.value().into()))],
            PathUse::Patch => panels::onboard::write(app, input.value().to_string()),
        },
        _ => Vec::new(),
    }
}

fn choose(app: &mut App, choice: &Choice) -> Vec<Effect> {
    match choice {
        Choice::Act(action) => return act(app, *action),
        Choice::Messages(name) => {
            let request = picker::messages_request(name, &app.request);
            return change_with_data(app, request, DataSource::EmbeddedMessages);
        }
        Choice::Model(model) => return panels::experts::choose(app, model.clone()),
        Choice::Other(tokenizer, load) => return panels::compare::choose(app, tokenizer.clone(), *load),
        _ => {}
    }
    match choice.apply(&app.request) {
        Some(request) => change(app, request),
        None => Vec::new(),
    }
}

/// The edited turn becomes part of the samples.
fn keep_draft(app: &mut App) -> Vec<Effect> {
    let (Load::Ready(samples), Some(draft)) = (&mut app.samples, app.draft.take()) else { return Vec::new() };
    if let Some(sample) = Arc::make_mut(samples).get_mut(app.current) {
        *sample = draft;
    }
    app.survey_stale = true;
    inspect(app)
}

/// Opens a list.
pub(super) fn open(app: &mut App, picker: Picker) -> Vec<Effect> {
    app.overlay = Some(Overlay::Picker(Box::new(picker)));
    preview(app)
}

/// Opens a list that loads a tokenizer, and asks for the recent and cached ones.
pub(super) fn open_with_known(app: &mut App, picker: Picker) -> Vec<Effect> {
    let mut effects = open(app, picker);
    let hub = Box::new(app.request.hub.clone());
    effects.push(job(app, JobKind::Known, Work::ListTokenizers(hub)));
    effects
}

/// Opens the list of tokens for the role under the cursor.
pub(super) fn pick_token(app: &mut App) -> Vec<Effect> {
    let (Some(view), Some(base)) = (app.shown().cloned(), app.base.ready().cloned()) else {
        return Vec::new();
    };
    let Some(role) = super::navigation::role(app) else { return Vec::new() };
    let free = app.token_report().map(|token_report| token_report.reserved.as_slice()).unwrap_or_default();
    let entries = picker::special_tokens(role, &app.request, &view.setup.tokenizer, &base, free);
    let mut picker = Picker::new(PickKind::Token(role), entries);
    let mut effects = Vec::new();
    match &app.vocabulary {
        Some((name, tokens)) if *name == base.name => picker.extend(picker::vocabulary(role, tokens)),
        _ => {
            picker.loading = true;
            effects.push(job(app, JobKind::Vocabulary, Work::Vocabulary(base)));
        }
    }
    effects.extend(open(app, picker));
    effects
}

pub(super) fn remove_override(app: &mut App) -> Vec<Effect> {
    match super::navigation::role(app) {
        Some(role) => choose(app, &Choice::Token(role, None)),
        None => Vec::new(),
    }
}

pub(super) fn edit(app: &mut App) {
    let under_cursor = app.shown().and_then(|v| v.section_at(app.view_state.token)).and_then(|(_, s)| s.turn);
    let Some(sample) = app.sample().cloned() else { return };
    let turn = under_cursor.unwrap_or(0);
    let Some(text) = sample.conversations.get(turn).map(|t| t.value.clone()) else { return };
    app.screen = Screen::Labels;
    app.overlay = Some(Overlay::Editor(Box::new(Editor { input: Input::new(text), turn, original: sample })));
}
