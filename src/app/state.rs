//! The whole state of the screen: what was asked for, what came of it, and where the eye is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tui_input::Input;

use super::action::Screen;
use super::cause::{Cause, cause};
use super::flow::{Density, Flow, Place};
use super::geometry::{Panes, Tier, panes};
use super::job::{Data, DataSource, Fix, JobKind, LeftOut, Preview, ResolvedRequest, Vocabulary};
use super::panels::Panels;
use super::picker::Picker;
use super::sample_status::{SampleState, Tally};
use super::template_editor::TemplateEditor;
use super::view::SampleView;
use crate::chat::{ReadProgress, Sample};
use crate::diagnose::{ListedToken, TokenReport};
use crate::hub::Progress;
use crate::setup::{RecipeChoice, Request, Setup, TokenChoice};
use crate::tokenizer::{Role, Tokenizer};

/// Something that takes a while.
#[derive(Debug, Clone, Default)]
pub enum Load<T> {
    #[default]
    Idle,
    Loading,
    Ready(T),
    Failed(String),
}

impl<T> Load<T> {
    /// What is there.
    pub fn ready(&self) -> Option<&T> {
        match self {
            Self::Ready(value) => Some(value),
            _ => None,
        }
    }
}

/// What lies over the screen and takes the keys.
#[derive(Debug, Clone)]
pub enum Overlay {
    Picker(Box<Picker>),
    Editor(Box<Editor>),
    Template(Box<TemplateEditor>),
    Path(PathPrompt),
    /// First line shown.
    Help(usize),
    Sheet(Sheet),
}

/// What a typed path is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathUse {
    /// Conversations to open.
    Data,
    /// A folder for the patch of screen Onboard.
    Patch,
}

/// An input for a path.
#[derive(Debug, Clone)]
pub struct PathPrompt {
    pub input: Input,
    pub used_for: PathUse,
}

impl PathPrompt {
    /// An empty input.
    pub fn new(used_for: PathUse) -> Self {
        Self { input: Input::default(), used_for }
    }
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
    pub input: Input,
    /// Index of the turn in the conversation.
    pub turn: usize,
    /// The sample as it was, for backing out.
    pub original: Sample,
}

/// A message for the person, gone at the next key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub text: String,
    pub is_error: bool,
}

/// Colours for which background.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Background {
    #[default]
    Dark,
    Light,
}

/// The tables of screen Special.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SpecialTable {
    #[default]
    Roles,
    /// What the overrides did, and remarks on the whole vocabulary.
    Facts,
    /// All special and added tokens with their flags.
    Added,
    /// Tokens that are free to reuse.
    Free,
}

impl SpecialTable {
    /// All of them, in the order of their key.
    pub const ALL: [SpecialTable; 4] = [Self::Roles, Self::Facts, Self::Added, Self::Free];

    /// The next one on the key.
    pub fn next(self) -> Self {
        match self {
            Self::Roles => Self::Facts,
            Self::Facts => Self::Added,
            Self::Added => Self::Free,
            Self::Free => Self::Roles,
        }
    }

    /// As the screen names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Roles => "roles",
            Self::Facts => "facts",
            Self::Added => "special",
            Self::Free => "free to reuse",
        }
    }
}

/// Where the eye is on each screen.
#[derive(Debug, Clone, Default)]
pub struct ViewState {
    /// Token under the cursor.
    pub token: usize,
    pub top: Place,
    pub density: Density,
    pub unfolded: BTreeSet<usize>,
    /// Row on screen Lengths.
    pub round: usize,
    /// Row on screen Special.
    pub role: usize,
    /// Which of its tables is shown.
    pub table: SpecialTable,
    /// First row of its longer tables.
    pub row: usize,
    /// First line on screen Prompt.
    pub line: usize,
    /// Row on screen Samples.
    pub sample: usize,
}

/// What undo goes back to.
#[derive(Debug, Clone)]
pub struct Step {
    pub request: Request,
    /// The data before, where the step changed that too.
    pub data: Option<(DataSource, Data)>,
}

/// The state of everything.
#[derive(Debug)]
pub struct App {
    pub size: (u16, u16),
    pub background: Background,
    pub request: Request,
    /// The last request that worked, to fall back on.
    pub good_request: Request,
    /// Older states, newest last.
    pub history: Vec<Step>,
    /// The next sample shown starts at the token where claim and truth part.
    pub(super) seek_difference: bool,
    pub source: DataSource,
    pub base: Load<Arc<Tokenizer>>,
    /// How far the tokenizer's download is.
    pub progress: Option<Box<Progress>>,
    /// Note what was loaded, for the next time; not for a single frame.
    pub remembers: bool,
    pub samples: Load<Arc<Vec<Sample>>>,
    /// Records of the data that are no samples.
    pub left_out: Option<LeftOut>,
    /// How far the reading of the data is.
    pub reading: Option<ReadProgress>,
    /// The data before, while another file is read: it comes back where that one cannot be read.
    pub former: Option<(DataSource, Data)>,
    /// Position of the sample on screen.
    pub current: usize,
    /// The sample on screen while it is edited.
    pub draft: Option<Sample>,
    pub view: Load<Arc<SampleView>>,
    pub cause: Option<Cause>,
    /// State of each sample under the present set-up, as far as known.
    pub states: Vec<SampleState>,
    pub survey_done: bool,
    pub fix: Load<Option<Fix>>,
    pub preview: Load<Preview>,
    /// All tokens of a vocabulary, by the name of the tokenizer.
    pub vocabulary: Option<(String, Vocabulary)>,
    /// What screen Special shows beyond the roles, with the set-up it was worked out for.
    pub token_report: Option<(Arc<Setup>, Box<TokenReport>)>,
    pub screen: Screen,
    pub view_state: ViewState,
    pub panels: Panels,
    pub overlay: Option<Overlay>,
    pub notice: Option<Notice>,
    /// The stop of the tour that is shown.
    pub tour: Option<usize>,
    pub quit: bool,
    pub(super) tickets: BTreeMap<JobKind, u64>,
    pub(super) next_ticket: u64,
    /// The set-up changed since the survey began.
    pub(super) survey_stale: bool,
}

