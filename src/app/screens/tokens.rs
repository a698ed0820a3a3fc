//! Screen Tokens: what a trainer really fed. Rows of a dump, what is wrong with them, and the tokens of the one under the cursor.
//!
//! The rows are read by a job to the end of the file, for the findings; the first ones are kept to be looked at.

use std::path::PathBuf;
use std::sync::Arc;

use super::component::{Component, lines, step};
use crate::app::action::Action;
use crate::app::binding::{Binding, KeyContext, bind};
use crate::app::command::AppCommand;
use crate::app::data::DataSource;
use crate::app::geometry::Panes;
use crate::app::job::{JobContext, JobKind, Outcome};
use crate::app::load::Load;
use crate::app::overlay::{Overlay, PathPrompt, PathUse};
use crate::app::screen::Screen;
use crate::app::session::Session;
use crate::diagnose::{Finding, Verdict};
use crate::dumps::{
    CheckedRow, Convention, DUMP_CHECKS, DumpChecks, DumpSetup, Explained, Keys, TokenDump, row_gaps,
};
use crate::error::{Result, with_causes};
use crate::labels::Inspection;
use crate::report::totals_line;
use crate::setup::Setup;

/// Rows, and tokens of rows, that are kept to be looked at.
const MOST_ROWS: usize = 2_000;
const MOST_TOKENS: usize = 4 << 20;
/// Rows that are laid beside this program's own labels.
const MOST_EXPLAINED: usize = 200;

/// Tokens that a step through a row's tokens goes on by: a frame then costs as much at the end of a row as at its begin.
pub const TOKENS_A_STEP: usize = 64;
/// Lines that findings may have.
const MOST_LINES: usize = 10_000;

/// What stands under the rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TokensPane {
    /// The tokens of the row.
    #[default]
    Tokens,
    /// How the file labels, and what is wrong.
    Findings,
    /// The row beside what this program makes of its messages.
    Beside,
}

impl TokensPane {
    fn next(self) -> Self {
        match self {
            Self::Tokens => Self::Findings,
            Self::Findings => Self::Beside,
            Self::Beside => Self::Tokens,
        }
    }

    /// As the screen names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Findings => "findings",
            Self::Beside => "beside our own",
        }
    }
}

/// A row that is kept.
#[derive(Debug)]
pub struct KeptRow {
    pub inspection: Inspection,
    pub tokens: usize,
    pub padding: usize,
    pub documents: usize,
    /// First tokens of documents but the first, among the tokens without padding.
    pub starts: Vec<usize>,
    pub supervised: usize,
    /// Checks that it shows by itself.
    pub faults: Vec<&'static str>,
    /// How far trainer and server lie apart, token by token, where the row says both.
    pub gaps: Option<Vec<f32>>,
}

/// What is read so far.
#[derive(Debug)]
pub struct OpenedDump {
    pub setup: Arc<Setup>,
    pub convention: Convention,
    pub rows: Vec<KeptRow>,
    pub beside: Vec<Vec<Explained>>,
    pub findings: Vec<Finding>,
    pub totals: String,
    pub done: bool,
    /// Where reading ended early.
    pub failed: Option<String>,
}

/// What the screen knows.
#[derive(Debug, Default)]
pub struct TokensScreen {
    /// The file that was named on this screen or at the start.
    pub path: Option<PathBuf>,
    pub dump: Load<Box<OpenedDump>>,
    pub pane: TokensPane,
    pub row: usize,
    /// First line of the pane.
    pub top: usize,
    made_for: Option<(Arc<Setup>, PathBuf)>,
}

#[derive(Debug)]
enum TokensOutcome {
    Opened(Box<OpenedDump>),
    /// More rows, and what all rows came to.
    Read {
        rows: Vec<KeptRow>,
        findings: Vec<Finding>,
        totals: String,
        done: bool,
    },
    Beside(Vec<Explained>),
    Failed(String),
}

const OPEN: Action = Action::Own(Screen::Tokens, "open");
const VIEW: Action = Action::Own(Screen::Tokens, "view");
const LATER: Action = Action::Own(Screen::Tokens, "later");
const EARLIER: Action = Action::Own(Screen::Tokens, "earlier");
const NEXT_FAULT: Action = Action::Own(Screen::Tokens, "next fault");

