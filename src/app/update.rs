//! Pure state transition: a [`Msg`] comes in, the state changes, [`Effect`]s go out. No clock, no file, no thread.

use std::sync::Arc;

use super::action::{Action, ExportForm};
use super::binding::KeyContext;
use super::command::{AppCommand, Notice};
use super::job::{Job, JobKind, Outcome};
use super::key::{Code, Key};
use super::keymap::{key_of, keyed, resolve};
use super::overlay::{Help, Overlay, PathPrompt, PathUse, SearchPrompt};
use super::overlays;
use super::picker::{self, PickKind, Picker, PickerChoice};
use super::screen::Screen;
use super::shell::Background;
use super::state::App;
use super::target::Target;
use super::view::SampleView;
use super::{template_editor, tour};
use crate::chat::Sample;
use crate::setup::Request;

/// What comes in.
#[derive(Debug)]
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
    /// Where a copied text went.
    Copied(String),
    /// What came of a job.
    Done {
        kind: JobKind,
        ticket: u64,
        outcome: Outcome,
    },
    /// A job ended by a bug of ours.
    Broken {
        kind: JobKind,
        ticket: u64,
        error: String,
    },
}

/// What `update` asks of the world.
#[derive(Debug)]
pub enum Effect {
    Start(Box<Job>),
    Cancel(JobKind),
    /// Write the screen as it is drawn now into a new file.
    Export(ExportForm),
    /// A text to the clipboard, with what it is.
    Copy(String, &'static str),
    Suspend,
    Quit,
}

/// Takes a message.
pub fn update(app: &mut App, msg: Msg) -> Vec<Effect> {
    let before = seen(app);
    let commands = commands(app, msg);
    let mut effects = carry_out(app, commands);
    let now = seen(app);
    if now != before {
        for screen in Screen::ALL {
            app.screens.get_mut(screen).follow(&app.session);
        }
        let App { session, shell, screens, .. } = app;
        let refreshing = screens.get_mut(shell.screen).refresh(session);
        effects.extend(carry_out(app, refreshing));
    }
    let panes = app.panes();
    app.screens.get_mut(app.shell.screen).settle(&app.session, &panes);
    effects
}

/// What the screens' results depend on: which screen, which inspection, which samples and which of them. Each inspection
/// and each list of samples is made anew, so their addresses tell them apart while both are alive.
fn seen(app: &App) -> (Screen, Option<*const SampleView>, Option<*const Vec<Sample>>, usize) {
    let session = &app.session;
    let (view, samples) = (session.view.ready(), session.samples.ready());
    (app.shell.screen, view.map(Arc::as_ptr), samples.map(Arc::as_ptr), session.current)
}

fn commands(app: &mut App, msg: Msg) -> Vec<AppCommand> {
    let App { session, shell, screens, tickets } = app;
    match msg {
        Msg::Start => {
            let source = session.source.clone();
            vec![session.load_tokenizer(), session.load_samples(source)]
        }
        Msg::Key(key) => key_pressed(app, key),
        // Terminals send a line break as the Enter key would.
        Msg::Paste(text) => overlays::typed(shell, session, &text.replace("\r\n", "\n").replace('\r', "\n")),
        Msg::Click(target) => click(app, target),
        Msg::Wheel(lines) => {
            let action = if lines > 0 { Action::Down } else { Action::Up };
            (0..lines.unsigned_abs()).map(|_| AppCommand::Act(action)).collect()
        }
        Msg::Resize(width, height) => {
            shell.size = (width, height);
            Vec::new()
        }
        Msg::Exported(Ok(file)) => vec![AppCommand::say(format!("written: {file}"))],
        Msg::Copied(said) => vec![AppCommand::say(said)],
        Msg::Exported(Err(error)) => vec![AppCommand::complain(error)],
        Msg::Done { kind, ticket, .. } | Msg::Broken { kind, ticket, .. }
            if !tickets.is_newest(kind, ticket) =>
        {
            Vec::new()
        }
        Msg::Done { kind, outcome, .. } => match kind {
            JobKind::Screen(screen) => screens.get_mut(screen).done(session, outcome),
            kind if is_of_overlay(kind) => overlays::done(shell, kind, outcome),
            _ => session.done(outcome),
        },
        Msg::Broken { kind, error, .. } => match kind {
            JobKind::Screen(screen) => {
                screens.get_mut(screen).broken(error);
                Vec::new()
            }
            kind if is_of_overlay(kind) => {
                overlays::broken(shell, kind, error);
                Vec::new()
            }
            kind => session.broken(kind, error),
        },
    }
}

/// Whether the outcomes of a job are for what lies over the screen.
fn is_of_overlay(kind: JobKind) -> bool {
    matches!(
        kind,
        JobKind::Preview | JobKind::Vocabulary | JobKind::Known | JobKind::Template | JobKind::Paths
    )
}

/// Does what was asked for, and what follows from it.
fn carry_out(app: &mut App, commands: Vec<AppCommand>) -> Vec<Effect> {
    commands.into_iter().flat_map(|command| one(app, command)).collect()
}

fn one(app: &mut App, command: AppCommand) -> Vec<Effect> {
    let App { session, shell, screens, tickets } = app;
    let commands = match command {
        AppCommand::Start(kind, work) => return vec![Effect::Start(Box::new(tickets.job(kind, work)))],
        AppCommand::Cancel(kind) => return vec![Effect::Cancel(kind)],
        AppCommand::Abandon(kind) => {
            tickets.abandon(kind);
            return vec![Effect::Cancel(kind)];
        }
        AppCommand::Export(form) => return vec![Effect::Export(form)],
        AppCommand::Search(search) => {
            session.set_search(search);
            Vec::new()
        }
        AppCommand::Copy(part) => match session.copied(part) {
            Some(text) => return vec![Effect::Copy(text, part.name())],
            None => vec![AppCommand::complain(format!("this sample has no {}", part.name()))],
        },
        AppCommand::Suspend => return vec![Effect::Suspend],
        AppCommand::Quit => {
            shell.quit = true;
            return vec![Effect::Quit];
        }
        AppCommand::Act(action) => return act(app, action),
        AppCommand::Say(notice) => {
            // What went wrong is told in other people's words.
            let text = if notice.is_error { notice.text } else { keyed(&notice.text) };
            shell.notice = Some(Notice { text, ..notice });
            Vec::new()
        }
        AppCommand::Open(screen) => {
            shell.screen = screen;
            Vec::new()
        }
        AppCommand::Over(overlay) => {
            shell.overlay = Some(overlay);
            overlays::preview(shell, session)
        }
        AppCommand::Close => {
            shell.overlay = None;
            Vec::new()
        }
        AppCommand::SheetLines(lines) => {
            if let Some(Overlay::Sheet(sheet)) = &mut shell.overlay {
                sheet.lines = lines;
            }
            Vec::new()
        }
        AppCommand::Token(token) => {
            let last = session.shown().map_or(0, |view| view.len().saturating_sub(1));
            session.token = token.min(last);
            Vec::new()
        }
        AppCommand::Sample(index) => session.go_to_sample(index),
        AppCommand::Divergence(index) => {
            (shell.screen, session.seeks_divergence) = (Screen::Labels, true);
            if index == session.current {
                session.seek_divergence();
            }
            session.go_to_sample(index)
        }
        AppCommand::Draft(draft) => session.set_draft(draft.map(|sample| *sample)),
        AppCommand::KeepDraft => session.keep_draft(),
        AppCommand::Change(request) => session.change(*request),
        AppCommand::ChangeWithData(request, source) => session.change_with_data(*request, source),
        AppCommand::AdoptFix(fix, before) => session.adopt_fix(&fix, before),
        AppCommand::ApplySuggestedFix => session.apply_suggested_fix(),
        AppCommand::Undo => session.undo(),
        AppCommand::Redo => session.redo(),
        AppCommand::Read(source) => session.open(source),
        AppCommand::ListVocabulary => {
            session.base.ready().cloned().map(overlays::list_vocabulary).into_iter().collect()
        }
        AppCommand::KeepVocabulary(tokens) => {
            session.vocabulary = session.base.ready().map(|base| (base.name.clone(), tokens));
            Vec::new()
        }
        AppCommand::Chosen(PickerChoice::Other(tokenizer, load)) => {
            shell.screen = Screen::Compare;
            screens.compare.choose(session, tokenizer, load)
        }
        AppCommand::Chosen(PickerChoice::Model(model)) => screens.experts.choose(session, model),
        AppCommand::Chosen(_) => Vec::new(),
        AppCommand::Folder(folder) => screens.onboard.write(session, folder),
        AppCommand::Dump(path) => {
            shell.screen = Screen::Tokens;
            screens.tokens.open(session, path)
        }
    };
    carry_out(app, commands)
}

/// The context that keys are read in.
pub fn context(app: &App) -> KeyContext {
    match &app.shell.overlay {
        Some(Overlay::Picker(_)) => KeyContext::Picker,
        Some(Overlay::Editor(_)) => KeyContext::Editor,
        Some(Overlay::Template(_)) => KeyContext::Template,
        Some(Overlay::Path(_)) => KeyContext::Path,
        Some(Overlay::Search(_)) => KeyContext::Search,
        Some(Overlay::Help(_) | Overlay::Sheet(_)) => KeyContext::Help,
        None => KeyContext::On(app.shell.screen),
    }
}

fn key_pressed(app: &mut App, key: Key) -> Vec<AppCommand> {
    app.shell.notice = None;
    if let Some(action) = resolve(context(app), key) {
        return vec![AppCommand::Act(action)];
    }
    match key {
        Key { code: Code::Char(c), ctrl: false, alt: false } => {
            overlays::typed(&mut app.shell, &app.session, c.encode_utf8(&mut [0; 4]))
        }
        _ => Vec::new(),
    }
}

/// Does what an action asks for: the overlay's meaning of it, else the screen's, else that of every screen.
pub fn act(app: &mut App, action: Action) -> Vec<Effect> {
    let panes = app.panes();
    let App { session, shell, screens, .. } = app;
    let screen = match action {
        Action::Own(screen, _) => screen,
        _ => shell.screen,
    };
    let commands = match action {
        Action::Quit => vec![AppCommand::Quit],
        Action::Suspend => vec![AppCommand::Suspend],
        action if shell.overlay.is_some() => overlays::handle(shell, session, action),
        action => match screens.get_mut(screen).handle(session, &panes, action) {
            Some(commands) => commands,
            None => everywhere(app, action),
        },
    };
    carry_out(app, commands)
}

/// Actions that do not depend on the screen.
fn everywhere(app: &mut App, action: Action) -> Vec<AppCommand> {
    let App { session, shell, .. } = app;
    let list = |kind, entries| vec![overlays::list(Picker::new(kind, entries))];
    match action {
        Action::Help => return vec![AppCommand::Over(Overlay::Help(Help::default()))],
        Action::Search => return vec![AppCommand::Over(Overlay::Search(SearchPrompt::default()))],
        Action::NextMatch => return step_match(app, true),
        Action::PreviousMatch => return step_match(app, false),
        Action::NextFault => return session.go_to_fault(true),
        Action::PreviousFault => return session.go_to_fault(false),
        Action::Copy => {
            let shown = session.shown().zip(session.sample());
            let parts = shown.map(|(view, sample)| picker::copies(view, sample, session.token));
            return list(PickKind::Copy, parts.unwrap_or_default());
        }
        Action::Palette => {
            return list(PickKind::Palette { samples: shell.screen == Screen::Samples }, picker::palette());
        }
        Action::PickTokenizer => {
            let list = Picker::new(PickKind::Tokenizer, picker::tokenizers());
            return vec![overlays::list(list), overlays::list_tokenizers(session)];
        }
        Action::PickTemplate => {
            let own = picker::versions(session);
            let list = Picker::new(PickKind::Template, own.into_iter().chain(picker::templates()).collect());
            let more = session.base.ready().cloned().map(overlays::list_templates);
            return [overlays::list(list)].into_iter().chain(more).collect();
        }
        Action::PickRule if session.request.wants_chat() => {
            return list(PickKind::Rule, picker::strategies());
        }
        Action::PickRule => {
            let own = picker::functions(session);
            return list(PickKind::Rule, own.into_iter().chain(picker::rules()).collect());
        }
        Action::PickRecipe => return list(PickKind::Recipe, picker::recipes()),
        Action::PickLoading => return list(PickKind::Loading, picker::loadings(session.request.load)),
        Action::OpenFile => return overlays::ask_for_data(),
        Action::AddTurn | Action::RemoveTurn | Action::NextRole => {
            return overlays::change_turns(session, action);
        }
        Action::OpenKept => return session.open_kept(),
        Action::SaveSetup => return vec![AppCommand::Over(Overlay::Path(PathPrompt::new(PathUse::Setup)))],
        Action::Edit => return overlays::edit(session),
        Action::EditTemplate => return template_editor::open(session),
        Action::ApplyFix => return vec![AppCommand::ApplySuggestedFix],
        Action::Undo => return vec![AppCommand::Undo],
        Action::Redo => return vec![AppCommand::Redo],
        Action::Tour => return tour::go_on(shell, session),
        Action::Back if session.base.is_loading() => return session.stop_loading(),
        Action::Back if session.samples.is_loading() => return session.stop_reading(),
        Action::Back if std::mem::take(&mut session.wants_fix) => {
            shell.notice = Some(Notice { text: "the fix is not applied".to_string(), is_error: false });
        }
        Action::Back if session.runs_code() => return session.stop_running(),
        Action::Back if shell.tour.is_some() => shell.tour = None,
        Action::Back if session.search.is_some() => return vec![AppCommand::Search(None)],
        Action::Back if shell.screen == Screen::Labels => {
            shell.notice = Some(Notice { text: format!("{} quits", key_of(Action::Quit)), is_error: false });
        }
        Action::Back => shell.screen = Screen::Labels,
        Action::Open(screen) => shell.screen = screen,
        Action::NextScreen => shell.screen = shell.screen.step(1),
        Action::PreviousScreen => shell.screen = shell.screen.step(-1),
        Action::NextSample => return vec![AppCommand::Sample(session.current.saturating_add(1))],
        Action::PreviousSample => return vec![AppCommand::Sample(session.current.saturating_sub(1))],
        Action::ToggleTheme => {
            shell.background = match shell.background {
                Background::Dark => Background::Light,
                Background::Light => Background::Dark,
            }
        }
        Action::Export(form) => return vec![AppCommand::Export(form)],
        Action::ToggleImageMarks => {
            let on = !session.request.mm_use_im_start_end;
            let request = Request { mm_use_im_start_end: on, ..session.request.clone() };
            return vec![AppCommand::Change(Box::new(request))];
        }
        _ => {}
    }
    Vec::new()
}

/// The next match, where something is searched for; else the next sample.
fn step_match(app: &mut App, forward: bool) -> Vec<AppCommand> {
    let App { session, shell, screens, .. } = app;
    match &session.search {
        None => everywhere(app, if forward { Action::NextSample } else { Action::PreviousSample }),
        Some(search) => {
            let own = screens.get_mut(shell.screen).find(session, search, forward);
            own.unwrap_or_else(|| session.step_match(forward))
        }
    }
}

fn click(app: &mut App, target: Target) -> Vec<AppCommand> {
    let App { session, shell, screens, .. } = app;
    match target {
        Target::Entry(index) => overlays::click(shell, session, index),
        _ if shell.overlay.is_some() => Vec::new(),
        Target::Screen(screen) => vec![AppCommand::Open(screen)],
        Target::Fix => vec![AppCommand::ApplySuggestedFix],
        target => screens.get_mut(shell.screen).click(session, target),
    }
}
