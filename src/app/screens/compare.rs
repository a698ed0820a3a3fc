//! Screen Compare: the sample on screen under two tokenizers, or under two classes of one, aligned by characters.
//!
//! Side A is the set-up of the other screens; side B differs from it in tokenizer or loading only. Rows are
//! stretches of the text; runs of stretches that are alike fold into one row.

use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;

use super::component::{Component, lines, step};
use crate::app::action::Action;
use crate::app::binding::{Binding, KeyContext, bind};
use crate::app::command::AppCommand;
use crate::app::geometry::Panes;
use crate::app::job::{JobContext, JobKind, Outcome};
use crate::app::load::Load;
use crate::app::overlay::Overlay;
use crate::app::overlays::list_tokenizers;
use crate::app::picker::{self, PickKind, Picker};
use crate::app::screen::Screen;
use crate::app::session::Session;
use crate::chat::Sample;
use crate::diagnose::{CompareTotals, SetupComparison, share_vocabulary};
use crate::error::{Result, with_causes};
use crate::sandbox::StopSignal;
use crate::setup::{RepositoryRequest, Request, Setup, load_tokenizer, resolve};
use crate::tokenizer::{LoadOptions, Loader, Tokenizer};

/// What the screen knows.
#[derive(Debug, Default)]
pub struct CompareScreen {
    /// Tokenizer and loading of side B; without a choice the other class of the same tokenizer.
    pub chosen: Option<(String, LoadOptions)>,
    /// Side B as it was loaded last, with what it was loaded from.
    base: Option<((String, LoadOptions), Arc<Tokenizer>)>,
    pub result: Load<Box<Compared>>,
    /// What all samples come to, as far as they are compared.
    pub totals: CompareTotals,
    pub all_done: bool,
    /// Alike stretches are shown one by one.
    pub unfolded: bool,
    /// Row under the cursor.
    pub row: usize,
}

/// The sample on screen, compared.
#[derive(Debug)]
pub struct Compared {
    pub a: Arc<Setup>,
    pub b: Arc<Setup>,
    pub comparison: SetupComparison,
}

/// What is to be worked out.
struct Comparing {
    a: Arc<Setup>,
    /// Side B's request.
    request: Request,
    /// Side B, where it is loaded already.
    base: Option<Arc<Tokenizer>>,
    sample: Sample,
    samples: Arc<Vec<Sample>>,
}

/// What came of it.
#[derive(Debug)]
enum CompareOutcome {
    Loaded(Arc<Tokenizer>),
    Compared(Box<Compared>),
    /// All samples so far.
    Totals {
        totals: CompareTotals,
        done: bool,
    },
    Failed(String),
}

/// Samples between two looks at whether the job is still wanted.
const BATCH: usize = 32;

/// Choose side B.
const CHOOSE: Action = Action::Own(Screen::Compare, "choose");
const NEXT_DIFFERENCE: Action = Action::Own(Screen::Compare, "next difference");
const PREVIOUS_DIFFERENCE: Action = Action::Own(Screen::Compare, "previous difference");
/// Fold or unfold what is alike.
const FOLD: Action = Action::Own(Screen::Compare, "fold");

const HERE: KeyContext = KeyContext::On(Screen::Compare);

/// The keys of this screen.
#[rustfmt::skip]
pub const BINDINGS: &[Binding] = &[
    bind(HERE, &["b"], CHOOSE, "choose side B: another tokenizer, class or release", Some("side B")),
    bind(HERE, &["]", "right", "l"], NEXT_DIFFERENCE, "next difference", Some("difference")),
    bind(HERE, &["[", "left", "h"], PREVIOUS_DIFFERENCE, "previous difference", Some("difference")),
    bind(HERE, &["v", "enter"], FOLD, "fold or unfold what is alike", Some("alike")),
];

/// A row of the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CompareRow {
    /// A run of stretches that are alike.
    Alike(Range<usize>),
    /// One stretch.
    Stretch(usize),
}

impl CompareScreen {
    /// What side B is loaded from.
    pub fn side_b(&self, session: &Session) -> Option<(String, LoadOptions)> {
        if let Some(chosen) = &self.chosen {
            return Some(chosen.clone());
        }
        let now = session.base.ready()?.facts.loader;
        let other = if now == Loader::Slow { Loader::Fast } else { Loader::Slow };
        let load = LoadOptions { loader: Some(other), ..session.request.load };
        Some((session.request.tokenizer.clone(), load))
    }

    /// The rows of a comparison, folded or not.
    pub fn rows(&self, comparison: &SetupComparison) -> Vec<CompareRow> {
        let mut rows: Vec<CompareRow> = Vec::new();
        for (index, stretch) in comparison.stretches.iter().enumerate() {
            match rows.last_mut() {
                _ if self.unfolded || stretch.differs.any() => rows.push(CompareRow::Stretch(index)),
                Some(CompareRow::Alike(run)) => run.end = index + 1,
                _ => rows.push(CompareRow::Alike(index..index + 1)),
            }
        }
        rows
    }

    fn shown_rows(&self) -> Vec<CompareRow> {
        self.result.ready().map(|compared| self.rows(&compared.comparison)).unwrap_or_default()
    }

    /// The row of the next or the previous difference.
    fn difference(&self, forward: bool) -> Option<usize> {
        let comparison = &self.result.ready()?.comparison;
        let differs = |row: &CompareRow| match row {
            CompareRow::Stretch(index) => comparison.stretches.get(*index).is_some_and(|s| s.differs.any()),
            CompareRow::Alike(_) => false,
        };
        let rows = self.shown_rows();
        let mut hits = rows.iter().enumerate().filter(|(_, row)| differs(row)).map(|(n, _)| n);
        if forward { hits.find(|n| *n > self.row) } else { hits.take_while(|n| *n < self.row).last() }
    }

