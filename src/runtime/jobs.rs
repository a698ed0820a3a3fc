//! Jobs in threads: the newest of a kind wins, older ones are told to stop.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::thread;

use super::events::Incoming;
use super::work::perform;
use crate::app::panels::PanelOutcome;
use crate::app::template_editor::TemplateProblem;
use crate::app::{Job, JobKind, Msg, Outcome};

/// Name of every job thread; the panic hook leaves the terminal alone for them.
pub const THREAD_NAME: &str = "maskscope-job";

/// The running jobs.
#[derive(Debug)]
pub struct Jobs {
    to: Sender<Incoming>,
    running: BTreeMap<JobKind, Arc<AtomicBool>>,
}

impl Jobs {
    /// No jobs yet; results go to `to`.
    pub fn new(to: Sender<Incoming>) -> Self {
        Self { to, running: BTreeMap::new() }
    }

    /// Starts a job and cancels the older one of its kind.
    pub fn start(&mut self, job: Job) -> std::io::Result<()> {
        self.cancel(job.kind);
        let flag = Arc::new(AtomicBool::new(false));
        self.running.insert(job.kind, flag.clone());
        let to = self.to.clone();
        let body = move || {
            let Job { kind, ticket, work } = job;
            let send = |outcome: Outcome| {
                // A closed channel means that the screen is gone.
                let _ = to.send(Incoming::Msg(Msg::Done { kind, ticket, outcome }));
            };
            let cancelled = || flag.load(Ordering::Relaxed);
            let done = catch_unwind(AssertUnwindSafe(|| perform(work, &cancelled, &mut |o| send(o))));
            if let (Err(_), Some(outcome)) = (done, broken(kind)) {
                send(outcome);
            }
        };
        thread::Builder::new().name(THREAD_NAME.to_string()).spawn(body).map(|_| ())
    }

    /// Tells the job of a kind that nobody waits for it.
    pub fn cancel(&mut self, kind: JobKind) {
        if let Some(flag) = self.running.remove(&kind) {
            flag.store(true, Ordering::Relaxed);
        }
    }
}

impl Drop for Jobs {
    fn drop(&mut self) {
        self.running.values().for_each(|flag| flag.store(true, Ordering::Relaxed));
    }
}

/// What is shown when a job panicked: a bug of ours, and the screen goes on.
fn broken(kind: JobKind) -> Option<Outcome> {
    let message = format!("a bug in maskscope stopped this job ({kind:?}); please report what you did");
    Some(match kind {
        JobKind::Tokenizer => Outcome::Tokenizer(Err(message)),
        JobKind::Samples => Outcome::Samples(Err(message)),
        JobKind::Inspect => Outcome::Inspected(Err(message)),
        JobKind::Survey => Outcome::Surveyed { first: 0, states: Vec::new(), done: true },
        JobKind::Preview => Outcome::Previewed(Err(message)),
        JobKind::Fix => Outcome::Fix(None),
        JobKind::Vocabulary => Outcome::Vocabulary(Arc::new(Vec::new())),
        JobKind::Template => Outcome::Rendered(Err(TemplateProblem { line: None, message })),
        JobKind::Explain => Outcome::Explained(Err(message)),
        JobKind::Special | JobKind::Known | JobKind::Remember => return None,
        JobKind::Panel(screen) => Outcome::Panel(PanelOutcome::Broken(screen, message)),
    })
}
