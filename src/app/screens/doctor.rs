//! Screen Doctor: every check on the samples, with evidence, cause and fix; a fix is tried in memory with one key.

use std::sync::Arc;

use rayon::prelude::*;

use super::component::{Component, lines, step};
use crate::app::action::Action;
use crate::app::binding::{Binding, KeyContext, bind};
use crate::app::command::AppCommand;
use crate::app::geometry::Panes;
use crate::app::job::{JobContext, JobKind, Outcome};
use crate::app::load::Load;
use crate::app::screen::Screen;
use crate::app::search::{TextSearch, next_row};
use crate::app::session::Session;
use crate::chat::Sample;
use crate::diagnose::{
    AlternativeLoad, DoctorReport, Finding, Fix, Search, Verdict, diagnose_with, fix_search,
};
use crate::labels::Inspection;
use crate::sandbox::StopSignal;
use crate::setup::{Request, Setup, load_other_ways};

/// What the screen knows.
#[derive(Debug, Default)]
pub struct DoctorScreen {
    pub report: Load<Arc<DoctorReport>>,
    /// Samples labelled so far, of how many.
    pub progress: (usize, usize),
    /// What the report was made for.
    made_for: Option<(Arc<Setup>, Arc<Vec<Sample>>)>,
    pub search: Load<Box<Search>>,
    /// Also the checks that found nothing.
    pub all: bool,
    /// Finding under the cursor, in the order of [`Self::shown`].
    pub row: usize,
    /// The finding that was under the cursor of the report before: the cursor goes back to it.
    kept: Option<&'static str>,
    /// First line shown of the finding under the cursor.
    pub top: usize,
    /// Which of its samples was visited last.
    visited: usize,
}

/// Samples that the checks look at, the first of the file: all of their labels are in memory at once. Screen Scan looks
/// at whole files.
pub const CHECKED: usize = 5000;

/// Samples that take part in a search, the first of the file: enough to rule out what does not work, few enough to try
/// hundreds of set-ups.
pub const SEARCHED: usize = 64;

/// Samples between two looks at whether the job is still wanted.
const BATCH: usize = 64;

/// What came of a job.
#[derive(Debug)]
enum DoctorOutcome {
    /// Samples labelled, of how many.
    Progress(usize, usize),
    Report(Arc<DoctorReport>),
    Searched(Box<Search>),
}

/// Open the next sample that the finding is about, at its first divergence.
const EVIDENCE: Action = Action::Own(Screen::Doctor, "evidence");
const APPLY: Action = Action::Own(Screen::Doctor, "apply");
/// Also list the checks that found nothing.
const ALL: Action = Action::Own(Screen::Doctor, "all");
const SEARCH: Action = Action::Own(Screen::Doctor, "search");
const APPLY_SEARCH: Action = Action::Own(Screen::Doctor, "apply search");
const LATER: Action = Action::Own(Screen::Doctor, "later");
const EARLIER: Action = Action::Own(Screen::Doctor, "earlier");

const HERE: KeyContext = KeyContext::On(Screen::Doctor);

/// The keys of this screen.
#[rustfmt::skip]
pub const BINDINGS: &[Binding] = &[
    bind(HERE, &["enter"], EVIDENCE, "open the next sample that the finding is about", Some("evidence")),
    bind(HERE, &["f"], APPLY, "apply the finding's fix in memory; u undoes it", Some("apply fix")),
    bind(HERE, &["v"], ALL, "also list the checks that found nothing", Some("all checks")),
    bind(HERE, &["s"], SEARCH, "search for the smallest change that makes every sample match", Some("search")),
    bind(HERE, &["a"], APPLY_SEARCH, "apply what the search found", None),
    bind(HERE, &["]"], LATER, "later lines of the finding", None),
    bind(HERE, &["["], EARLIER, "earlier lines of the finding", None),
];