    /// Side B was chosen from the list.
    pub fn choose(&mut self, session: &Session, tokenizer: String, load: LoadOptions) -> Vec<AppCommand> {
        self.chosen = Some((tokenizer, load));
        self.refresh(session)
    }
}

impl Component for CompareScreen {
    fn refresh(&mut self, session: &Session) -> Vec<AppCommand> {
        let (Some(view), Some(sample), Some((tokenizer, load))) =
            (session.shown(), session.sample().cloned(), self.side_b(session))
        else {
            return Vec::new();
        };
        let known = self.base.as_ref().filter(|(from, _)| *from == (tokenizer.clone(), load));
        let mut base = known.map(|(_, base)| base.clone());
        // A token of one vocabulary means nothing in another: only a class of the same tokenizer keeps the overrides.
        let same = tokenizer == session.request.tokenizer;
        let overrides = if same { session.request.overrides.clone() } else { Default::default() };
        let repository = session.request.repository.as_ref().map(RepositoryRequest::detached);
        let mut request = Request { tokenizer, load, overrides, repository, ..session.request.clone() };
        if let (None, Some(repository)) = (&self.chosen, &session.request.repository) {
            // Its own lines load the tokenizer, so the other class is no side B: what a change does is one, or a built-in rule.
            let repository = (!repository.edits.is_empty()).then(|| repository.without_edits());
            request = Request { repository, ..session.request.clone() };
            base = session.base.ready().cloned();
        }
        (self.result, self.totals, self.all_done, self.row) =
            (Load::Loading, CompareTotals::default(), false, 0);
        let samples = session.samples.ready().cloned().unwrap_or_default();
        let work = Comparing { a: view.setup.clone(), request, base, sample, samples };
        vec![AppCommand::start(JobKind::Screen(Screen::Compare), move |job| {
            if let Err(error) = work.run(job) {
                job.emit(CompareOutcome::Failed(with_causes(&error)));
            }
        })]
    }

    fn handle(&mut self, session: &Session, panes: &Panes, action: Action) -> Option<Vec<AppCommand>> {
        match action {
            Action::Back if !self.all_done => {
                self.all_done = true;
                if self.result.is_loading() {
                    self.result = Load::Failed("cancelled; b chooses side B".to_string());
                }
                return Some(vec![AppCommand::Abandon(JobKind::Screen(Screen::Compare))]);
            }
            CHOOSE => {
                let kind = PickKind::Other(picker::other_load(session.request.load));
                let list = Picker::new(kind, picker::others(&session.request));
                let over = AppCommand::Over(Overlay::Picker(Box::new(list)));
                return Some(vec![over, list_tokenizers(session)]);
            }
            FOLD => (self.unfolded, self.row) = (!self.unfolded, 0),
            NEXT_DIFFERENCE => self.row = self.difference(true).unwrap_or(self.row),
            PREVIOUS_DIFFERENCE => self.row = self.difference(false).unwrap_or(self.row),
            action => self.row = step(self.row, lines(panes, action)?, self.shown_rows().len()),
        }
        Some(Vec::new())
    }

    fn done(&mut self, session: &Session, outcome: Outcome) -> Vec<AppCommand> {
        match outcome.downcast::<CompareOutcome>().map(|outcome| *outcome) {
            Ok(CompareOutcome::Loaded(base)) => self.base = self.side_b(session).map(|side| (side, base)),
            Ok(CompareOutcome::Compared(compared)) => {
                let rows = self.rows(&compared.comparison);
                self.row = rows.iter().position(|row| matches!(row, CompareRow::Stretch(_))).unwrap_or(0);
                self.result = Load::Ready(compared);
            }
            Ok(CompareOutcome::Totals { totals, done }) => (self.totals, self.all_done) = (totals, done),
            Ok(CompareOutcome::Failed(error)) => self.broken(error),
            Err(_) => {}
        }
        Vec::new()
    }

    fn broken(&mut self, error: String) {
        (self.result, self.all_done) = (Load::Failed(error), true);
    }
}

impl Comparing {
    /// Loads side B where it is not there yet, compares the sample, then all samples.
    fn run(self, job: &JobContext<'_>) -> Result<()> {
        let base = match self.base {
            Some(base) => base,
            None => {
                let base = load_tokenizer(&self.request, &mut |_| job.flow())?;
                job.emit(CompareOutcome::Loaded(base.clone()));
                base
            }
        };
        let (a, b) = (self.a, Arc::new(resolve(&base, &self.request)?));
        let same_vocabulary = share_vocabulary(&a.tokenizer, &b.tokenizer);
        let stop = StopSignal::current();
        let compare = |sample: &Sample| {
            stop.within(|| SetupComparison::aligned(a.inspect(sample), b.inspect(sample), same_vocabulary))
        };
        let comparison = compare(&self.sample);
        job.emit(CompareOutcome::Compared(Box::new(Compared { a: a.clone(), b: b.clone(), comparison })));
        let mut totals = CompareTotals::default();
        for batch in self.samples.chunks(BATCH) {
            if job.is_cancelled() {
                break;
            }
            let compared: Vec<SetupComparison> = batch.par_iter().map(compare).collect();
            compared.iter().for_each(|comparison| totals.add(comparison));
            job.emit(CompareOutcome::Totals { totals, done: totals.samples >= self.samples.len() });
        }
        Ok(())
    }
}
