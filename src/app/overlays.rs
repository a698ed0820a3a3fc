//! What the keys do in a list, in the editor of a turn, in a path and in a sheet.

use std::sync::Arc;

use tui_input::{Input, InputRequest};

use super::action::Action;
use super::command::AppCommand;
use super::data::DataSource;
use super::fix::Preview;
use super::help;
use super::job::{JobKind, Outcome};
use super::load::Load;
use super::overlay::{Editor, Help, Overlay, PathPrompt, PathUse, SearchPrompt, Sheet, TemplateProblem};
use super::path_completion::{self, Completion, entries, expanded};
use super::picker::{self, KnownEntry, PickKind, Picker, PickerChoice, Vocabulary};
use super::recent::{self, RecentKind};
use super::screen::Screen;
use super::search::{TextSearch, next_row};
use super::session::Session;
use super::shell::Shell;
use super::template_editor::{self, PreviewResult};
use super::text_buffer::TextBuffer;
use crate::chat::Sample;
use crate::chat::jinja::TemplateSet;
use crate::hub::cached_models;
use crate::setup::CHAT;
use crate::tokenizer::Tokenizer;

/// Text for the open input, if there is one: a character that was typed, or all that was pasted, as one change.
pub fn typed(shell: &mut Shell, session: &Session, text: &str) -> Vec<AppCommand> {
    match &mut shell.overlay {
        Some(Overlay::Template(editor)) => template_editor::typed(editor, session, text),
        Some(Overlay::Editor(editor)) => edit_turn(editor, session, |buffer| buffer.insert(text)),
        // A line has no room for line breaks.
        _ => match text.chars().filter(|c| *c != '\n').collect::<String>() {
            fitting if fitting.is_empty() => Vec::new(),
            fitting => edit_line(shell, session, |input| splice(input, &fitting)),
        },
    }
}

/// Puts a text in front of the cursor: one change, however long the text is.
fn splice(input: &mut Input, text: &str) {
    let at = input.value().char_indices().nth(input.cursor()).map_or(input.value().len(), |(at, _)| at);
    let mut value = input.value().to_string();
    value.insert_str(at, text);
    let cursor = input.cursor() + text.chars().count();
    *input = std::mem::take(input).with_value(value).with_cursor(cursor);
}

/// Changes the open input of one line.
fn edit_line(shell: &mut Shell, session: &Session, change: impl FnOnce(&mut Input)) -> Vec<AppCommand> {
    match &mut shell.overlay {
        Some(Overlay::Picker(picker)) => {
            change(&mut picker.query);
            picker.filter();
            preview(shell, session)
        }
        Some(Overlay::Path(prompt)) => {
            change(&mut prompt.input);
            prompt.names.clear();
            prompt.taken = None;
            Vec::new()
        }
        Some(Overlay::Search(prompt)) => {
            change(&mut prompt.input);
            let search = TextSearch::new(prompt.input.value()).filter(|_| prompt.help.is_none());
            let searched = search.zip(session.shown().filter(|_| shell.screen != Screen::Samples));
            prompt.found = searched.map(|(search, view)| search.tokens(view).len());
            Vec::new()
        }
        _ => Vec::new(),
    }
}

/// Changes the turn in the editor and shows the sample with it.
fn edit_turn(
    editor: &mut Editor,
    session: &Session,
    change: impl FnOnce(&mut TextBuffer),
) -> Vec<AppCommand> {
    let Some(mut sample) = session.sample().cloned() else { return Vec::new() };
    let before = editor.buffer.text();
    change(&mut editor.buffer);
    let text = editor.buffer.text();
    if text == before {
        return Vec::new();
    }
    sample.set_turn(editor.turn, &text);
    vec![AppCommand::Draft(Some(Box::new(sample)))]
}

