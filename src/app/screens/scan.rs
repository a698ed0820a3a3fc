//! Screen Scan: the whole file of conversations under the present set-up, with the causes counted as they come in.

use std::sync::Arc;
use std::time::Instant;

use super::component::{Component, lines, step};
use crate::app::action::Action;
use crate::app::binding::{Binding, KeyContext, bind};
use crate::app::command::AppCommand;
use crate::app::data::DataSource;
use crate::app::geometry::Panes;
use crate::app::job::{JobContext, JobKind, Outcome};
use crate::app::load::Load;
use crate::app::screen::Screen;
use crate::app::search::{TextSearch, next_row};
use crate::app::session::Session;
use crate::data::{ByteCounter, Record, RecordSource, Records, sources};
use crate::error::{Error, Result, with_causes};
use crate::report::{Throughput, example_mask, scan_lines};
use crate::samples;
use crate::scan::{Example, ScanReport, Scanner};
use crate::setup::Setup;

/// What the screen knows.
#[derive(Debug, Default)]
pub struct ScanScreen {
    /// The report so far; `Loading` only until the first batch is done.
    pub report: Load<Box<ScanReport>>,
    pub done: bool,
    /// Esc ended it before that.
    pub ended: bool,
    /// How far it is.
    pub throughput: Throughput,
    /// Line under the cursor, among the causes.
    pub row: usize,
    /// First line shown of what stands below the causes.
    pub line: usize,
    /// What it was made for.
    made_for: Option<(Arc<Setup>, DataSource)>,
}

/// What came of a job.
#[derive(Debug)]
pub enum ScanOutcome {
    /// The report so far.
    Counted {
        report: Box<ScanReport>,
        throughput: Throughput,
        done: bool,
    },
    Failed(String),
}

/// Records between two reports and two looks at whether the job is still wanted.
const BATCH: usize = 512;

const AGAIN: Action = Action::Own(Screen::Scan, "again");
/// Open the next sample of the cause under the cursor.
const EXAMPLE: Action = Action::Own(Screen::Scan, "example");
const LATER: Action = Action::Own(Screen::Scan, "later");
const EARLIER: Action = Action::Own(Screen::Scan, "earlier");

const HERE: KeyContext = KeyContext::On(Screen::Scan);

/// The keys of this screen.
#[rustfmt::skip]
pub const BINDINGS: &[Binding] = &[
    bind(HERE, &["enter"], EXAMPLE, "open an example of the cause under the cursor", Some("open example")),
    bind(HERE, &["s"], AGAIN, "scan again", Some("scan again")),
    bind(HERE, &["]"], LATER, "later lines of the report", None),
    bind(HERE, &["["], EARLIER, "earlier lines of the report", None),
];

/// Causes in the order of the screen: the most frequent first.
pub fn causes(report: &ScanReport) -> Vec<&str> {
    report.causes().into_iter().map(|(id, _)| id).collect()
}

/// The lines of the report that stand below its causes.
pub fn below(report: &ScanReport) -> Vec<String> {
    let lines = scan_lines(report);
    let from = lines.iter().position(|line| line == "by rounds").unwrap_or(lines.len());
    let states = lines.iter().position(|line| line == "by state").unwrap_or(lines.len());
    let causes_at = lines.iter().position(|line| line == "by cause").unwrap_or(from);
    let part = |range: std::ops::Range<usize>| lines.get(range).unwrap_or_default().to_vec();
    [part(states..causes_at), part(from..lines.len())].concat()
}

impl ScanScreen {
    fn start(&mut self, session: &Session) -> Vec<AppCommand> {
        let Some(setup) = session.shown().map(|view| view.setup.clone()) else { return Vec::new() };
        let source = session.source.clone();
        *self = Self {
            report: Load::Loading,
            made_for: Some((setup.clone(), source.clone())),
            ..Self::default()
        };
        vec![AppCommand::start(JobKind::Screen(Screen::Scan), move |job| {
            if let Err(error) = scan(setup, source, job) {
                job.emit(ScanOutcome::Failed(with_causes(&error)));
            }
        })]
    }

    /// The next sample of the cause under the cursor after the one on screen, at its first divergence.
    fn example(&self, session: &Session) -> Vec<AppCommand> {
        let Some(report) = self.report.ready() else { return Vec::new() };
        let Some(id) = causes(report).get(self.row).copied() else { return Vec::new() };
        let examples = report.by_cause.get(id).map(|c| c.examples.as_slice()).unwrap_or_default();
        let samples = session.samples.ready();
        // Ids need not differ: the position counts, unless records that are no samples have shifted it.
        let position = |example: &Example| {
            let all = samples?;
            let at = usize::try_from(example.index).ok();
            let at = at.filter(|at| all.get(*at).is_some_and(|s| s.id == example.id));
            at.or_else(|| all.iter().position(|s| s.id == example.id))
        };
        let found: Vec<usize> = examples.iter().filter_map(position).collect();
        match found.iter().find(|at| **at > session.current).or(found.first()) {
            Some(index) => {
                vec![
                    AppCommand::say(format!("{id}; {{scan}} goes back to the scan")),
                    AppCommand::Divergence(*index),
                ]
            }
            None => vec![AppCommand::say("no example of this cause is among the samples that are loaded")],
        }
    }