impl DoctorScreen {
    /// Findings in the order of the screen: the worst first, then those with the most samples.
    pub fn shown<'a>(&self, report: &'a DoctorReport) -> Vec<&'a Finding> {
        let mut found: Vec<&'a Finding> =
            report.findings.iter().filter(|f| self.all || f.verdict > Verdict::Ok).collect();
        found.sort_by_key(|f| std::cmp::Reverse((f.verdict, f.samples.len())));
        found
    }

    /// The worst that the checks say of the sample on screen, once they were run on these samples under this set-up.
    pub fn worst_of_current(&self, session: &Session) -> Option<&Finding> {
        let (setup, samples) = self.made_for.as_ref()?;
        let is_current = session.draft.is_none()
            && session.samples.ready().is_some_and(|present| Arc::ptr_eq(present, samples))
            && session.shown().is_some_and(|view| view.setup.is_same(setup));
        self.report.ready().filter(|_| is_current)?.worst_of(session.current)
    }

    fn finding(&self) -> Option<&Finding> {
        self.shown(self.report.ready()?).get(self.row).copied()
    }

    /// The next sample of the finding, on screen Labels at its first divergence.
    fn evidence(&mut self) -> Vec<AppCommand> {
        let Some(finding) = self.finding() else { return Vec::new() };
        let at = self.visited % finding.samples.len().max(1);
        let Some(index) = finding.samples.get(at).copied() else {
            return vec![AppCommand::say("this finding is about the set-up, not about a sample")];
        };
        let said =
            format!("{}: sample {} of {}; {{doctor}} goes back", finding.id, at + 1, finding.samples.len());
        self.visited = at + 1;
        vec![AppCommand::say(said), AppCommand::Divergence(index)]
    }

    fn search(&mut self, session: &Session) -> Vec<AppCommand> {
        let (Some(view), Some(samples)) = (session.shown(), session.samples.ready().cloned()) else {
            return Vec::new();
        };
        let Some(setup) = view.setup.to_llava() else {
            let text = "the search is for rules that count; {strategies} shows what every strategy makes of the sample";
            return vec![AppCommand::say(text)];
        };
        if self.report.ready().is_none() {
            return vec![AppCommand::say("the checks come first, and they are not done")];
        }
        self.search = Load::Loading;
        vec![AppCommand::start(JobKind::Screen(Screen::Doctor), move |job| {
            let samples: Vec<&Sample> = samples.iter().take(SEARCHED).collect();
            let search = fix_search(&setup, &samples);
            job.emit(DoctorOutcome::Searched(Box::new(search)));
        })]
    }
}

/// Applies a fix, or says why there is none.
fn apply(session: &Session, fix: Option<&Fix>, none: &str) -> Vec<AppCommand> {
    let Some(fix) = fix else { return vec![AppCommand::say(none)] };
    let counts = session.counts();
    vec![AppCommand::AdoptFix(Box::new(fix.clone()), Some((counts.sound, counts.total())))]
}

impl Component for DoctorScreen {
    fn refresh(&mut self, session: &Session) -> Vec<AppCommand> {
        let (Some(view), Some(samples)) = (session.shown(), session.samples.ready().cloned()) else {
            return Vec::new();
        };
        let same = |(setup, known): &(Arc<Setup>, Arc<Vec<Sample>>)| {
            Arc::ptr_eq(known, &samples) && setup.is_same(&view.setup)
        };
        if self.made_for.as_ref().is_some_and(same) && !self.report.has_failed() {
            return Vec::new();
        }
        self.kept = self.finding().map(|finding| finding.id).or(self.kept);
        self.made_for = Some((view.setup.clone(), samples.clone()));
        (self.report, self.search) = (Load::Loading, Load::Idle);
        self.progress = (0, samples.len().min(CHECKED));
        (self.row, self.visited, self.top) = (0, 0, 0);
        let (setup, request) = (view.setup.clone(), session.request.clone());
        vec![AppCommand::start(JobKind::Screen(Screen::Doctor), move |job| {
            if let Some(report) = report(&setup, &request, &samples, job) {
                job.emit(DoctorOutcome::Report(Arc::new(report)));
            }
        })]
    }