/// An action while something lies over the screen.
pub fn handle(shell: &mut Shell, session: &Session, action: Action) -> Vec<AppCommand> {
    match &mut shell.overlay {
        Some(Overlay::Template(editor)) => return template_editor::handle(editor, session, action),
        Some(Overlay::Editor(editor)) => {
            if let Some(change) = turn_change(action) {
                return edit_turn(editor, session, change);
            }
        }
        _ => {}
    }
    let request = match action {
        Action::DeleteBack => InputRequest::DeletePrevChar,
        Action::DeleteForward => InputRequest::DeleteNextChar,
        Action::DeleteWord => InputRequest::DeletePrevWord,
        Action::ClearLine => InputRequest::DeleteLine,
        Action::Left => InputRequest::GoToPrevChar,
        Action::Right => InputRequest::GoToNextChar,
        Action::First => InputRequest::GoToStart,
        Action::Last => InputRequest::GoToEnd,
        Action::Back => return close(shell),
        Action::Accept => return accept(shell, session),
        Action::Complete => return complete(shell),
        Action::Search | Action::NextMatch | Action::PreviousMatch => return search_help(shell, action),
        Action::Up => return move_mark(shell, session, -1),
        Action::Down => return move_mark(shell, session, 1),
        Action::PageUp => return move_mark(shell, session, -8),
        Action::PageDown => return move_mark(shell, session, 8),
        _ => return Vec::new(),
    };
    edit_line(shell, session, |input| {
        input.handle(request);
    })
}

/// What an action does to the text of a turn.
fn turn_change(action: Action) -> Option<fn(&mut TextBuffer)> {
    Some(match action {
        Action::DeleteBack => TextBuffer::delete_back,
        Action::DeleteForward => TextBuffer::delete_forward,
        Action::DeleteWord => TextBuffer::delete_word,
        Action::ClearLine => TextBuffer::clear,
        Action::LineBreak => |buffer| buffer.insert("\n"),
        Action::Left => TextBuffer::left,
        Action::Right => TextBuffer::right,
        Action::First => TextBuffer::first,
        Action::Last => TextBuffer::last,
        _ => return None,
    })
}

fn move_mark(shell: &mut Shell, session: &Session, by: isize) -> Vec<AppCommand> {
    match &mut shell.overlay {
        Some(Overlay::Picker(picker)) => {
            picker.step(by);
            preview(shell, session)
        }
        Some(Overlay::Help(Help { top, .. }) | Overlay::Sheet(Sheet { top, .. })) => {
            *top = top.saturating_add_signed(by);
            Vec::new()
        }
        Some(Overlay::Path(prompt)) => {
            prompt.step(by);
            Vec::new()
        }
        _ => Vec::new(),
    }
}

/// The keys of a search in the open help.
fn search_help(shell: &mut Shell, action: Action) -> Vec<AppCommand> {
    let Some(Overlay::Help(help)) = &mut shell.overlay else { return Vec::new() };
    let Some(search) = help.search.clone().filter(|_| action != Action::Search) else {
        let help = Some(std::mem::take(help));
        shell.overlay = Some(Overlay::Search(SearchPrompt { help, ..SearchPrompt::default() }));
        return Vec::new();
    };
    let lines = help::lines(shell.screen);
    let holds =
        |row: usize| lines.get(row).is_some_and(|line| search.is_in(&line.keys) || search.is_in(line.what));
    let at = help.top.min(lines.len().saturating_sub(1));
    match next_row(lines.len(), at, action == Action::NextMatch, holds) {
        Some(row) => help.top = row,
        None => return vec![AppCommand::complain(format!("{:?} is not in the help", search.query()))],
    }
    Vec::new()
}

/// A click on an entry of the open list: marks it, and takes the marked one.
pub fn click(shell: &mut Shell, session: &Session, entry: usize) -> Vec<AppCommand> {
    let Some(Overlay::Picker(picker)) = &mut shell.overlay else { return Vec::new() };
    if picker.cursor == entry {
        return accept(shell, session);
    }
    picker.cursor = entry;
    preview(shell, session)
}