const HERE: KeyContext = KeyContext::On(Screen::Tokens);

/// The keys of this screen.
#[rustfmt::skip]
pub const BINDINGS: &[Binding] = &[
    bind(HERE, &["O"], OPEN, "open what a trainer fed: a file, or a folder of datasets", Some("open")),
    bind(HERE, &["v", "enter"], VIEW, "tokens, findings, beside our own labels", Some("view")),
    bind(HERE, &["w"], NEXT_FAULT, "next row with a fault of its own", Some("next fault")),
    bind(HERE, &["]", "right", "l"], LATER, "further lines below the rows", Some("lines")),
    bind(HERE, &["[", "left", "h"], EARLIER, "earlier lines below the rows", Some("lines")),
];

impl TokensScreen {
    /// The file that is shown: the one named here, else that of the data.
    fn file(&self, session: &Session) -> Option<PathBuf> {
        match (&self.path, &session.source) {
            (Some(path), _) => Some(path.clone()),
            (None, DataSource::File(path)) if path.as_os_str() != "-" => Some(path.clone()),
            _ => None,
        }
    }

    /// Opens another file.
    pub fn open(&mut self, session: &Session, path: PathBuf) -> Vec<AppCommand> {
        self.path = Some(path);
        self.refresh(session)
    }

    /// The row under the cursor.
    pub fn kept(&self) -> Option<&KeptRow> {
        self.dump.ready()?.rows.get(self.row)
    }

    /// How far the pane goes. Findings and texts are short: their end is found when they are drawn.
    fn last_top(&self) -> usize {
        let tokens = self.kept().and_then(|row| Some(row.inspection.result.as_ref().ok()?.input_ids.len()));
        match self.pane {
            TokensPane::Tokens => tokens.unwrap_or(0).saturating_sub(1) / TOKENS_A_STEP,
            TokensPane::Findings | TokensPane::Beside => MOST_LINES,
        }
    }

    fn go_to(&mut self, row: usize) {
        (self.row, self.top) = (row, 0);
    }
}

impl Component for TokensScreen {
    fn refresh(&mut self, session: &Session) -> Vec<AppCommand> {
        let Some(view) = session.shown() else { return Vec::new() };
        let Some(path) = self.file(session) else { return Vec::new() };
        if self.made_for.as_ref().is_some_and(|(setup, known)| *known == path && setup.is_same(&view.setup)) {
            return Vec::new();
        }
        let setup = view.setup.clone();
        self.made_for = Some((setup.clone(), path.clone()));
        (self.dump, self.row, self.top) = (Load::Loading, 0, 0);
        vec![AppCommand::start(JobKind::Screen(Screen::Tokens), move |job| {
            if let Err(error) = read(&setup, path, job) {
                job.emit(TokensOutcome::Failed(with_causes(&error)));
            }
        })]
    }

    fn handle(&mut self, _session: &Session, panes: &Panes, action: Action) -> Option<Vec<AppCommand>> {
        let rows = self.dump.ready().map_or(0, |dump| dump.rows.len());
        match action {
            Action::Back if self.dump.ready().is_some_and(|dump| !dump.done) => {
                if let Load::Ready(dump) = &mut self.dump {
                    (dump.done, dump.failed) = (true, Some("reading was ended".to_string()));
                }
                return Some(vec![AppCommand::Abandon(JobKind::Screen(Screen::Tokens))]);
            }
            OPEN => return Some(vec![AppCommand::Over(Overlay::Path(PathPrompt::new(PathUse::Dump)))]),
            VIEW => (self.pane, self.top) = (self.pane.next(), 0),
            LATER => self.top = (self.top + 1).min(self.last_top()),
            EARLIER => self.top = self.top.saturating_sub(1),
            NEXT_FAULT => {
                let all = self.dump.ready().map(|dump| dump.rows.as_slice()).unwrap_or_default();
                let faulty = |row: &usize| all.get(*row).is_some_and(|row| !row.faults.is_empty());
                let next = (self.row + 1..rows).find(faulty).or_else(|| (0..rows).find(faulty));
                match next {
                    Some(row) => self.go_to(row),
                    None => return Some(vec![AppCommand::say("no row that is kept has a fault of its own")]),
                }
            }
            action => {
                let row = step(self.row, lines(panes, action)?, rows);
                self.go_to(row);
            }
        }
        Some(Vec::new())
    }

