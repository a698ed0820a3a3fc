//! What can lie over a screen and take the keys.

use tui_input::Input;

use super::load::Load;
use super::picker::Picker;
use super::search::TextSearch;
use super::text_buffer::TextBuffer;

/// What lies over the screen.
#[derive(Debug, Clone)]
pub enum Overlay {
    Picker(Box<Picker>),
    Editor(Box<Editor>),
    Template(Box<TemplateEditor>),
    Path(PathPrompt),
    Search(SearchPrompt),
    Help(Help),
    Sheet(Sheet),
}

/// What a typed path is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathUse {
    /// Conversations to open.
    Data,
    /// A folder for the patch of screen Onboard.
    Patch,
    /// What a trainer fed, for screen Tokens.
    Dump,
    /// A new file for the present set-up.
    Setup,
}

/// An input for a path.
#[derive(Debug, Clone)]
pub struct PathPrompt {
    pub input: Input,
    pub used_for: PathUse,
    /// Names that go on with what is typed, after a completion.
    pub names: Vec<String>,
    /// Files that were opened lately, the newest first.
    pub recent: Vec<String>,
    /// The one of these that was taken into the input.
    pub taken: Option<usize>,
}

impl PathPrompt {
    /// An empty input.
    pub fn new(used_for: PathUse) -> Self {
        Self { input: Input::default(), used_for, names: Vec::new(), recent: Vec::new(), taken: None }
    }

    /// Takes the next older file into the input, or with `by` below 0 the next newer one; in front of the newest the input is
    /// empty.
    pub fn step(&mut self, by: isize) {
        let Some(last) = self.recent.len().checked_sub(1) else { return };
        self.taken = match (self.taken, by < 0) {
            (None, true) => None,
            (None, false) => Some(0),
            (Some(at), true) => at.checked_sub(1),
            (Some(at), false) => Some((at + 1).min(last)),
        };
        let text = self.taken.and_then(|at| self.recent.get(at)).cloned().unwrap_or_default();
        self.input = Input::new(text);
        self.names.clear();
    }
}

/// The help, scrolled and searched.
#[derive(Debug, Clone, Default)]
pub struct Help {
    /// First line shown.
    pub top: usize,
    pub search: Option<TextSearch>,
}

/// An input for what is searched for.
#[derive(Debug, Clone, Default)]
pub struct SearchPrompt {
    pub input: Input,
    /// Matches in the tokens on screen; `None` where something else is searched, or nothing was typed.
    pub found: Option<usize>,
    /// The help is searched, and comes back behind the prompt.
    pub help: Option<Help>,
}

/// Lines to read.
#[derive(Debug, Clone)]
pub struct Sheet {
    pub title: String,
    pub lines: Load<Vec<String>>,
    /// First line shown.
    pub top: usize,
}

/// The editor of one turn.
#[derive(Debug, Clone)]
pub struct Editor {
    pub buffer: TextBuffer,
    /// Index of the turn in the conversation.
    pub turn: usize,
}

/// The editor of a chat template.
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
        row.saturating_sub(height / 2).min(self.buffer.len_lines().saturating_sub(height))
    }
}

/// An error of a template in the making.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateProblem {
    /// Line of the source, from 1, where the error names one.
    pub line: Option<usize>,
    pub message: String,
}