    fn handle(&mut self, session: &Session, panes: &Panes, action: Action) -> Option<Vec<AppCommand>> {
        // The drawing knows how many lines there are; far beyond any is the last page.
        const MOST: usize = 200;
        match action {
            Action::Back if self.report.is_loading() || self.search.is_loading() => {
                if self.report.is_loading() {
                    let text = "cancelled; opening this screen again starts anew";
                    self.report = Load::Failed(text.to_string());
                }
                self.search = Load::Idle;
                return Some(vec![AppCommand::Abandon(JobKind::Screen(Screen::Doctor))]);
            }
            EVIDENCE => return Some(self.evidence()),
            APPLY => {
                let fix = self.finding().and_then(|finding| finding.fix.as_ref());
                return Some(apply(session, fix, "this finding has no fix that a key could apply"));
            }
            APPLY_SEARCH => {
                let fix = self.search.ready().and_then(|search| search.best.as_ref());
                return Some(apply(session, fix, "nothing was found yet: s searches"));
            }
            SEARCH => return Some(self.search(session)),
            ALL => (self.all, self.row, self.top) = (!self.all, 0, 0),
            LATER => self.top = (self.top + 3).min(MOST),
            EARLIER => self.top = self.top.saturating_sub(3),
            action => {
                let by = lines(panes, action)?;
                let count = self.report.ready().map_or(0, |report| self.shown(report).len());
                (self.row, self.visited, self.top) = (step(self.row, by, count), 0, 0);
            }
        }
        Some(Vec::new())
    }

    fn find(&mut self, _session: &Session, search: &TextSearch, forward: bool) -> Option<Vec<AppCommand>> {
        let report = self.report.ready()?;
        let shown = self.shown(report);
        let is_found =
            |row: usize| shown.get(row).is_some_and(|f| search.is_in(f.id) || search.is_in(f.title));
        let found = next_row(shown.len(), self.row, forward, is_found);
        match found {
            Some(row) => (self.row, self.visited, self.top) = (row, 0, 0),
            None => {
                return Some(vec![AppCommand::complain(format!("{:?} is in no finding", search.query()))]);
            }
        }
        Some(Vec::new())
    }

    fn done(&mut self, _session: &Session, outcome: Outcome) -> Vec<AppCommand> {
        match outcome.downcast::<DoctorOutcome>().map(|outcome| *outcome) {
            Ok(DoctorOutcome::Progress(done, of)) => self.progress = (done, of),
            Ok(DoctorOutcome::Report(report)) => {
                let kept = self.kept.take();
                let at = kept.and_then(|id| self.shown(&report).iter().position(|f| f.id == id));
                (self.row, self.report) = (at.unwrap_or(0), Load::Ready(report));
            }
            Ok(DoctorOutcome::Searched(search)) => self.search = Load::Ready(search),
            Err(_) => {}
        }
        Vec::new()
    }

    fn broken(&mut self, error: String) {
        if self.search.is_loading() {
            self.search = Load::Failed(error);
        } else {
            self.report = Load::Failed(error);
        }
    }
}

/// Labels the samples and runs every check; `None` when the job was cancelled.
fn report(
    setup: &Setup,
    request: &Request,
    samples: &[Sample],
    job: &JobContext<'_>,
) -> Option<DoctorReport> {
    let samples = samples.get(..CHECKED).unwrap_or(samples);
    let mut inspections: Vec<Inspection> = Vec::with_capacity(samples.len());
    for batch in samples.chunks(BATCH) {
        if job.is_cancelled() {
            return None;
        }
        let stop = StopSignal::current();
        inspections.extend(batch.par_iter().map(|s| stop.within(|| setup.inspect(s))).collect::<Vec<_>>());
        job.emit(DoctorOutcome::Progress(inspections.len(), samples.len()));
    }
    let alternative_loads = match setup.chat() {
        None => AlternativeLoad::all(setup, &load_other_ways(request, &setup.base)),
        Some(_) => Vec::new(),
    };
    if job.is_cancelled() {
        return None;
    }
    Some(diagnose_with(setup, samples, &inspections, &alternative_loads))
}
