//! How far a fetch is: the value that callers see, and the reporter that makes it and listens for a cancel.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::error::HubError;

/// The callback is called at most this often while bytes come in.
const REPORT_EVERY: Duration = Duration::from_millis(50);
/// The rate is the mean of this much time.
const RATE_WINDOW: Duration = Duration::from_secs(3);

/// What a fetch is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stage {
    /// Asking which files there are.
    #[default]
    Listing,
    /// Asking for size and hash of each file.
    Checking,
    /// Another program downloads the same file into the cache.
    Waiting,
    /// Bytes are coming in.
    Downloading,
    /// Comparing a whole file with its hash.
    Verifying,
    /// The hub could not be reached (see [`DownloadProgress::note`]): the copy in the cache is used.
    FromCache,
}

/// One report of a fetch.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DownloadProgress {
    pub stage: Stage,
    /// Name of the file at work; empty while listing. From the server: clean it before it is shown.
    pub file: String,
    /// Files done, and files wanted.
    pub files_done: usize,
    pub files: usize,
    /// Bytes of this fetch that are on disk; those of an earlier, broken download count.
    pub bytes: u64,
    /// Bytes that are to be downloaded; `None` when a server does not say.
    pub total: Option<u64>,
    /// Mean over the last seconds.
    pub bytes_per_second: Option<f64>,
    /// Why the cache is used.
    pub note: Option<String>,
}

/// Sends [`DownloadProgress`] to a callback, not too often, and turns its `Break` into [`HubError::Cancelled`].
pub(super) struct Reporter<'a> {
    callback: &'a mut dyn FnMut(DownloadProgress) -> ControlFlow<()>,
    progress: DownloadProgress,
    rate: Rate,
    reported: Option<Instant>,
    /// A cancel stays one: the callback is not asked again.
    cancelled: bool,
}

impl<'a> Reporter<'a> {
    pub(super) fn new(callback: &'a mut dyn FnMut(DownloadProgress) -> ControlFlow<()>) -> Self {
        let progress = DownloadProgress::default();
        Self { callback, progress, rate: Rate::default(), reported: None, cancelled: false }
    }

    /// A new step; always reported.
    pub(super) fn stage(&mut self, stage: Stage, file: &str) -> Result<(), HubError> {
        self.progress.stage = stage;
        self.progress.file = file.to_string();
        self.report()
    }

    pub(super) fn files(&mut self, done: usize, files: usize) {
        self.progress.files_done = done;
        self.progress.files = files;
    }

    pub(super) fn total(&mut self, total: Option<u64>) {
        self.progress.total = total;
    }

    /// The last step of a fetch that the cache answers.
    pub(super) fn served_by_cache(&mut self, note: String) -> Result<(), HubError> {
        self.progress.note = Some(note);
        self.stage(Stage::FromCache, "")
    }

    /// Bytes on disk, of all files; fewer than before when a file must start again.
    pub(super) fn bytes(&mut self, bytes: u64) -> Result<(), HubError> {
        self.progress.bytes = bytes;
        self.progress.bytes_per_second = self.rate.at(Instant::now(), bytes);
        self.check()
    }

    pub(super) fn bytes_so_far(&self) -> u64 {
        self.progress.bytes
    }

    /// Reports if the last report is old; to be called often wherever time passes.
    pub(super) fn check(&mut self) -> Result<(), HubError> {
        if self.reported.is_some_and(|last| last.elapsed() < REPORT_EVERY) && !self.cancelled {
            return Ok(());
        }
        self.report()
    }

    /// Waits, and stays ready for a cancel.
    pub(super) fn wait(&mut self, time: Duration) -> Result<(), HubError> {
        let end = Instant::now() + time;
        while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            self.check()?;
            std::thread::sleep(left.min(REPORT_EVERY));
        }
        self.check()
    }

    fn report(&mut self) -> Result<(), HubError> {
        self.reported = Some(Instant::now());
        self.cancelled = self.cancelled || (self.callback)(self.progress.clone()).is_break();
        if self.cancelled { Err(HubError::Cancelled) } else { Ok(()) }
    }
}

/// Bytes a second over the last [`RATE_WINDOW`].
#[derive(Debug, Default)]
struct Rate {
    seen: VecDeque<(Instant, u64)>,
}

impl Rate {
    /// The rate now that `bytes` are there in all; `None` until two moments are known.
    fn at(&mut self, now: Instant, bytes: u64) -> Option<f64> {
        // A file that starts again takes bytes away: what was measured before means nothing now.
        if self.seen.back().is_some_and(|(_, before)| *before > bytes) {
            self.seen.clear();
        }
        // One moment in each report's time is enough, or a fast link would fill the queue.
        if self.seen.back().is_none_or(|(last, _)| now.duration_since(*last) >= REPORT_EVERY) {
            self.seen.push_back((now, bytes));
        }
        while self.seen.len() > 2
            && self.seen.front().is_some_and(|(t, _)| now.duration_since(*t) > RATE_WINDOW)
        {
            self.seen.pop_front();
        }
        let (start, before) = self.seen.front()?;
        let seconds = now.duration_since(*start).as_secs_f64();
        (seconds > 0.0).then(|| bytes.saturating_sub(*before) as f64 / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let start = Instant::now();
        let mut rate = Rate::default();
        assert_eq!(rate.at(start, 5000), None, "what was there before is not speed");
        let second = |s: u64| start + Duration::from_secs(s);
        assert_eq!(rate.at(second(1), 6000), Some(1000.0));
        for s in 2..=20 {
            rate.at(second(s), 6000);
        }
        assert_eq!(rate.at(second(21), 6000), Some(0.0), "a stalled download shows as one");
        assert_eq!(rate.at(second(22), 100), None, "a file that starts again");
    }

    #[test]
    fn a_cancel_is_final() {
        let mut calls = 0;
        let mut stop = |_| {
            calls += 1;
            ControlFlow::Break(())
        };
        let mut reporter = Reporter::new(&mut stop);
        assert!(matches!(reporter.stage(Stage::Listing, ""), Err(HubError::Cancelled)));
        assert!(matches!(reporter.check(), Err(HubError::Cancelled)));
        assert!(matches!(reporter.wait(Duration::from_secs(60)), Err(HubError::Cancelled)));
        assert_eq!(calls, 1);
    }
}
