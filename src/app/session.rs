//! What is loaded and set: the request, the tokenizer, the samples, the inspected sample on screen and the states of the
//! others. Screens read it; it changes through their commands.

use std::path::PathBuf;
use std::sync::Arc;

use super::attended::attended;
use super::cause::{Cause, cause};
use super::command::AppCommand;
use super::copied::CopyPart;
use super::data::{Data, DataSource, LeftOut};
use super::fix::{ResolvedRequest, SuggestedFix};
use super::job::JobKind;
use super::kept_session::{KeptSession, keep};
use super::load::Load;
use super::picker::Vocabulary;
use super::recent::{self, RecentKind};
use super::search::{TextSearch, next, next_row};
use super::view::SampleView;
use super::watched::FilesChanged;
use crate::chat::{PeekedRows, ReadProgress, Sample};
use crate::error::with_causes;
use crate::hub::DownloadProgress;
use crate::labels::{IGNORE_INDEX, SampleStatus, StatusCounts};
use crate::repository::RepositoryFunction;
use crate::setup::{RecipeChoice, Request, SetupFile, TokenChoice, load_tokenizer, resolve};
use crate::tokenizer::{Role, Tokenizer};

/// What undo goes back to.
#[derive(Debug, Clone)]
pub struct HistoryStep {
    pub request: Request,
    /// The data before, where the step changed that too.
    pub data: Option<(DataSource, Data)>,
    /// A sample before it was edited, and its position.
    pub sample: Option<(usize, Sample)>,
}

/// The state of every sample under the present set-up, as far as known.
#[derive(Debug, Default)]
pub struct Survey {
    pub states: Vec<SampleStatus>,
    pub is_done: bool,
    /// The set-up or the data changed since it began.
    pub is_stale: bool,
}

/// What came of a job of the session.
#[derive(Debug)]
pub enum SessionOutcome {
    /// How far a download is; the tokenizer follows.
    Progress(Box<DownloadProgress>),
    Tokenizer(Result<Arc<Tokenizer>, String>),
    /// How far the reading of the samples is; they follow.
    Reading(ReadProgress),
    Samples(Result<Data, String>),
    Inspected(Result<Arc<SampleView>, String>),
    /// States from `first` on; more follow unless `done`.
    Surveyed {
        first: usize,
        states: Vec<SampleStatus>,
        done: bool,
    },
    Fix(Option<Box<SuggestedFix>>),
    /// The set-up was written into this file, or why it was not.
    SetupSaved(Result<PathBuf, String>),
    /// The repository's function has been running for so many seconds.
    Running(u64),
    /// Files of the repository were written.
    FilesChanged(FilesChanged),
}

/// What is loaded and set.
#[derive(Debug)]
pub struct Session {
    pub request: Request,
    /// The last request that worked, to fall back on.
    pub good_request: Request,
    /// Older requests, newest last.
    pub history: Vec<HistoryStep>,
    /// What was undone, to do again.
    pub undone: Vec<HistoryStep>,
    pub base: Load<Arc<Tokenizer>>,
    /// How far the tokenizer's download is.
    pub progress: Option<Box<DownloadProgress>>,
    /// Note what was loaded, for the next time; not for a single frame.
    pub remembers: bool,
    pub source: DataSource,
    pub samples: Load<Arc<Vec<Sample>>>,
    /// Records of the data that are no samples.
    pub left_out: Option<LeftOut>,
    /// What the rows of the data are.
    pub rows: Option<PeekedRows>,
    /// Another tokenizer is on its way, and the rows decide once more what reads them.
    pub rows_decide: bool,
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
    /// The token under the cursor, on every screen that shows the tokens.
    pub token: usize,
    /// What is searched for in the tokens.
    pub search: Option<TextSearch>,
    /// The tokens at which it begins, in order.
    pub matches: Vec<usize>,
    /// The next sample shown starts at its first divergence.
    pub seeks_divergence: bool,
    pub survey: Survey,
    pub fix: Load<Option<SuggestedFix>>,
    /// The fix is made as soon as it is found.
    pub wants_fix: bool,
    /// Seconds that the repository's function has been running on the sample that is to be shown.
    pub running: Option<u64>,
    /// The function whose files are watched.
    pub(super) watched: Option<Arc<RepositoryFunction>>,
    /// Sound samples and all samples before the last fix of the doctor.
    pub before_fix: Option<(usize, usize)>,
    /// What was open when the program ended last.
    pub kept: Option<Box<KeptSession>>,
    /// All tokens of a vocabulary, by the name of the tokenizer.
    pub vocabulary: Option<(String, Vocabulary)>,
    /// The request of a first run before it was broken on purpose.
    given: Option<Request>,
}

