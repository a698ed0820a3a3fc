//! What the session makes of the outcomes of its jobs, and what it has worked out after each inspection.

use std::sync::Arc;

use rayon::prelude::*;

use super::command::AppCommand;
use super::data::DataSource;
use super::fix::find_fix;
use super::job::{JobContext, JobKind, Outcome};
use super::load::Load;
use super::session::{Session, SessionOutcome};
use super::view::SampleView;
use super::watched::WatchedFiles;
use crate::chat::Sample;
use crate::labels::SampleStatus;
use crate::sandbox::StopSignal;
use crate::setup::{Request, SAMPLE_PREFIX, Setup, by_rows, has_own_template};

/// Samples that are labelled between two looks at whether the job is still wanted.
const BATCH: usize = 64;

impl Session {
    /// Takes what came of a job.
    pub fn done(&mut self, outcome: Outcome) -> Vec<AppCommand> {
        let Ok(outcome) = outcome.downcast::<SessionOutcome>() else { return Vec::new() };
        match *outcome {
            SessionOutcome::Progress(progress) => self.progress = Some(progress),
            SessionOutcome::Reading(progress) => self.reading = Some(progress),
            SessionOutcome::Tokenizer(Ok(base)) => {
                (self.base, self.progress) = (Load::Ready(base), None);
                self.survey.is_stale = true;
                let decided = if std::mem::take(&mut self.rows_decide) { self.by_rows() } else { None };
                let mut commands = match decided {
                    Some(request) => self.adopt(request),
                    None => self.inspect(),
                };
                if self.remembers && !self.request.tokenizer.starts_with(SAMPLE_PREFIX) {
                    commands.push(self.remember());
                }
                return commands;
            }
            SessionOutcome::Tokenizer(Err(error)) => {
                (self.base, self.progress) = (Load::Failed(error.clone()), None);
                return self.refuse(error);
            }
            SessionOutcome::Samples(Ok(data)) => {
                self.set_data((self.source.clone(), data));
                (self.current, self.draft, self.view) = (0, None, Load::Idle);
                self.survey.is_stale = true;
                let left_out = self.left_out.as_ref().map(|some| AppCommand::complain(some.line()));
                let mut commands: Vec<AppCommand> = left_out.into_iter().collect();
                if let (true, DataSource::File(path)) = (self.remembers, &self.source) {
                    commands.push(self.remember_data(path.clone()));
                }
                match self.by_rows() {
                    Some(request) => {
                        let template = request.template.to_string();
                        commands.extend(self.change(request));
                        commands.push(AppCommand::say(format!(
                            "template {template}, by the rows of this file; {{undo}} goes back"
                        )));
                    }
                    None => commands.extend(self.inspect()),
                }
                return commands;
            }
            SessionOutcome::Samples(Err(error)) => return vec![self.no_samples(error)],
            SessionOutcome::Inspected(Ok(view)) => return self.inspected(view),
            SessionOutcome::Inspected(Err(error)) => {
                self.running = None;
                if self.shown().is_none() && self.request.repository.is_some() {
                    self.view = Load::Failed(error.clone());
                }
                return self.refuse(error);
            }
            SessionOutcome::Surveyed { first, states, done } => {
                self.survey.states.truncate(first);
                self.survey.states.extend(states);
                self.survey.is_done = done;
            }
            SessionOutcome::SetupSaved(Ok(path)) => {
                let path = path.display();
                return vec![AppCommand::say(format!("written: {path} · maskscope --setup {path} opens it"))];
            }
            SessionOutcome::SetupSaved(Err(error)) => return vec![AppCommand::complain(error)],
            SessionOutcome::Running(seconds) => {
                self.running = Some(seconds);
                let text =
                    format!("the repository's function has been running for {seconds} s · esc ends it");
                return vec![AppCommand::say(text)];
            }
            SessionOutcome::FilesChanged(changed) => return self.read_again(changed),
            SessionOutcome::Fix(fix) => {
                self.fix = Load::Ready(fix.map(|f| *f));
                if std::mem::take(&mut self.wants_fix) {
                    return self.apply_suggested_fix();
                }
            }
        }
        Vec::new()
    }