/// Tries the marked entry without taking it.
pub fn preview(shell: &mut Shell, session: &Session) -> Vec<AppCommand> {
    let Some(Overlay::Picker(picker)) = &shell.overlay else { return Vec::new() };
    let reloads = matches!(
        picker.kind,
        PickKind::Tokenizer
            | PickKind::Loading
            | PickKind::Other(_)
            | PickKind::Model
            | PickKind::Copy
            | PickKind::Palette { .. }
    );
    let request = picker.chosen().filter(|_| !reloads).and_then(|e| e.choice.apply(&session.request));
    let (Some(request), Some(mut wanted)) = (request, session.resolved()) else {
        shell.preview = Load::Idle;
        return vec![AppCommand::Cancel(JobKind::Preview)];
    };
    let (Some(sample), Some(samples)) = (session.sample().cloned(), session.samples.ready().cloned()) else {
        return Vec::new();
    };
    wanted.request = request;
    shell.preview = Load::Loading;
    vec![AppCommand::start(JobKind::Preview, move |job| job.emit(Preview::of(&wanted, &sample, &samples)))]
}

/// Esc: nothing changes.
fn close(shell: &mut Shell) -> Vec<AppCommand> {
    shell.preview = Load::Idle;
    match shell.overlay.take() {
        Some(Overlay::Editor(_)) => vec![AppCommand::Draft(None)],
        Some(Overlay::Search(SearchPrompt { help: Some(help), .. })) => {
            shell.overlay = Some(Overlay::Help(help));
            Vec::new()
        }
        _ => vec![AppCommand::Cancel(JobKind::Preview)],
    }
}

/// Endings of files that hold arrays and nothing else.
const DUMP_ENDINGS: [&str; 4] = [".arrow", ".safetensors", ".npz", ".npy"];

fn accept(shell: &mut Shell, session: &Session) -> Vec<AppCommand> {
    shell.preview = Load::Idle;
    match shell.overlay.take() {
        Some(Overlay::Picker(picker)) => match picker.chosen() {
            Some(entry) => choose(session, &entry.choice),
            None => Vec::new(),
        },
        Some(Overlay::Editor(_)) => vec![AppCommand::KeepDraft],
        Some(Overlay::Search(SearchPrompt { input, help: Some(help), .. })) => {
            let search = TextSearch::new(input.value());
            shell.overlay = Some(Overlay::Help(Help { search, ..help }));
            search_help(shell, Action::NextMatch)
        }
        Some(Overlay::Search(SearchPrompt { input, .. })) => match TextSearch::new(input.value()) {
            Some(search) => vec![AppCommand::Search(Some(search)), AppCommand::Act(Action::NextMatch)],
            None => vec![AppCommand::Search(None)],
        },
        Some(Overlay::Path(PathPrompt { input, used_for, .. })) if !input.value().is_empty() => {
            match used_for {
                PathUse::Data if input.value() == "-" => {
                    vec![AppCommand::complain(
                        "- would read the keys: start maskscope with -d - behind a pipe",
                    )]
                }
                // Arrays are no conversations, whatever is in them.
                PathUse::Data if DUMP_ENDINGS.iter().any(|ending| input.value().ends_with(ending)) => {
                    vec![AppCommand::Dump(expanded(input.value()).into())]
                }
                PathUse::Data => vec![AppCommand::Read(DataSource::File(expanded(input.value()).into()))],
                PathUse::Patch => vec![AppCommand::Folder(expanded(input.value()))],
                PathUse::Dump => vec![AppCommand::Dump(expanded(input.value()).into())],
                PathUse::Setup => vec![session.save_setup(expanded(input.value()).into())],
            }
        }
        _ => Vec::new(),
    }
}

/// Looks for names that go on with a typed path; a list of tokens or acts has no paths.
fn complete(shell: &Shell) -> Vec<AppCommand> {
    let typed = match &shell.overlay {
        Some(Overlay::Path(prompt)) => prompt.input.value(),
        Some(Overlay::Picker(picker)) if picker.takes_paths() => picker.query.value(),
        _ => return Vec::new(),
    };
    let typed = typed.to_string();
    vec![AppCommand::start(JobKind::Paths, move |job| job.emit(path_completion::complete(&typed, entries)))]
}