/// The request of a first run: pad = unk without a recipe. Phi-2 has no unk of its own, so that pad equals eos and
/// every sample is lost; one key repairs it.
fn first_request(given: Request) -> Request {
    let mut request = Request { recipe: RecipeChoice::None, ..given };
    request.overrides.insert(Role::Pad, TokenChoice::CopyOf(Role::Unk));
    request
}

impl Session {
    /// Nothing is loaded yet.
    pub fn new(request: Request, source: DataSource, first_run: bool) -> Self {
        let given = first_run.then(|| request.clone());
        let request = if first_run { first_request(request) } else { request };
        Self {
            given,
            good_request: request.clone(),
            request,
            history: Vec::new(),
            undone: Vec::new(),
            base: Load::Idle,
            progress: None,
            remembers: false,
            source,
            samples: Load::Idle,
            left_out: None,
            rows: None,
            rows_decide: false,
            reading: None,
            former: None,
            current: 0,
            draft: None,
            view: Load::Idle,
            cause: None,
            token: 0,
            search: None,
            matches: Vec::new(),
            seeks_divergence: false,
            survey: Survey { is_stale: true, ..Survey::default() },
            fix: Load::Idle,
            wants_fix: false,
            running: None,
            watched: None,
            before_fix: None,
            kept: None,
            vocabulary: None,
        }
    }

    /// The data as it is, to come back to; `None` while it is read.
    pub fn data(&self) -> Option<(DataSource, Data)> {
        let samples = self.samples.ready()?.clone();
        Some((self.source.clone(), Data { samples, left_out: self.left_out.clone(), rows: self.rows }))
    }

    /// Opens other data. What the first run breaks on purpose is no wish of the user's: it does not go with it.
    pub fn open(&mut self, source: DataSource) -> Vec<AppCommand> {
        match self.given.take() {
            Some(given) if self.request == first_request(given.clone()) => {
                vec![AppCommand::ChangeWithData(Box::new(given), source)]
            }
            _ => vec![self.load_samples(source)],
        }
    }