    fn below_from(&self, by: isize) -> usize {
        step(self.line, by, self.report.ready().map_or(0, |report| below(report).len()))
    }
}

impl Component for ScanScreen {
    fn refresh(&mut self, session: &Session) -> Vec<AppCommand> {
        let Some(view) = session.shown() else { return Vec::new() };
        let same = |(setup, source): &(Arc<Setup>, DataSource)| {
            *source == session.source && setup.is_same(&view.setup)
        };
        if self.made_for.as_ref().is_some_and(same) { Vec::new() } else { self.start(session) }
    }

    fn handle(&mut self, session: &Session, panes: &Panes, action: Action) -> Option<Vec<AppCommand>> {
        match action {
            Action::Back if !self.done => {
                (self.done, self.ended) = (true, true);
                if self.report.is_loading() {
                    self.report = Load::Failed("cancelled; s scans".to_string());
                }
                // A batch that is under way is still counted.
                return Some(vec![AppCommand::Cancel(JobKind::Screen(Screen::Scan))]);
            }
            AGAIN => return Some(self.start(session)),
            EXAMPLE => return Some(self.example(session)),
            LATER => self.line = self.below_from(3),
            EARLIER => self.line = self.below_from(-3),
            action => {
                let count = self.report.ready().map_or(0, |report| report.by_cause.len());
                self.row = step(self.row, lines(panes, action)?, count);
            }
        }
        Some(Vec::new())
    }

    fn find(&mut self, _session: &Session, search: &TextSearch, forward: bool) -> Option<Vec<AppCommand>> {
        let report = self.report.ready()?;
        let ids = causes(report);
        let title = |id: &str| report.by_cause.get(id).map_or("", |cause| cause.title.as_str());
        let is_found =
            |row: usize| ids.get(row).is_some_and(|id| search.is_in(id) || search.is_in(title(id)));
        match next_row(ids.len(), self.row, forward, is_found) {
            Some(row) => self.row = row,
            None => return Some(vec![AppCommand::complain(format!("{:?} is in no cause", search.query()))]),
        }
        Some(Vec::new())
    }

    fn done(&mut self, _session: &Session, outcome: Outcome) -> Vec<AppCommand> {
        match outcome.downcast::<ScanOutcome>().map(|outcome| *outcome) {
            Ok(ScanOutcome::Counted { report, throughput, done }) => {
                (self.report, self.throughput) = (Load::Ready(report), throughput);
                // A batch that was under way when Esc came is counted, but the scan stays ended.
                self.done |= done;
            }
            Ok(ScanOutcome::Failed(error)) => self.broken(error),
            Err(_) => {}
        }
        Vec::new()
    }

    fn broken(&mut self, error: String) {
        (self.report, self.done) = (Load::Failed(error), true);
    }
}

/// Scans the data in batches, with the report after each.
fn scan(setup: Arc<Setup>, source: DataSource, job: &JobContext<'_>) -> Result<()> {
    let meter = ByteCounter::default();
    if matches!(&source, DataSource::File(path) if path.as_os_str() == "-") {
        let text = "standard input was read already and cannot be read again; maskscope scan - scans it";
        return Err(Error::Usage(text.to_string()));
    }
    let scanner = Scanner::new(setup, None, None);
    let reading = Reading { scanner, meter, begun: Instant::now(), job };
    // Once more where a repository's function turns out to be another than the rule it was taken for.
    while !reading.read(&source)? {
        reading.meter.reset();
    }
    Ok(())
}

/// What a scan of the data works with.
struct Reading<'a, 'j> {
    scanner: Scanner,
    meter: ByteCounter,
    begun: Instant,
    job: &'a JobContext<'j>,
}

impl Reading<'_, '_> {
    fn open(&self, source: &DataSource) -> Result<(Vec<Records>, Option<u64>)> {
        Ok(match source {
            DataSource::File(path) => {
                let sources = sources(std::slice::from_ref(path))?;
                let total = sources.iter().map(RecordSource::size).sum();
                let records = sources.iter().map(|source| Records::counted(source, &self.meter));
                (records.collect::<Result<_>>()?, total)
            }
            DataSource::Embedded => (vec![samples::records(samples::CONVERSATIONS)], None),
            DataSource::EmbeddedMessages => (vec![samples::records(samples::MESSAGES)], None),
        })
    }

    /// The data from its beginning; false where it has to be read once more.
    fn read(&self, source: &DataSource) -> Result<bool> {
        let (records, total) = self.open(source)?;
        let mut whole = self.scanner.empty();
        let count = |report: &ScanReport, done: bool| {
            let (read, elapsed) = (self.meter.read(), self.begun.elapsed());
            let throughput = Throughput { samples: report.samples, before: 0, elapsed, read, total };
            self.job.emit(ScanOutcome::Counted { report: Box::new(report.clone()), throughput, done });
        };
        let mut records = records.into_iter().flatten();
        loop {
            let batch = records.by_ref().take(BATCH).collect::<Result<Vec<Record>>>()?;
            let scanned = self.scanner.scan(&batch)?;
            if scanned.begin_again {
                return Ok(false);
            }
            whole.merge(scanned.report)?;
            count(&whole, false);
            if self.job.is_cancelled() {
                return Ok(true);
            }
            if batch.len() < BATCH {
                break;
            }
        }
        self.scanner.finish(&mut whole, &example_mask);
        count(&whole, true);
        Ok(true)
    }
}