    fn done(&mut self, _session: &Session, outcome: Outcome) -> Vec<AppCommand> {
        match (outcome.downcast::<TokensOutcome>().map(|outcome| *outcome), &mut self.dump) {
            (Ok(TokensOutcome::Opened(dump)), load) => *load = Load::Ready(dump),
            (Ok(TokensOutcome::Read { rows, findings, totals, done }), Load::Ready(dump)) => {
                dump.rows.extend(rows);
                (dump.findings, dump.totals, dump.done) = (findings, totals, done);
            }
            (Ok(TokensOutcome::Beside(explained)), Load::Ready(dump)) => dump.beside.push(explained),
            (Ok(TokensOutcome::Failed(error)), _) => self.broken(error),
            _ => {}
        }
        Vec::new()
    }

    fn broken(&mut self, error: String) {
        match &mut self.dump {
            // What was read stays on screen.
            Load::Ready(dump) => (dump.done, dump.failed) = (true, Some(error)),
            load => *load = Load::Failed(error),
        }
    }
}

/// Reads a dump to its end, with the rows that are kept, then lays those beside this program's own labels.
fn read(setup: &Arc<Setup>, path: PathBuf, job: &JobContext<'_>) -> Result<()> {
    let dumped = DumpSetup::new(setup);
    let mut dump = TokenDump::open(&[path], &Keys::default(), &dumped.facts)?;
    job.emit(TokensOutcome::Opened(Box::new(OpenedDump {
        setup: setup.clone(),
        convention: dump.convention.clone(),
        rows: Vec::new(),
        beside: Vec::new(),
        findings: Vec::new(),
        totals: String::new(),
        done: false,
        failed: None,
    })));
    let mut checks = DumpChecks::default();
    let (mut kept, mut tokens, mut to_explain) = (0, 0, Vec::new());
    loop {
        let batch = dump.next_rows(&dumped.facts)?;
        let ended = batch.is_empty();
        let mut rows = Vec::new();
        for checked in batch {
            checks.routes.add(checks.rows, &checked.row, &checked.fed, None);
            if kept < MOST_ROWS && tokens < MOST_TOKENS {
                rows.push(kept_row(&dumped, &dump.convention, &checked));
                (kept, tokens) = (kept + 1, tokens + checked.row.ids.len());
                if to_explain.len() < MOST_EXPLAINED {
                    to_explain.push((checked.row, checked.fed));
                }
            }
            checks.add(checked.look);
        }
        let findings = checks.finish(&dump.convention, &dumped.facts);
        job.emit(TokensOutcome::Read { rows, findings, totals: totals_line(&checks), done: ended });
        if ended || job.is_cancelled() {
            break;
        }
    }
    for (row, fed) in &to_explain {
        if job.is_cancelled() {
            break;
        }
        job.emit(TokensOutcome::Beside(dumped.explain(row, fed, None)));
    }
    Ok(())
}

fn kept_row(dumped: &DumpSetup<'_>, convention: &Convention, checked: &CheckedRow) -> KeptRow {
    let CheckedRow { row, fed, look } = checked;
    let content = fed.content.clone();
    let gaps = row_gaps(row).map(|gaps| gaps.get(content.clone()).unwrap_or_default().to_vec());
    KeptRow {
        inspection: dumped.inspect(convention, row, fed),
        tokens: row.ids.len(),
        padding: row.ids.len() - content.len(),
        documents: fed.documents.len(),
        starts: fed.documents.iter().skip(1).map(|document| document.start - content.start).collect(),
        supervised: fed.supervised(),
        faults: DUMP_CHECKS.iter().filter(|check| check.hits(look)).map(|check| check.id).collect(),
        gaps,
    }
}

/// The findings that say something, the worst first.
pub fn told_findings(dump: &OpenedDump) -> Vec<&Finding> {
    let mut told: Vec<&Finding> =
        dump.findings.iter().filter(|finding| finding.verdict > Verdict::Ok).collect();
    told.sort_by_key(|finding| std::cmp::Reverse(finding.verdict));
    told
}
