//! The editor of a chat template: the source on one side, what it makes of the sample on screen on the other.
//!
//! ```text
//! key ─► TextBuffer ─► Work::RenderTemplate (newest wins, under the template limits) ─► Rendered ─► beside the source
//! ```
//!
//! An error keeps the last good result in sight, with the line that it names.

use std::sync::Arc;

use super::action::Action;
use super::job::{Effect, JobKind, Work};
use super::request_changes::change;
use super::state::{App, Notice, Overlay};
use super::text_buffer::TextBuffer;
use super::update::job;
use crate::chat::Sample;
use crate::setup::{Request, Setup, TemplateChoice};

/// An error of a template in the making.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateProblem {
    /// Line of the source, from 1, where the error names one.
    pub line: Option<usize>,
    pub message: String,
}

/// What came of a rendering.
pub type Rendered = Result<String, TemplateProblem>;

/// What is to be rendered.
#[derive(Debug, Clone)]
pub struct RenderWork {
    pub setup: Arc<Setup>,
    pub sample: Sample,
    pub source: String,
}

/// The open editor.
#[derive(Debug, Clone)]
pub struct TemplateEditor {
    pub buffer: TextBuffer,
    /// The source when the editor was opened.
    pub original: String,
    /// The text that the last source without an error made.
    pub good: Option<String>,
    /// What is wrong with the present source.
    pub problem: Option<TemplateProblem>,
    /// A rendering is on its way.
    pub waiting: bool,
}

impl TemplateEditor {
    /// The first of `height` lines that keeps the cursor in sight.
    pub fn top(&self, height: usize) -> usize {
        let (row, _) = self.buffer.cursor();
        row.saturating_sub(height / 2).min(self.buffer.lines().len().saturating_sub(height))
    }
}

/// Opens the editor on the template that the sample on screen gets.
pub(super) fn open(app: &mut App) -> Vec<Effect> {
    let found = app.shown().and_then(|view| {
        let conversation = app.sample()?.conversation()?;
        let method = view.setup.chat()?;
        Some(method.templates.for_sample(&conversation).ok()?.source().to_string())
    });
    let Some(source) = found else {
        let text = "there is no chat template to edit: c chooses the tokenizer's own or a .jinja file, r a built-in one";
        app.notice = Some(Notice { text: text.to_string(), is_error: false });
        return Vec::new();
    };
    let editor = TemplateEditor {
        buffer: TextBuffer::new(&source),
        original: source,
        good: None,
        problem: None,
        waiting: true,
    };
    app.overlay = Some(Overlay::Template(Box::new(editor)));
    render(app)
}

/// A character for the editor.
pub(super) fn typed(app: &mut App, text: &str) -> Vec<Effect> {
    edit(app, |buffer| text.chars().for_each(|c| buffer.insert(c)))
}

/// An act while the editor is open.
pub(super) fn act(app: &mut App, action: Action) -> Vec<Effect> {
    match action {
        Action::DeleteBack => edit(app, TextBuffer::delete_back),
        Action::DeleteForward => edit(app, TextBuffer::delete_forward),
        Action::DeleteWord => edit(app, TextBuffer::delete_word),
        Action::ClearLine => edit(app, TextBuffer::clear_line),
        Action::LineBreak => edit(app, |buffer| buffer.insert('\n')),
        Action::Left => edit(app, TextBuffer::left),
        Action::Right => edit(app, TextBuffer::right),
        Action::First => edit(app, TextBuffer::home),
        Action::Last => edit(app, TextBuffer::end),
        Action::Up => edit(app, |buffer| buffer.vertical(-1)),
        Action::Down => edit(app, |buffer| buffer.vertical(1)),
        Action::PageUp => edit(app, |buffer| buffer.vertical(-10)),
        Action::PageDown => edit(app, |buffer| buffer.vertical(10)),
        Action::Accept => keep(app),
        Action::Back => {
            app.overlay = None;
            vec![Effect::Cancel(JobKind::Template)]
        }
        _ => Vec::new(),
    }
}

fn edit(app: &mut App, change: impl FnOnce(&mut TextBuffer)) -> Vec<Effect> {
    let Some(Overlay::Template(editor)) = &mut app.overlay else { return Vec::new() };
    let before = editor.buffer.text();
    change(&mut editor.buffer);
    if editor.buffer.text() == before { Vec::new() } else { render(app) }
}

fn render(app: &mut App) -> Vec<Effect> {
    let (Some(view), Some(sample)) = (app.shown().cloned(), app.sample().cloned()) else { return Vec::new() };
    let Some(Overlay::Template(editor)) = &mut app.overlay else { return Vec::new() };
    editor.waiting = true;
    let work = RenderWork { setup: view.setup.clone(), sample, source: editor.buffer.text() };
    vec![job(app, JobKind::Template, Work::RenderTemplate(Box::new(work)))]
}

/// Takes what came of a rendering.
pub(super) fn rendered(app: &mut App, result: Rendered) {
    let Some(Overlay::Template(editor)) = &mut app.overlay else { return };
    editor.waiting = false;
    match result {
        Ok(text) => (editor.good, editor.problem) = (Some(text), None),
        Err(problem) => editor.problem = Some(problem),
    }
}

/// The edited source becomes the set-up's template; one with an error does not.
fn keep(app: &mut App) -> Vec<Effect> {
    let Some(Overlay::Template(editor)) = &app.overlay else { return Vec::new() };
    if editor.problem.is_some() || editor.waiting {
        let text = if editor.waiting {
            "still rendering"
        } else {
            "a template with an error is not kept: esc leaves it"
        };
        app.notice = Some(Notice { text: text.to_string(), is_error: true });
        return Vec::new();
    }
    let source = editor.buffer.text();
    let changed = source != editor.original;
    app.overlay = None;
    if !changed {
        return Vec::new();
    }
    app.notice =
        Some(Notice { text: "template changed in memory; u undoes it".to_string(), is_error: false });
    let mut request: Request = app.request.clone();
    request.template = TemplateChoice::Text(source);
    change(app, request)
}
