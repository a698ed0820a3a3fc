//! Screen Samples: the state of every sample in a line, all of them or some, in the order of the data or another.

use std::cmp::Reverse;
use std::sync::Arc;

use super::component::{Component, lines, step};
use crate::app::action::Action;
use crate::app::binding::{Binding, KeyContext, bind};
use crate::app::command::AppCommand;
use crate::app::geometry::Panes;
use crate::app::screen::Screen;
use crate::app::search::{TextSearch, next_row};
use crate::app::session::Session;
use crate::app::target::Target;
use crate::chat::Sample;
use crate::labels::{SampleStatus, StatusKind};

/// Which samples are listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SampleFilter {
    #[default]
    All,
    NotSound,
    Of(StatusKind),
    /// Those that hold what is searched for.
    Found,
}

impl SampleFilter {
    /// As the screen names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "all samples",
            Self::NotSound => "those that are not sound",
            Self::Of(kind) => kind.name(),
            Self::Found => "those that the search finds",
        }
    }

    fn next(self) -> Self {
        match self {
            Self::All => Self::NotSound,
            Self::NotSound => Self::Of(StatusKind::Mismatch),
            Self::Of(StatusKind::Mismatch) => Self::Of(StatusKind::Raises),
            Self::Of(StatusKind::Raises) => Self::Of(StatusKind::Silent),
            Self::Of(_) => Self::Found,
            Self::Found => Self::All,
        }
    }
}

/// In which order samples are listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SampleOrder {
    #[default]
    Data,
    /// Those that raise, then mismatches, silent and sound ones.
    WorstFirst,
    LongestFirst,
    /// By the share of supervised tokens.
    LeastSupervisedFirst,
}

impl SampleOrder {
    /// As the screen names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Data => "as in the data",
            Self::WorstFirst => "worst first",
            Self::LongestFirst => "longest first",
            Self::LeastSupervisedFirst => "least supervised first",
        }
    }

    fn next(self) -> Self {
        match self {
            Self::Data => Self::WorstFirst,
            Self::WorstFirst => Self::LongestFirst,
            Self::LongestFirst => Self::LeastSupervisedFirst,
            Self::LeastSupervisedFirst => Self::Data,
        }
    }
}

/// What the screen knows.
#[derive(Debug, Default)]
pub struct SamplesScreen {
    /// Row under the cursor.
    pub cursor: usize,
    pub filter: SampleFilter,
    pub order: SampleOrder,
    /// Positions in the data of the samples listed; `None` lists all as they are.
    rows: Option<Vec<usize>>,
    /// What the rows were worked out from.
    made_of: Option<MadeOf>,
    /// The data and the sample on screen that the cursor was put on last.
    followed: Option<(Arc<Vec<Sample>>, usize)>,
}

/// What rows depend on.
#[derive(Debug, Clone, PartialEq)]
struct MadeOf {
    filter: SampleFilter,
    order: SampleOrder,
    search: Option<TextSearch>,
    /// The samples, by their address.
    samples: usize,
    /// How many are labelled, and whether that is all.
    labelled: (usize, bool),
}

/// The next order.
const SORT: Action = Action::Own(Screen::Samples, "sort");

const HERE: KeyContext = KeyContext::On(Screen::Samples);

/// The keys of this screen.
pub const BINDINGS: &[Binding] = &[
    bind(HERE, &["enter"], Action::Accept, "open the sample", Some("open")),
    bind(
        HERE,
        &["v"],
        Action::NextView,
        "all samples, those not sound, one state, those that the search finds",
        Some("which"),
    ),
    bind(
        HERE,
        &["s"],
        SORT,
        "as in the data, worst first, longest first, least supervised first",
        Some("sort"),
    ),
];

impl SamplesScreen {
    /// The sample of a row; `None` behind the last.
    pub fn sample_at(&self, row: usize, count: usize) -> Option<usize> {
        match &self.rows {
            Some(rows) => rows.get(row).copied(),
            None => Some(row).filter(|row| *row < count),
        }
    }

