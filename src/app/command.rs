//! What screens and overlays ask for: values that [`super::update()`] carries out, so that whoever asks changes nothing but
//! its own state.

use super::action::{Action, ExportForm};
use super::copied::CopyPart;
use super::data::DataSource;
use super::job::{JobContext, JobKind, Work};
use super::load::Load;
use super::overlay::Overlay;
use super::picker::{PickerChoice, Vocabulary};
use super::screen::Screen;
use super::search::TextSearch;
use crate::chat::Sample;
use crate::diagnose::Fix;
use crate::setup::Request;

/// A message for the person, gone at the next key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub text: String,
    pub is_error: bool,
}

/// Something to be done.
#[derive(Debug)]
pub enum AppCommand {
    /// Start a job; the older one of its kind ends.
    Start(JobKind, Work),
    /// Tell a job that it is no longer wanted; an outcome that is on its way is still taken.
    Cancel(JobKind),
    /// The same, and drop what it still sends.
    Abandon(JobKind),
    Say(Notice),
    /// Show a screen.
    Open(Screen),
    /// Lay something over the screen.
    Over(Overlay),
    /// Take away what lies over the screen.
    Close,
    /// Do what a key would.
    Act(Action),
    /// Put the cursor on a token of the sample on screen.
    Token(usize),
    /// Show another sample.
    Sample(usize),
    /// Show a sample on screen Labels, at the first divergence.
    Divergence(usize),
    /// Show the sample on screen with edits; `None` takes them back.
    Draft(Option<Box<Sample>>),
    /// The edits become part of the data.
    KeepDraft,
    /// Change the set-up; undo brings the old one back.
    Change(Box<Request>),
    /// Change the set-up and the data.
    ChangeWithData(Box<Request>, DataSource),
    /// Apply a fix in memory, with the samples that were sound before it and their number, for "before → now".
    AdoptFix(Box<Fix>, Option<(usize, usize)>),
    ApplySuggestedFix,
    Undo,
    Redo,
    Read(DataSource),
    /// The lines of the open sheet.
    SheetLines(Load<Vec<String>>),
    /// List all tokens for the open list.
    ListVocabulary,
    /// The tokens of the vocabulary.
    KeepVocabulary(Vocabulary),
    /// An entry for a screen was chosen from a list.
    Chosen(PickerChoice),
    /// A folder was named for the patch.
    Folder(String),
    /// Search for something; `None` ends the search.
    Search(Option<TextSearch>),
    /// A part of the sample to the clipboard.
    Copy(CopyPart),
    /// What a trainer fed was named for screen Tokens.
    Dump(std::path::PathBuf),
    Export(ExportForm),
    Suspend,
    Quit,
}

impl AppCommand {
    /// A job with this body.
    pub fn start(kind: JobKind, body: impl FnOnce(&JobContext<'_>) + Send + 'static) -> Self {
        Self::Start(kind, Work::new(body))
    }

    /// A message.
    pub fn say(text: impl Into<String>) -> Self {
        Self::Say(Notice { text: text.into(), is_error: false })
    }

    /// A message about something that went wrong.
    pub fn complain(text: impl Into<String>) -> Self {
        Self::Say(Notice { text: text.into(), is_error: true })
    }
}