    /// The request that the rows and the tokenizer ask for, where it is another.
    fn by_rows(&self) -> Option<Request> {
        let tokenizer = self.base.ready()?;
        // Nothing is known of the rows until they are read.
        self.samples.ready()?;
        by_rows(&self.request, self.rows, has_own_template(&tokenizer.files))
    }

    /// A job ended by a bug of ours.
    pub fn broken(&mut self, kind: JobKind, error: String) -> Vec<AppCommand> {
        let outcome = match kind {
            JobKind::Tokenizer => SessionOutcome::Tokenizer(Err(error)),
            JobKind::Samples => SessionOutcome::Samples(Err(error)),
            JobKind::Inspect => SessionOutcome::Inspected(Err(error)),
            JobKind::Survey => SessionOutcome::Surveyed { first: 0, states: Vec::new(), done: true },
            JobKind::Fix => SessionOutcome::Fix(None),
            JobKind::SaveSetup => SessionOutcome::SetupSaved(Err(error)),
            _ => return Vec::new(),
        };
        self.done(Box::new(outcome))
    }

    fn inspected(&mut self, view: Arc<SampleView>) -> Vec<AppCommand> {
        self.good_request = self.request.clone();
        let ran = self.running.take();
        let setup = view.setup.clone();
        self.show(view);
        let mut commands: Vec<AppCommand> = self.watch(&setup).into_iter().collect();
        commands.extend(ran.map(|seconds| AppCommand::say(format!("labelled after {seconds} s"))));
        let samples = self.samples.ready().cloned();
        (self.fix, self.wants_fix) = (Load::Idle, false);
        if self.cause.is_some()
            && let (Some(wanted), Some(sample), Some(samples)) =
                (self.resolved(), self.sample().cloned(), samples.clone())
        {
            self.fix = Load::Loading;
            commands.push(AppCommand::start(JobKind::Fix, move |job| {
                let found = find_fix(&wanted, &sample, &samples, &|| job.is_cancelled());
                job.emit(SessionOutcome::Fix(found.map(Box::new)));
            }));
        }
        if std::mem::take(&mut self.survey.is_stale) {
            self.survey.states.clear();
            self.survey.is_done = false;
            if let Some(samples) = samples {
                commands.push(AppCommand::start(JobKind::Survey, move |job| survey(&setup, &samples, job)));
            }
        }
        commands
    }
}

impl Session {
    /// Watches the files of the function that labels, as long as a screen is open.
    fn watch(&mut self, setup: &Setup) -> Option<AppCommand> {
        let (repository, request) = (setup.repository()?, self.request.repository.as_ref()?);
        let is_known = self.watched.as_ref().is_some_and(|known| Arc::ptr_eq(known, &repository.function));
        if !self.remembers || is_known {
            return None;
        }
        self.watched = Some(repository.function.clone());
        let files = WatchedFiles::new(&repository.function, &request.edits);
        let say = |job: &JobContext<'_>, changed| job.emit(SessionOutcome::FilesChanged(changed));
        Some(AppCommand::start(JobKind::Watch, move |job| files.watch(job, |changed| say(job, changed))))
    }
}

/// The state of every sample.
fn survey(setup: &Setup, samples: &[Sample], job: &JobContext<'_>) {
    let mut first = 0;
    for batch in samples.chunks(BATCH) {
        if job.is_cancelled() {
            return;
        }
        let stop = StopSignal::current();
        let state = |sample: &Sample| stop.within(|| setup.inspect(sample).status());
        let states: Vec<SampleStatus> = batch.par_iter().map(state).collect();
        if job.is_cancelled() {
            return;
        }
        let next = first + batch.len();
        job.emit(SessionOutcome::Surveyed { first, states, done: next >= samples.len() });
        first = next;
    }
}
