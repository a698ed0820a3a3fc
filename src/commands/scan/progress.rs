//! How far a scan is: a line on stderr that is written over; nothing where stderr is no terminal.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::data::ByteCounter;
use crate::report::{Throughput, pace_text};
use crate::scan::ScanReport;
use crate::text;

/// Time between two lines.
const EVERY: Duration = Duration::from_millis(500);

/// Longest line: it must not wrap.
const WIDE: usize = 110;

pub struct ScanProgress {
    begun: Instant,
    shown: Option<Instant>,
    visible: bool,
    meter: ByteCounter,
    /// Bytes of all sources, where they are known.
    total: Option<u64>,
    /// Samples that an earlier run counted.
    before: u64,
}

impl ScanProgress {
    pub fn new(meter: ByteCounter, total: Option<u64>, before: u64) -> Self {
        let visible = std::io::stderr().is_terminal();
        Self { begun: Instant::now(), shown: None, visible, meter, total, before }
    }

    /// Shows the state, at most twice a second.
    pub fn show(&mut self, report: &ScanReport) {
        if !self.visible || self.shown.is_some_and(|shown| shown.elapsed() < EVERY) {
            return;
        }
        self.shown = Some(Instant::now());
        let throughput = Throughput {
            samples: report.samples,
            before: self.before,
            elapsed: self.begun.elapsed(),
            read: self.meter.read(),
            total: self.total,
        };
        let mut parts = vec![pace_text(&throughput)];
        parts.extend(report.by_state.iter().map(|(state, count)| format!("{state} {count}")));
        parts.extend(report.causes().into_iter().map(|(id, cause)| format!("{id} {}", cause.samples)));
        let mut line = parts.join(" · ");
        if let Some((at, _)) = line.char_indices().nth(WIDE) {
            line.truncate(at);
        }
        // A terminal that is gone is no reason to end the scan.
        let _ = write!(std::io::stderr(), "\r{}\u{1b}[K", text::plain(&line));
    }

    pub fn end(&self) {
        if self.shown.is_some() {
            let _ = writeln!(std::io::stderr());
        }
    }
}