/// The request of a first run: pad = unk without a recipe. Phi-2 has no unk of its own, so that pad equals eos and
/// every sample is lost; one key repairs it.
pub fn first_request(given: Request) -> Request {
    let mut request = Request { recipe: RecipeChoice::None, ..given };
    request.overrides.insert(Role::Pad, TokenChoice::CopyOf(Role::Unk));
    request
}

impl App {
    /// A fresh screen; nothing is loaded yet.
    pub fn new(request: Request, source: DataSource, first_run: bool) -> Self {
        let request = if first_run { first_request(request) } else { request };
        Self {
            size: (80, 24),
            background: Background::Dark,
            good_request: request.clone(),
            request,
            history: Vec::new(),
            seek_difference: false,
            source,
            base: Load::Idle,
            progress: None,
            remembers: false,
            samples: Load::Idle,
            left_out: None,
            reading: None,
            former: None,
            current: 0,
            draft: None,
            view: Load::Idle,
            cause: None,
            states: Vec::new(),
            survey_done: false,
            fix: Load::Idle,
            preview: Load::Idle,
            vocabulary: None,
            token_report: None,
            screen: Screen::Labels,
            view_state: ViewState::default(),
            panels: Panels::default(),
            overlay: None,
            notice: None,
            tour: None,
            quit: false,
            tickets: BTreeMap::new(),
            next_ticket: 0,
            survey_stale: true,
        }
    }

    /// The data as it is, to come back to; `None` while it is read.
    pub(super) fn data(&self) -> Option<(DataSource, Data)> {
        let samples = self.samples.ready()?.clone();
        Some((self.source.clone(), Data { samples, left_out: self.left_out.clone() }))
    }

    /// Shows this data; whatever was being read is forgotten.
    pub(super) fn set_data(&mut self, (source, data): (DataSource, Data)) {
        (self.source, self.samples, self.left_out) = (source, Load::Ready(data.samples), data.left_out);
        (self.former, self.reading) = (None, None);
    }

    /// The sample on screen, with edits.
    pub fn sample(&self) -> Option<&Sample> {
        self.draft.as_ref().or_else(|| self.samples.ready()?.get(self.current))
    }

    /// The inspected sample on screen.
    pub fn shown(&self) -> Option<&Arc<SampleView>> {
        self.view.ready()
    }

    /// State of the sample on screen.
    pub fn state(&self) -> Option<SampleState> {
        self.shown().map(|view| SampleState::of(&view.setup, &view.inspection))
    }

    /// What the present set-up makes of all samples, as far as known.
    pub fn tally(&self) -> Tally {
        Tally::of(&self.states)
    }

    /// What is known about the vocabulary of the set-up on screen.
    pub fn token_report(&self) -> Option<&TokenReport> {
        let setup = &self.shown()?.setup;
        self.token_report
            .as_ref()
            .filter(|(known, _)| Arc::ptr_eq(known, setup))
            .map(|(_, token_report)| &**token_report)
    }

    /// All special and added tokens of the set-up on screen, as known with [`Self::token_report`].
    pub fn token_report_tokens(&self) -> &[ListedToken] {
        self.token_report().map(|token_report| token_report.tokens.as_slice()).unwrap_or_default()
    }

    /// The places on screen.
    pub fn panes(&self) -> Panes {
        panes(self.size.0, self.size.1, self.screen, self.cause.is_some() && !self.screen.is_panel())
    }

    /// The token stream with today's settings.
    pub fn flow<'a>(&'a self, view: &'a SampleView) -> Flow<'a> {
        let panes = self.panes();
        Flow {
            view,
            width: panes.body.width,
            density: self.view_state.density,
            titles: panes.tier < Tier::Large,
            unfolded: &self.view_state.unfolded,
            touched: Default::default(),
        }
    }

    /// The wish as it stands, once the tokenizer is there.
    pub fn wish(&self) -> Option<ResolvedRequest> {
        Some(ResolvedRequest { base: self.base.ready()?.clone(), request: self.request.clone() })
    }

    /// Shows what an inspection found.
    pub(super) fn show(&mut self, view: Arc<SampleView>) {
        self.cause = cause(&view);
        let same = self.shown().is_some_and(|old| old.index == view.index);
        let last = view.len().saturating_sub(1);
        if same {
            self.view_state.token = self.view_state.token.min(last);
        } else {
            self.view_state.unfolded.clear();
            self.view_state.top = Place::default();
            self.view_state.token = first_answer(&view);
            self.view_state.round = 0;
            self.view_state.line = 0;
        }
        self.view = Load::Ready(view);
        if std::mem::take(&mut self.seek_difference) {
            self.seek();
        }
    }

    /// Puts the cursor where claim and truth part.
    pub(super) fn seek(&mut self) {
        self.seek_difference = false;
        if let Some(at) = self.shown().and_then(|view| view.parts_at) {
            self.view_state.token = at;
        }
    }
}

/// The cursor starts where the eye should: on the first token that is (or would be) learned.
fn first_answer(view: &SampleView) -> usize {
    let labels = view.labelled().map(|l| l.labels_before_check.as_slice()).unwrap_or_default();
    labels.iter().position(|l| *l != crate::labels::IGNORE_INDEX).unwrap_or(0)
}
