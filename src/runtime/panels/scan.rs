//! The work of screen Scan: the file in batches, with the report after each.

use std::time::Instant;

use crate::app::DataSource;
use crate::app::panels::scan::{Outcome, Work};
use crate::data::{Record, Records, Source};
use crate::error::Result;
use crate::samples;
use crate::scan::{Report, Scanner};

/// Records between two reports and two looks at whether the job is still wanted.
const BATCH: usize = 512;

/// Does the work; `emit` takes each outcome, `cancelled` says that nobody waits any more.
pub fn perform(work: Work, cancelled: &dyn Fn() -> bool, emit: &mut dyn FnMut(Outcome)) {
    if let Err(error) = scan(work, cancelled, emit) {
        emit(Outcome::Failed(error.to_string()));
    }
}

fn scan(work: Work, cancelled: &dyn Fn() -> bool, emit: &mut dyn FnMut(Outcome)) -> Result<()> {
    let records = match work.source {
        DataSource::File(path) => Records::open(&Source::File(path))?,
        DataSource::Embedded => samples::records(samples::CONVERSATIONS),
        DataSource::EmbeddedMessages => samples::records(samples::MESSAGES),
    };
    let scanner = Scanner::new(work.setup, None, None);
    let mut whole = scanner.empty();
    let begun = Instant::now();
    let rate = |report: &Report| {
        let elapsed = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
        report.samples.saturating_mul(1000) / elapsed
    };
    let mut batch: Vec<Record> = Vec::with_capacity(BATCH);
    for record in records {
        batch.push(record?);
        if batch.len() >= BATCH {
            if cancelled() {
                return Ok(());
            }
            whole.merge(scanner.scan(&batch)?.report)?;
            batch.clear();
            emit(Outcome::Counted { report: Box::new(whole.clone()), rate: rate(&whole), done: false });
        }
    }
    whole.merge(scanner.scan(&batch)?.report)?;
    emit(Outcome::Counted { report: Box::new(whole.clone()), rate: rate(&whole), done: true });
    Ok(())
}
