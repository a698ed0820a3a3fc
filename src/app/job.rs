//! Work that takes longer than a frame, as values: what to do, and what came of it.
//!
//! ```text
//! update ─► Effect::Start(Job { kind, ticket, work }) ─► runtime ─► Msg::Done { kind, ticket, outcome }
//! ```
//!
//! A newer job of a kind cancels the older one; results with an old ticket are dropped.

use std::path::PathBuf;
use std::sync::Arc;

use super::action::{ExportForm, Screen};
use super::panels::{PanelOutcome, PanelWork};
use super::sample_status::{SampleState, Tally};
use super::template_editor::{RenderWork, Rendered};
use super::view::SampleView;
use crate::chat::layout::Layout;
use crate::chat::{ReadProgress, Sample};
use crate::diagnose::TokenReport;
use crate::hub::{HubOptions, Progress};
use crate::setup::{Request, Setup};
use crate::tokenizer::{TokenId, Tokenizer};

/// All tokens of a vocabulary as text, by id.
pub type Vocabulary = Arc<Vec<(TokenId, String)>>;

/// One job runs of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobKind {
    Tokenizer,
    Samples,
    Inspect,
    Survey,
    Preview,
    Fix,
    Vocabulary,
    /// What screen Special shows beyond the roles.
    Special,
    /// Tokenizers in the cache and recent ones, or templates.
    Known,
    /// Note a tokenizer as loaded lately.
    Remember,
    Explain,
    /// The template in the editor.
    Template,
    /// The work of a panel.
    Panel(Screen),
}

/// Where conversations come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataSource {
    /// Those that are built in.
    Embedded,
    /// Those of messages, for chat templates.
    EmbeddedMessages,
    File(PathBuf),
}

impl DataSource {
    /// As a title names it.
    pub fn name(&self) -> String {
        match self {
            Self::Embedded => "built-in samples".to_string(),
            Self::EmbeddedMessages => "built-in messages".to_string(),
            Self::File(path) => path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
        }
    }
}

/// A request with the tokenizer it was loaded for.
#[derive(Debug, Clone)]
pub struct ResolvedRequest {
    pub base: Arc<Tokenizer>,
    pub request: Request,
}

/// What to do.
#[derive(Debug, Clone)]
pub enum Work {
    LoadTokenizer(Box<Request>),
    LoadSamples(DataSource, Option<Layout>),
    /// Resolve the wish and inspect one sample.
    Inspect {
        wish: ResolvedRequest,
        index: usize,
        sample: Sample,
    },
    /// The state of every sample.
    Survey {
        setup: Arc<Setup>,
        samples: Arc<Vec<Sample>>,
    },
    /// What a choice would do, without making it.
    Preview {
        wish: ResolvedRequest,
        sample: Sample,
        samples: Arc<Vec<Sample>>,
    },
    /// The change of the set-up that repairs most samples.
    FindFix {
        wish: ResolvedRequest,
        sample: Sample,
        samples: Arc<Vec<Sample>>,
    },
    /// All tokens as text, for searching.
    Vocabulary(Arc<Tokenizer>),
    /// What a whole vocabulary is like.
    Special(Arc<Setup>),
    /// What the load dialog offers beyond the samples.
    ListTokenizers(Box<HubOptions>),
    /// The tokenizer's own chat templates, and template files of the current folder.
    ListTemplates(Arc<Tokenizer>),
    /// Note a tokenizer as loaded lately.
    Remember(String),
    /// Why token `index` of a sample is what it is.
    Explain {
        view: Arc<SampleView>,
        index: usize,
    },
    /// The text that an edited template makes of a sample.
    RenderTemplate(Box<RenderWork>),
    Panel(PanelWork),
}

/// What came of a job.
#[derive(Debug, Clone)]
pub enum Outcome {
    Tokenizer(Result<Arc<Tokenizer>, String>),
    /// How far the reading of the samples is; they follow.
    Reading(ReadProgress),
    Samples(Result<Data, String>),
    Inspected(Result<Arc<SampleView>, String>),
    /// States from `first` on; more follow unless `done`.
    Surveyed {
        first: usize,
        states: Vec<SampleState>,
        done: bool,
    },
    Previewed(Result<Preview, String>),
    Fix(Option<Box<Fix>>),
    Vocabulary(Vocabulary),
    Special(Box<TokenReport>),
    /// How far a download is; the tokenizer follows.
    Progress(Box<Progress>),
    Known(Vec<KnownEntry>),
    /// Lines for a sheet.
    Explained(Result<Vec<String>, String>),
    Rendered(Rendered),
    Panel(PanelOutcome),
}

/// The conversations of a file.
#[derive(Debug, Clone)]
pub struct Data {
    pub samples: Arc<Vec<Sample>>,
    pub left_out: Option<LeftOut>,
}

/// Records of a file that are no samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    pub count: usize,
    /// What is wrong with the first of them, with its place.
    pub first: String,
}

impl LeftOut {
    /// In a sentence.
    pub fn line(&self) -> String {
        match self.count {
            1 => format!("1 record is left out: {}", self.first),
            count => format!("{count} records are left out, the first: {}", self.first),
        }
    }
}

/// A tokenizer or a template that a list offers besides the built-in ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownEntry {
    /// As `--tokenizer` or `--template` takes it.
    pub spec: String,
    pub detail: String,
}

/// What a choice would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// The sample on screen.
    pub current: SampleState,
    /// All samples, or the first [`super::sample_status::PREVIEW_LIMIT`].
    pub tally: Tally,
}

/// A change of the set-up that was tried and helps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// `recipe phi`, `rule v1`.
    pub label: String,
    pub request: Request,
    pub tally: Tally,
    /// The sample on screen with the change made.
    pub current: SampleState,
}

/// One job.
#[derive(Debug, Clone)]
pub struct Job {
    pub kind: JobKind,
    pub ticket: u64,
    pub work: Work,
}

/// What `update` asks of the world.
#[derive(Debug, Clone)]
pub enum Effect {
    Start(Box<Job>),
    Cancel(JobKind),
    /// Write the screen as it is drawn now into a new file.
    Export(ExportForm),
    Suspend,
    Quit,
}
