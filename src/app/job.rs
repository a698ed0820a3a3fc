//! Work that takes longer than a frame, as values: what a thread of the runtime does, and what came of it.
//!
//! ```text
//! screen ─► Command::Start(kind, work) ─► runtime ─► Msg::Done { kind, ticket, outcome } ─► the same screen's done
//! ```
//!
//! Only the body of a job does I/O. A newer job of a kind cancels the older one; outcomes with an old ticket are
//! dropped.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::ControlFlow;

use super::screen::Screen;

/// One job runs of each kind; who started it takes its outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobKind {
    Tokenizer,
    Samples,
    Inspect,
    Survey,
    Fix,
    /// Look whether the repository's files are written.
    Watch,
    /// Note a tokenizer as loaded lately.
    Remember,
    /// Write the set-up into a file.
    SaveSetup,
    Preview,
    Vocabulary,
    /// Tokenizers in the cache and recent ones, or templates.
    Known,
    /// The names that go on with a typed path.
    Paths,
    /// The template in the editor.
    Template,
    /// The work of a screen.
    Screen(Screen),
}

/// What came of a job, of the type that its starter knows.
pub type Outcome = Box<dyn Any + Send>;

/// What a running job is given.
pub struct JobContext<'a> {
    cancelled: &'a dyn Fn() -> bool,
    emit: &'a dyn Fn(Outcome),
}

impl<'a> JobContext<'a> {
    /// `cancelled` says whether the job is still wanted, `emit` takes each outcome.
    pub fn new(cancelled: &'a dyn Fn() -> bool, emit: &'a dyn Fn(Outcome)) -> Self {
        Self { cancelled, emit }
    }

    /// Whether the outcomes would be dropped.
    pub fn is_cancelled(&self) -> bool {
        (self.cancelled)()
    }

    /// The same for a loader that asks whether to go on.
    pub fn flow(&self) -> ControlFlow<()> {
        if self.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Hands over an outcome; a job may have several.
    pub fn emit<T: Send + 'static>(&self, outcome: T) {
        (self.emit)(Box::new(outcome));
    }
}

/// What a job does.
pub struct Work(Box<dyn FnOnce(&JobContext<'_>) + Send>);

impl Work {
    /// Work to be done by this body.
    pub fn new(body: impl FnOnce(&JobContext<'_>) + Send + 'static) -> Self {
        Self(Box::new(body))
    }
}

/// One job.
pub struct Job {
    pub kind: JobKind,
    pub ticket: u64,
    work: Work,
}

impl Job {
    /// Does the work.
    pub fn run(self, context: &JobContext<'_>) {
        (self.work.0)(context);
    }
}

impl fmt::Debug for JobContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobContext").field("cancelled", &self.is_cancelled()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Work").finish_non_exhaustive()
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("kind", &self.kind).field("ticket", &self.ticket).finish_non_exhaustive()
    }
}

/// Which job of each kind is the newest.
#[derive(Debug, Default)]
pub struct Tickets {
    newest: BTreeMap<JobKind, u64>,
    last: u64,
}

impl Tickets {
    /// A job of a kind, as the newest one.
    pub fn job(&mut self, kind: JobKind, work: Work) -> Job {
        self.last += 1;
        self.newest.insert(kind, self.last);
        Job { kind, ticket: self.last, work }
    }

    /// Whether outcomes with this ticket are still wanted.
    pub fn is_newest(&self, kind: JobKind, ticket: u64) -> bool {
        self.newest.get(&kind) == Some(&ticket)
    }

    /// What the job of a kind still sends is dropped.
    pub fn abandon(&mut self, kind: JobKind) {
        self.newest.remove(&kind);
    }
}
