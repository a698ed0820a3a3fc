//! The work of screen Scan: the file in batches, with the report after each.

use std::time::Instant;

use crate::app::DataSource;
use crate::app::panels::scan::{Outcome, Work};
use crate::data::{ByteCounter, Record, Records, Source, sources};
use crate::error::{Error, Result, with_causes};
use crate::report::{Throughput, example_mask};
use crate::samples;
use crate::scan::{Report, Scanner};

/// Records between two reports and two looks at whether the job is still wanted.
const BATCH: usize = 512;

/// Does the work; `emit` takes each outcome, `cancelled` says that nobody waits any more.
pub fn perform(work: Work, cancelled: &dyn Fn() -> bool, emit: &mut dyn FnMut(Outcome)) {
    if let Err(error) = scan(work, cancelled, emit) {
        emit(Outcome::Failed(with_causes(&error)));
    }
}

fn scan(work: Work, cancelled: &dyn Fn() -> bool, emit: &mut dyn FnMut(Outcome)) -> Result<()> {
    let meter = ByteCounter::default();
    let (records, total): (Vec<Records>, _) = match work.source {
        DataSource::File(path) if path.as_os_str() == "-" => {
            let text = "standard input was read already and cannot be read again; maskscope scan - scans it";
            return Err(Error::Usage(text.to_string()));
        }
        DataSource::File(path) => {
            let sources = sources(&[path])?;
            let total = sources.iter().map(Source::size).sum();
            (sources.iter().map(|source| Records::counted(source, &meter)).collect::<Result<_>>()?, total)
        }
        DataSource::Embedded => (vec![samples::records(samples::CONVERSATIONS)], None),
        DataSource::EmbeddedMessages => (vec![samples::records(samples::MESSAGES)], None),
    };
    let scanner = Scanner::new(work.setup, None, None);
    let mut whole = scanner.empty();
    let begun = Instant::now();
    let counted = |report: &Report, done: bool| {
        let (read, elapsed) = (meter.read(), begun.elapsed());
        let throughput = Throughput { samples: report.samples, before: 0, elapsed, read, total };
        Outcome::Counted { report: Box::new(report.clone()), throughput, done }
    };
    let mut batch: Vec<Record> = Vec::with_capacity(BATCH);
    for record in records.into_iter().flatten() {
        batch.push(record?);
        if batch.len() >= BATCH {
            if cancelled() {
                return Ok(());
            }
            whole.merge(scanner.scan(&batch)?.report)?;
            batch.clear();
            emit(counted(&whole, false));
        }
    }
    whole.merge(scanner.scan(&batch)?.report)?;
    emit(counted(&whole, false));
    if !cancelled() {
        scanner.finish(&mut whole, &example_mask);
        emit(counted(&whole, true));
    }
    Ok(())
}
