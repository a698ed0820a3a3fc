//! Jobs in threads: the newest of a kind wins, older ones are told to stop.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::thread;

use super::events::Incoming;
use crate::app::{Job, JobContext, JobKind, Msg};
use crate::guard;
use crate::sandbox::StopSignal;

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
        // Code in sandboxes ends with the job that runs it.
        let stop = StopSignal::of(flag.clone());
        let body = move || {
            let (kind, ticket) = (job.kind, job.ticket);
            // A closed channel means that the screen is gone.
            let send = |msg| to.send(Incoming::Msg(msg)).unwrap_or(());
            let cancelled = || flag.load(Ordering::Relaxed);
            let emit = |outcome| send(Msg::Done { kind, ticket, outcome });
            let done = guard::contain(|| stop.within(|| job.run(&JobContext::new(&cancelled, &emit))));
            if let Err(panic) = done {
                let error = format!(
                    "a bug in maskscope stopped this job ({kind:?}); please report what you did: {panic}"
                );
                send(Msg::Broken { kind, ticket, error });
            }
        };
        thread::Builder::new()
            .name(THREAD_NAME.to_string())
            .stack_size(guard::STACK_BYTES)
            .spawn(body)
            .map(|_| ())
    }

    /// Tells the job of a kind that it is no longer wanted.
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