    /// Shows this data from its first sample; whatever was being read is forgotten.
    pub fn set_data(&mut self, (source, data): (DataSource, Data)) {
        (self.source, self.samples, self.left_out) = (source, Load::Ready(data.samples), data.left_out);
        self.rows = data.rows;
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
    pub fn state(&self) -> Option<SampleStatus> {
        self.shown().map(|view| view.inspection.status())
    }

    /// What the present set-up makes of all samples, as far as known.
    pub fn counts(&self) -> StatusCounts {
        self.survey.states.iter().map(SampleStatus::kind).collect()
    }

    /// The request as it stands, once the tokenizer is there.
    pub fn resolved(&self) -> Option<ResolvedRequest> {
        Some(ResolvedRequest { base: self.base.ready()?.clone(), request: self.request.clone() })
    }

    /// Whether there is nothing to show and nothing on its way.
    pub fn has_failed(&self) -> bool {
        self.base.has_failed() || self.samples.has_failed()
    }

    /// Loads the tokenizer of the request.
    pub fn load_tokenizer(&mut self) -> AppCommand {
        self.base = Load::Loading;
        let request = self.request.clone();
        AppCommand::start(JobKind::Tokenizer, move |job| {
            // A cancelled job ends its download at the next report.
            let loaded = load_tokenizer(&request, &mut |progress| {
                job.emit(SessionOutcome::Progress(Box::new(progress)));
                job.flow()
            });
            job.emit(SessionOutcome::Tokenizer(loaded.map_err(|e| with_causes(&e))));
        })
    }

    /// Reads data in place of what is there.
    pub fn load_samples(&mut self, source: DataSource) -> AppCommand {
        // A file that is read in place of one that was still being read keeps what was there before both.
        self.former = self.data().or(self.former.take());
        (self.samples, self.left_out, self.source) = (Load::Loading, None, source.clone());
        // Edits were of samples of the data before.
        self.history.retain(|step| step.sample.is_none());
        self.undone.retain(|step| step.sample.is_none());
        self.before_fix = None;
        let layout = self.request.layout;
        AppCommand::start(JobKind::Samples, move |job| {
            let read = source.read(layout, job, |progress| job.emit(SessionOutcome::Reading(progress)));
            job.emit(SessionOutcome::Samples(read.map_err(|e| with_causes(&e))));
        })
    }

    /// Inspects the sample on screen again; the other samples follow when that is there.
    pub fn inspect(&self) -> Vec<AppCommand> {
        let (Some(wanted), Some(sample)) = (self.resolved(), self.sample().cloned()) else {
            return Vec::new();
        };
        let index = self.current;
        vec![AppCommand::start(JobKind::Inspect, move |job| {
            let inspect = || {
                let setup = resolve(&wanted.base, &wanted.request)?;
                Ok(Arc::new(SampleView::new(Arc::new(setup), index, &sample)))
            };
            let view = match wanted.request.repository {
                Some(_) => attended(job, inspect, |seconds| job.emit(SessionOutcome::Running(seconds))),
                None => Some(inspect()),
            };
            let Some(view) = view else { return };
            job.emit(SessionOutcome::Inspected(view.map_err(|e: crate::error::Error| with_causes(&e))));
        })]
    }

    /// True while the repository's function runs for the screen.
    pub fn runs_code(&self) -> bool {
        let counts = self.request.repository.is_some() && self.shown().is_some();
        self.running.is_some() || (counts && (!self.survey.is_done || self.fix.is_loading()))
    }

    /// Ends what the repository's function runs for; what was shown before stays.
    pub fn stop_running(&mut self) -> Vec<AppCommand> {
        let mut commands = vec![AppCommand::Abandon(JobKind::Survey), AppCommand::Abandon(JobKind::Fix)];
        self.fix = if self.fix.is_loading() { Load::Idle } else { std::mem::take(&mut self.fix) };
        self.survey.is_done = true;
        if self.running.take().is_some() {
            commands.push(AppCommand::Abandon(JobKind::Inspect));
        }
        // What is shown is the sample before; its name comes back with it.
        if let (Some(view), None) = (self.shown(), &self.draft) {
            self.current = view.index;
        }
        if self.shown().is_none() {
            let text = "the repository's function was ended before it came to labels; n shows the next sample, and a change of its file is \
                        read and run";
            self.view = Load::Failed(text.to_string());
        }
        let text = "the repository's function was ended; screen 5 opens other samples, and a change of its file is read and run";
        commands.push(AppCommand::say(text));
        commands
    }

    /// Reads the repository again, and shows the same sample at the same place.
    pub(super) fn read_again(&mut self, changed: FilesChanged) -> Vec<AppCommand> {
        let Some(repository) = &self.request.repository else { return Vec::new() };
        let repository = Some(repository.with_other_edits(changed.edits));
        self.request.repository = repository.clone();
        self.good_request.repository = repository;
        self.survey.is_stale = true;
        let names = changed.names.join(", ");
        let dropped = match changed.dropped {
            0 => String::new(),
            1 => "; the change that was made in memory is left out, as its line is another one".to_string(),
            n => format!("; {n} changes that were made in memory are left out, as their lines are others"),
        };
        let mut commands = vec![AppCommand::say(format!("{names} was written and is read again{dropped}"))];
        commands.extend(self.inspect());
        commands
    }

    /// Notes the tokenizer as loaded lately.
    pub fn remember(&self) -> AppCommand {
        let name = self.request.tokenizer.clone();
        AppCommand::start(JobKind::Remember, move |_| recent::remember(RecentKind::Tokenizer, &name))
    }

    /// Notes a data file as loaded lately.
    pub fn remember_data(&self, path: PathBuf) -> AppCommand {
        AppCommand::start(JobKind::Remember, move |_| {
            // A name that is no text cannot be typed either.
            if let Some(name) = path.canonicalize().ok().as_deref().and_then(std::path::Path::to_str) {
                recent::remember(RecentKind::Data, name);
            }
        })
    }

    /// Writes the present set-up into a new file.
    pub fn save_setup(&self, path: PathBuf) -> AppCommand {
        let request = self.request.clone();
        let data = match &self.source {
            DataSource::File(path) => Some(path.clone()),
            DataSource::Embedded | DataSource::EmbeddedMessages => None,
        };
        AppCommand::start(JobKind::SaveSetup, move |job| {
            let written =
                SetupFile::new(&request, data.as_deref(), Some(&path)).and_then(|file| file.write(&path));
            job.emit(SessionOutcome::SetupSaved(written.map(|()| path).map_err(|e| with_causes(&e))));
        })
    }

    /// Whether this is the demo as it opens: broken on purpose, and nothing of the user's.
    pub fn is_demo(&self) -> bool {
        self.given.as_ref().is_some_and(|given| self.request == first_request(given.clone()))
    }

    /// Keeps what is open for the next start; the demo, and what is built in, is there at every start anyway.
    pub fn keep(&self) {
        let data = match &self.source {
            DataSource::File(path) => Some(path.as_path()),
            DataSource::Embedded | DataSource::EmbeddedMessages => None,
        };
        let is_other = data.is_some() || self.good_request.tokenizer != Request::default().tokenizer;
        if is_other && self.base.ready().is_some() {
            keep(&self.good_request, data);
        }
    }

    /// Opens what was open when the program ended last.
    pub fn open_kept(&mut self) -> Vec<AppCommand> {
        let Some(kept) = self.kept.take() else {
            return vec![AppCommand::say("nothing is kept of the last time, or it was opened already")];
        };
        let KeptSession { request, data } = *kept;
        let source = data.map_or(DataSource::Embedded, DataSource::File);
        vec![AppCommand::ChangeWithData(Box::new(request), source)]
    }

    /// Shows another sample.
    pub fn go_to_sample(&mut self, index: usize) -> Vec<AppCommand> {
        // While a file is read there is nowhere to go.
        let Some(samples) = self.samples.ready() else { return Vec::new() };
        let index = index.min(samples.len().saturating_sub(1));
        // A sample whose run was ended is run again.
        if index == self.current && self.shown().is_some_and(|view| view.index == index) {
            return Vec::new();
        }
        (self.current, self.draft) = (index, None);
        self.inspect()
    }

    /// Shows what an inspection found.
    pub fn show(&mut self, view: Arc<SampleView>) {
        self.cause = cause(&view);
        let same = self.shown().is_some_and(|old| old.index == view.index);
        let last = view.len().saturating_sub(1);
        self.token = if same { self.token.min(last) } else { first_answer(&view) };
        self.matches = self.search.as_ref().map(|search| search.tokens(&view)).unwrap_or_default();
        self.view = Load::Ready(view);
        if std::mem::take(&mut self.seeks_divergence) {
            self.seek_divergence();
        }
    }

    /// Searches the tokens on screen, and those of every sample shown from now on.
    pub fn set_search(&mut self, search: Option<TextSearch>) {
        let found = search.as_ref().zip(self.shown()).map(|(search, view)| search.tokens(view));
        (self.search, self.matches) = (search, found.unwrap_or_default());
    }

    /// The next match in the tokens on screen, or the one before; from the cursor on, around the ends.
    pub fn step_match(&self, forward: bool) -> Vec<AppCommand> {
        let Some(search) = &self.search else { return Vec::new() };
        let count = self.matches.len();
        let found = next(&self.matches, self.token, forward);
        match found.and_then(|at| Some((at, *self.matches.get(at)?))) {
            Some((at, token)) => {
                let place = format!("/{}: {} of {count}, token {token}", search.query(), at + 1);
                vec![AppCommand::Token(token), AppCommand::say(place)]
            }
            None => {
                let query = search.query();
                vec![AppCommand::complain(format!(
                    "{query:?} is not in this sample; on screen 5, / finds samples"
                ))]
            }
        }
    }

    /// A part of the sample on screen, as text.
    pub fn copied(&self, part: CopyPart) -> Option<String> {
        part.text(self.shown()?, self.sample()?, self.token)
    }

    /// Goes to the next sample that is not sound, or the one before, as far as the samples are labelled.
    pub fn go_to_fault(&self, forward: bool) -> Vec<AppCommand> {
        let states = &self.survey.states;
        let is_fault = |row: usize| states.get(row).is_some_and(|state| !state.is_sound());
        match next_row(states.len(), self.current.min(states.len()), forward, is_fault) {
            Some(row) => vec![AppCommand::Sample(row)],
            None if self.survey.is_done => vec![AppCommand::say("every sample is sound")],
            None => vec![AppCommand::say(format!("none among the {} samples labelled so far", states.len()))],
        }
    }

    /// Puts the cursor on the first divergence.
    pub fn seek_divergence(&mut self) {
        self.seeks_divergence = false;
        if let Some(at) = self.shown().and_then(|view| view.parts_at) {
            self.token = at;
        }
    }

    /// Shows the sample with edits; `None` takes them back.
    pub fn set_draft(&mut self, draft: Option<Sample>) -> Vec<AppCommand> {
        let before = std::mem::replace(&mut self.draft, draft);
        let edited = before.is_some_and(|before| self.sample() != Some(&before));
        if self.draft.is_some() || edited { self.inspect() } else { Vec::new() }
    }

    /// The edits become part of the data.
    pub fn keep_draft(&mut self) -> Vec<AppCommand> {
        let (Load::Ready(samples), Some(draft)) = (&mut self.samples, self.draft.take()) else {
            return Vec::new();
        };
        if let Some(sample) = Arc::make_mut(samples).get_mut(self.current) {
            let before = std::mem::replace(sample, draft);
            self.keep_step(HistoryStep {
                request: self.request.clone(),
                data: None,
                sample: Some((self.current, before)),
            });
        }
        self.survey.is_stale = true;
        self.inspect()
    }
}

/// The first token that is, or would be, supervised.
fn first_answer(view: &SampleView) -> usize {
    let labels = view.labelled().map(|l| l.labels_before_check.as_slice()).unwrap_or_default();
    labels.iter().position(|l| *l != IGNORE_INDEX).unwrap_or(0)
}