/// Goes on with a path, unless something else was typed since.
fn completed(shell: &mut Shell, found: Completion) {
    let Completion { before, after, names } = found;
    match &mut shell.overlay {
        Some(Overlay::Path(prompt)) if prompt.input.value() == before => {
            prompt.input = Input::new(after);
            prompt.names = names;
        }
        Some(Overlay::Picker(picker)) if picker.query.value() == before => {
            picker.query = Input::new(after);
            picker.filter();
        }
        _ => {}
    }
}

/// Takes an entry of a list.
fn choose(session: &Session, choice: &PickerChoice) -> Vec<AppCommand> {
    let command = match choice {
        PickerChoice::Act(action) => AppCommand::Act(*action),
        PickerChoice::Copy(part) => AppCommand::Copy(*part),
        PickerChoice::GoToToken(token) => AppCommand::Token(*token),
        PickerChoice::GoToSample(index) => AppCommand::Sample(*index),
        PickerChoice::Messages(name) => {
            let request = picker::messages_request(name, &session.request);
            AppCommand::ChangeWithData(Box::new(request), DataSource::EmbeddedMessages)
        }
        choice => match choice.apply(&session.request) {
            Some(request) => AppCommand::Change(Box::new(request)),
            None => AppCommand::Chosen(choice.clone()),
        },
    };
    vec![command]
}

/// Lists recent and cached tokenizers for the open list.
pub fn list_tokenizers(session: &Session) -> AppCommand {
    let hub = session.request.hub.clone();
    AppCommand::start(JobKind::Known, move |job| {
        let recent = recent::recent(RecentKind::Tokenizer).into_iter();
        let mut known: Vec<KnownEntry> =
            recent.map(|spec| KnownEntry { spec, detail: "loaded lately".to_string() }).collect();
        for model in cached_models(&hub) {
            let id = model.id.to_string();
            let spec = id.strip_suffix("@main").map(str::to_string).unwrap_or(id);
            if !known.iter().any(|k| k.spec == spec) {
                known.push(KnownEntry { spec, detail: format!("in the cache: {}", model.files.join(", ")) });
            }
        }
        job.emit(known);
    })
}

/// Opens the input for a data file, and lists those opened lately.
pub fn ask_for_data() -> Vec<AppCommand> {
    let list =
        AppCommand::start(JobKind::Known, |job| job.emit(RecentFiles(recent::recent(RecentKind::Data))));
    vec![AppCommand::Over(Overlay::Path(PathPrompt::new(PathUse::Data))), list]
}

/// The data files that were opened lately, for the open input.
struct RecentFiles(Vec<String>);

/// Lists the tokenizer's own chat templates, then template files of the current folder, for the open list.
pub fn list_templates(base: Arc<Tokenizer>) -> AppCommand {
    AppCommand::start(JobKind::Known, move |job| {
        let set = TemplateSet::discover(&base.files).unwrap_or_default();
        let own = set.names().map(|name| {
            let spec = if name == "default" { CHAT.to_string() } else { format!("{CHAT}:{name}") };
            KnownEntry { spec, detail: "the tokenizer's own chat template".to_string() }
        });
        let mut known: Vec<KnownEntry> = own.collect();
        let entries = std::fs::read_dir(".").into_iter().flatten();
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut files: Vec<String> = names.filter(|name| name.ends_with(".jinja")).collect();
        files.sort();
        let detail = "a file of the current folder";
        known.extend(files.into_iter().map(|spec| KnownEntry { spec, detail: detail.to_string() }));
        job.emit(known);
    })
}

/// Lists all tokens for the open list.
pub fn list_vocabulary(base: Arc<Tokenizer>) -> AppCommand {
    AppCommand::start(JobKind::Vocabulary, move |job| job.emit::<Vocabulary>(Arc::new(base.vocabulary())))
}