    /// Rows listed of `count` samples.
    pub fn len(&self, count: usize) -> usize {
        self.rows.as_ref().map_or(count, Vec::len)
    }

    fn row_of(&self, sample: usize) -> Option<usize> {
        match &self.rows {
            Some(rows) => rows.iter().position(|row| *row == sample),
            None => Some(sample),
        }
    }

    /// Works out which samples are listed, and how.
    fn list(&mut self, session: &Session) {
        let Some(samples) = session.samples.ready() else { return };
        let states = &session.survey.states;
        let now = MadeOf {
            filter: self.filter,
            order: self.order,
            search: session.search.clone().filter(|_| self.filter == SampleFilter::Found),
            samples: Arc::as_ptr(samples) as usize,
            labelled: (states.len(), session.survey.is_done),
        };
        // While samples are labelled, a list is worked out anew when there are twice as many.
        let is_same = |made: &MadeOf| {
            let grew = now.labelled.0 >= 2 * made.labelled.0.max(1) || now.labelled.0 < made.labelled.0;
            let labelled = if grew || now.labelled.1 { now.labelled } else { made.labelled };
            *made == MadeOf { labelled, ..now.clone() }
        };
        if self.made_of.as_ref().is_some_and(is_same) {
            return;
        }
        let sample = self.sample_at(self.cursor, samples.len());
        self.rows = match (self.filter, self.order) {
            (SampleFilter::All, SampleOrder::Data) => None,
            (filter, order) => {
                let search = now.search.as_ref();
                let listed = |row: &usize| is_listed(filter, states.get(*row), samples.get(*row), search);
                let mut rows: Vec<usize> = (0..samples.len()).filter(listed).collect();
                sort(&mut rows, order, states);
                Some(rows)
            }
        };
        self.made_of = Some(now);
        let kept = sample.and_then(|sample| self.row_of(sample));
        self.cursor = kept.unwrap_or(0).min(self.len(samples.len()).saturating_sub(1));
    }
}

fn is_listed(
    filter: SampleFilter,
    state: Option<&SampleStatus>,
    sample: Option<&Sample>,
    search: Option<&TextSearch>,
) -> bool {
    match filter {
        SampleFilter::All => true,
        SampleFilter::NotSound => state.is_some_and(|state| !state.is_sound()),
        SampleFilter::Of(kind) => state.is_some_and(|state| state.kind() == kind),
        SampleFilter::Found => sample.zip(search).is_some_and(|(sample, search)| holds(sample, search)),
    }
}

/// True where the id or a turn of a sample is what is searched for.
fn holds(sample: &Sample, search: &TextSearch) -> bool {
    search.is_in(&sample.id) || sample.conversations.iter().any(|turn| search.is_in(&turn.value))
}

/// Sorts samples; those that are not labelled yet come last, and equal ones stay as in the data.
fn sort(rows: &mut [usize], order: SampleOrder, states: &[SampleStatus]) {
    let tokens = |state: &SampleStatus| match state {
        SampleStatus::Sound { tokens, .. }
        | SampleStatus::Silent { tokens, .. }
        | SampleStatus::Mismatch { tokens, .. } => *tokens,
        SampleStatus::Raises { .. } => 0,
    };
    let share = |state: &SampleStatus| match state {
        SampleStatus::Sound { supervised, tokens, .. } => *supervised * 1_000_000 / (*tokens).max(1),
        _ => 0,
    };
    let state = |row: &usize| states.get(*row);
    match order {
        SampleOrder::Data => {}
        SampleOrder::WorstFirst => rows.sort_by_key(|row| Reverse(state(row).map(SampleStatus::kind))),
        SampleOrder::LongestFirst => rows.sort_by_key(|row| Reverse(state(row).map(tokens))),
        SampleOrder::LeastSupervisedFirst => {
            rows.sort_by_key(|row| (state(row).is_none(), state(row).map(share)));
        }
    }
}

