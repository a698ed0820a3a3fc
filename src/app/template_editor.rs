//! The editor of a chat template: the source on one side, what it makes of the sample on screen on the other.
//!
//! ```text
//! key ─► TextBuffer ─► a job renders (the newest wins, under the template limits) ─► PreviewResult ─► beside the source
//! ```
//!
//! An error keeps the last good result in sight, with the line that it names.

use std::sync::Arc;

use super::action::Action;
use super::command::AppCommand;
use super::job::JobKind;
use super::overlay::{Overlay, TemplateEditor, TemplateProblem};
use super::session::Session;
use super::text_buffer::TextBuffer;
use crate::chat::Sample;
use crate::chat::jinja::{ChatTemplate, TemplateError};
use crate::masks::{MaskError, Templates};
use crate::setup::{ChatOptions, Request, Setup, TemplateChoice};

/// What came of a rendering.
pub type PreviewResult = Result<String, TemplateProblem>;

/// Opens the editor on the template that the sample on screen gets.
pub fn open(session: &Session) -> Vec<AppCommand> {
    let found = session.shown().and_then(|view| {
        let conversation = session.sample()?.conversation()?;
        let method = view.setup.chat()?;
        Some(method.templates.for_sample(&conversation).ok()?.source().to_string())
    });
    let Some(source) = found else {
        let text = "there is no chat template to edit: c chooses the tokenizer's own or a .jinja file, r a built-in one";
        return vec![AppCommand::say(text)];
    };
    let mut editor = TemplateEditor {
        buffer: TextBuffer::new(&source),
        original: source,
        good: None,
        problem: None,
        waiting: true,
    };
    let rendering = render(&mut editor, session);
    [vec![AppCommand::Over(Overlay::Template(Box::new(editor)))], rendering].into_iter().flatten().collect()
}

/// Puts a text in front of the cursor.
pub fn typed(editor: &mut TemplateEditor, session: &Session, text: &str) -> Vec<AppCommand> {
    edit(editor, session, |buffer| buffer.insert(text))
}

/// An action while the editor is open.
pub fn handle(editor: &mut TemplateEditor, session: &Session, action: Action) -> Vec<AppCommand> {
    let change: fn(&mut TextBuffer) = match action {
        Action::DeleteBack => TextBuffer::delete_back,
        Action::DeleteForward => TextBuffer::delete_forward,
        Action::DeleteWord => TextBuffer::delete_word,
        Action::ClearLine => TextBuffer::clear_line,
        Action::LineBreak => |buffer| buffer.insert("\n"),
        Action::Left => TextBuffer::left,
        Action::Right => TextBuffer::right,
        Action::First => TextBuffer::home,
        Action::Last => TextBuffer::end,
        Action::Up => |buffer| buffer.vertical(-1),
        Action::Down => |buffer| buffer.vertical(1),
        Action::PageUp => |buffer| buffer.vertical(-10),
        Action::PageDown => |buffer| buffer.vertical(10),
        Action::Accept => return keep(editor, session),
        Action::Back => return vec![AppCommand::Close, AppCommand::Cancel(JobKind::Template)],
        _ => return Vec::new(),
    };
    edit(editor, session, change)
}

fn edit(
    editor: &mut TemplateEditor,
    session: &Session,
    change: impl FnOnce(&mut TextBuffer),
) -> Vec<AppCommand> {
    let before = editor.buffer.text();
    change(&mut editor.buffer);
    if editor.buffer.text() == before { Vec::new() } else { render(editor, session) }
}

fn render(editor: &mut TemplateEditor, session: &Session) -> Vec<AppCommand> {
    let (Some(view), Some(sample)) = (session.shown(), session.sample().cloned()) else { return Vec::new() };
    editor.waiting = true;
    let (setup, source): (Arc<Setup>, String) = (view.setup.clone(), editor.buffer.text());
    vec![AppCommand::start(JobKind::Template, move |job| job.emit(rendered(&setup, &sample, &source)))]
}

/// Renders a sample with a source in the making, under the limits of chat templates: a hostile source ends by fuel, size
/// or depth.
fn rendered(setup: &Setup, sample: &Sample, source: &str) -> PreviewResult {
    let plain = |message: &str| TemplateProblem { line: None, message: message.to_string() };
    let method = setup.chat().ok_or_else(|| plain("the set-up has no chat template"))?;
    let conversation = sample.conversation().ok_or_else(|| plain("this record holds no messages"))?;
    let template =
        ChatTemplate::new("template", source, ChatOptions::default().clock).map_err(|e| problem(&e))?;
    let sample = method.with_kwargs(conversation.into_owned());
    method.text_of(&Templates::one(template), &sample).map_err(|error| match error {
        MaskError::Template(error) => problem(&error),
        other => plain(&other.to_string()),
    })
}

fn problem(error: &TemplateError) -> TemplateProblem {
    let message = match error {
        TemplateError::Syntax { exception, .. } | TemplateError::Raised { exception, .. } => {
            exception.to_string()
        }
        TemplateError::Inputs(exception) => exception.to_string(),
        TemplateError::Limit { limit, .. } => format!("stopped: {limit}"),
    };
    TemplateProblem { line: error.line().filter(|line| *line > 0), message }
}

/// Takes what came of a rendering.
pub fn done(editor: &mut TemplateEditor, result: PreviewResult) {
    editor.waiting = false;
    match result {
        Ok(text) => (editor.good, editor.problem) = (Some(text), None),
        Err(problem) => editor.problem = Some(problem),
    }
}

/// The edited source becomes the set-up's template; one with an error does not.
fn keep(editor: &TemplateEditor, session: &Session) -> Vec<AppCommand> {
    if editor.waiting {
        return vec![AppCommand::complain("still rendering")];
    }
    if editor.problem.is_some() {
        return vec![AppCommand::complain("a template with an error is not kept: esc leaves it")];
    }
    let source = editor.buffer.text();
    if source == editor.original {
        return vec![AppCommand::Close];
    }
    let mut request: Request = session.request.clone();
    request.template = TemplateChoice::Text(source);
    let said = AppCommand::say("template changed in memory; {undo} undoes it");
    vec![AppCommand::Close, said, AppCommand::Change(Box::new(request))]
}