/// Takes what came of a job of an overlay.
pub fn done(shell: &mut Shell, kind: JobKind, outcome: Outcome) -> Vec<AppCommand> {
    match (kind, &mut shell.overlay) {
        (JobKind::Preview, _) => {
            if let Ok(preview) = outcome.downcast::<Result<Preview, String>>() {
                shell.preview = (*preview).into();
            }
        }
        (JobKind::Known, Some(Overlay::Picker(picker))) => {
            if let Ok(known) = outcome.downcast::<Vec<KnownEntry>>() {
                picker.add_known(&known);
            }
        }
        (JobKind::Known, Some(Overlay::Path(prompt))) => {
            if let Ok(files) = outcome.downcast::<RecentFiles>() {
                prompt.recent = files.0;
            }
        }
        (JobKind::Paths, _) => {
            if let Ok(found) = outcome.downcast::<Completion>() {
                completed(shell, *found);
            }
        }
        (JobKind::Template, Some(Overlay::Template(editor))) => {
            if let Ok(result) = outcome.downcast::<PreviewResult>() {
                template_editor::done(editor, *result);
            }
        }
        (JobKind::Vocabulary, overlay) => {
            let Ok(tokens) = outcome.downcast::<Vocabulary>() else { return Vec::new() };
            if let Some(Overlay::Picker(picker)) = overlay {
                picker.add_vocabulary(&tokens);
            }
            return vec![AppCommand::KeepVocabulary(*tokens)];
        }
        _ => {}
    }
    Vec::new()
}

/// A job of an overlay ended by a bug of ours.
pub fn broken(shell: &mut Shell, kind: JobKind, message: String) {
    match (kind, &mut shell.overlay) {
        (JobKind::Preview, _) => shell.preview = Load::Failed(message),
        (JobKind::Vocabulary, Some(Overlay::Picker(picker))) => picker.loading = false,
        (JobKind::Template, Some(Overlay::Template(editor))) => {
            template_editor::done(editor, Err(TemplateProblem { line: None, message }));
        }
        _ => {}
    }
}

/// The turn under the cursor; the first one where none is.
fn turn_under_cursor(session: &Session) -> usize {
    let section = session.shown().and_then(|view| view.section_at(session.token));
    section.and_then(|(_, section)| section.turn).unwrap_or(0)
}

/// Opens the editor on the turn under the cursor.
pub fn edit(session: &Session) -> Vec<AppCommand> {
    let turn = turn_under_cursor(session);
    let Some(sample) = session.sample() else { return Vec::new() };
    let Some(text) = sample.conversations.get(turn).map(|t| t.value.clone()) else { return Vec::new() };
    let editor = Editor { buffer: TextBuffer::new(&text).at_end(), turn };
    vec![AppCommand::Open(Screen::Labels), AppCommand::Over(Overlay::Editor(Box::new(editor)))]
}

/// Changes the turns of the sample on screen; a turn that is new opens in the editor.
pub fn change_turns(session: &Session, action: Action) -> Vec<AppCommand> {
    let turn = turn_under_cursor(session);
    let Some(mut sample) = session.sample().cloned() else { return Vec::new() };
    if !sample.has_turns() {
        return vec![AppCommand::say("this record has no turns to change")];
    }
    let draft = |sample: Sample| AppCommand::Draft(Some(Box::new(sample)));
    match action {
        Action::AddTurn => {
            let Some(turn) = sample.add_turn(turn) else { return Vec::new() };
            let editor = Editor { buffer: TextBuffer::new(""), turn };
            vec![draft(sample), AppCommand::Over(Overlay::Editor(Box::new(editor)))]
        }
        Action::RemoveTurn if sample.remove_turn(turn) => {
            let said = format!("turn {} removed; {{undo}} undoes it", turn + 1);
            vec![draft(sample), AppCommand::KeepDraft, AppCommand::say(said)]
        }
        Action::NextRole => {
            let Some(role) = sample.next_role(turn) else { return Vec::new() };
            let said = format!("turn {} is {role} now; {{undo}} undoes it", turn + 1);
            vec![draft(sample), AppCommand::KeepDraft, AppCommand::say(said)]
        }
        _ => Vec::new(),
    }
}

/// Opens a list.
pub fn list(picker: Picker) -> AppCommand {
    AppCommand::Over(Overlay::Picker(Box::new(picker)))
}