impl Component for SamplesScreen {
    fn shows_cause(&self) -> bool {
        true
    }

    fn follow(&mut self, session: &Session) {
        let now = session.samples.ready().map(|samples| (samples.clone(), session.current));
        let same = |(data, at): &(Arc<Vec<Sample>>, usize)| {
            now.as_ref().is_some_and(|(samples, current)| Arc::ptr_eq(data, samples) && at == current)
        };
        if !self.followed.as_ref().is_some_and(same) {
            self.cursor = self.row_of(session.current).unwrap_or(self.cursor);
            self.followed = now;
        }
    }

    fn handle(&mut self, session: &Session, panes: &Panes, action: Action) -> Option<Vec<AppCommand>> {
        let count = session.samples.ready().map_or(0, |s| s.len());
        match action {
            Action::Accept => {
                let sample = self.sample_at(self.cursor, count);
                let open = |sample| vec![AppCommand::Open(Screen::Labels), AppCommand::Sample(sample)];
                return Some(sample.map(open).unwrap_or_default());
            }
            Action::NextView => {
                self.filter = self.filter.next();
                if self.filter == SampleFilter::Found && session.search.is_none() {
                    self.filter = self.filter.next();
                }
                return Some(Vec::new());
            }
            SORT => {
                self.order = self.order.next();
                return Some(Vec::new());
            }
            _ => {}
        }
        self.cursor = step(self.cursor, lines(panes, action)?, self.len(count));
        Some(Vec::new())
    }

    fn click(&mut self, session: &Session, target: Target) -> Vec<AppCommand> {
        let Target::Sample(row) = target else { return Vec::new() };
        let count = session.samples.ready().map_or(0, |s| s.len());
        let Some(sample) = self.sample_at(row, count) else { return Vec::new() };
        let again = std::mem::replace(&mut self.cursor, row) == row;
        let mut commands = vec![AppCommand::Sample(sample)];
        commands.extend(again.then_some(AppCommand::Open(Screen::Labels)));
        commands
    }

    fn find(&mut self, session: &Session, search: &TextSearch, forward: bool) -> Option<Vec<AppCommand>> {
        let samples = session.samples.ready()?;
        let count = self.len(samples.len());
        let is_found = |row: usize| {
            let sample = self.sample_at(row, samples.len()).and_then(|sample| samples.get(sample));
            sample.is_some_and(|sample| holds(sample, search))
        };
        match next_row(count, self.cursor, forward, is_found) {
            Some(row) => self.cursor = row,
            None => return Some(vec![AppCommand::complain(format!("{:?} is in no sample", search.query()))]),
        }
        Some(Vec::new())
    }

    fn settle(&mut self, session: &Session, _panes: &Panes) {
        self.list(session);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_sorted_by_what_is_known_of_them() {
        let sound = |supervised, tokens| SampleStatus::Sound { supervised, truncated: 0, tokens };
        let states = [
            sound(5, 10),
            SampleStatus::Mismatch { cur_len: 1, total_len: 2, tokens: 30 },
            sound(1, 20),
            SampleStatus::Raises { kind: "KeyError".into(), message: String::new() },
            sound(2, 20),
        ];
        let sorted = |order| {
            // One more sample is not labelled yet.
            let mut rows: Vec<usize> = (0..6).collect();
            sort(&mut rows, order, &states);
            rows
        };
        assert_eq!(sorted(SampleOrder::Data), [0, 1, 2, 3, 4, 5]);
        assert_eq!(sorted(SampleOrder::WorstFirst), [3, 1, 0, 2, 4, 5]);
        assert_eq!(sorted(SampleOrder::LongestFirst), [1, 2, 4, 0, 3, 5]);
        assert_eq!(sorted(SampleOrder::LeastSupervisedFirst), [1, 3, 2, 4, 0, 5]);
    }
}
