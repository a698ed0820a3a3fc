//! `maskscope scan`: a whole data set, streamed, with the causes counted; `scan merge` puts reports of shards together.

use std::fs::File;
use std::io::{BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{Outcome, format, print, say, setup};
use crate::cli::{Format, ScanArguments, ScanCommand, SharedOptions};
use crate::data::{Record, Records, sources};
use crate::error::{Error, Result};
use crate::report::{json, scan_lines};
use crate::samples;
use crate::scan::{Batch, Report, Scanner, State};

/// Records that are worked on at once: enough for all cores, little enough to keep memory flat.
const BATCH: usize = 2048;

/// Time between two lines of progress.
const PROGRESS: Duration = Duration::from_millis(500);

pub fn run(shared: &SharedOptions, arguments: &ScanArguments) -> Result<Outcome> {
    let form = format(shared, &[Format::Text, Format::Json, Format::Jsonl])?;
    if let Some(ScanCommand::Merge { reports }) = &arguments.command {
        return show(&merge(reports)?, form);
    }
    let (shard, shards) = arguments.shard()?;
    let paths: Vec<PathBuf> = arguments.files.iter().chain(&shared.data).cloned().collect();
    let setup = Arc::new(setup(shared)?);
    let scanner = Scanner::new(setup, arguments.source_key.clone(), shared.layout);
    let mut outputs = Outputs::open(arguments)?;
    let mut whole = scanner.empty();
    let stopped = Arc::new(AtomicBool::new(false));
    // Ctrl-C ends the reading; the report of what was read is printed all the same.
    signal_hook::flag::register(signal_hook::consts::SIGINT, stopped.clone())
        .map_err(|e| Error::io("the signals", e))?;
    let mut progress = Progress::new();
    let mut batch: Vec<Record> = Vec::with_capacity(BATCH);
    let mut number: u64 = 0;
    let mut work = |batch: &mut Vec<Record>, whole: &mut Report, outputs: &mut Outputs| -> Result<()> {
        let done = scanner.scan(batch)?;
        outputs.write(batch, &done)?;
        whole.merge(done.report)?;
        batch.clear();
        progress.show(whole);
        Ok(())
    };
    let streams: Vec<Result<Records>> = match paths.as_slice() {
        [] => vec![Ok(samples::records(samples::CONVERSATIONS))],
        paths => sources(paths)?.iter().map(Records::open).collect(),
    };
    'files: for records in streams {
        for record in records? {
            let record = record?;
            number += 1;
            if (number - 1) % shards != shard - 1 {
                continue;
            }
            batch.push(record);
            if batch.len() >= BATCH {
                work(&mut batch, &mut whole, &mut outputs)?;
            }
            if stopped.load(Ordering::Relaxed) {
                break 'files;
            }
        }
    }
    work(&mut batch, &mut whole, &mut outputs)?;
    progress.end();
    outputs.finish()?;
    if stopped.load(Ordering::Relaxed) {
        say(&format!("note: stopped after {} samples; the report is of these", whole.samples));
    }
    show(&whole, form)
}

fn show(report: &Report, form: Format) -> Result<Outcome> {
    print(|out| match form {
        Format::Text => scan_lines(report).iter().try_for_each(|line| writeln!(out, "{line}")),
        form => writeln!(out, "{}", json::to_line(report, form == Format::Json)?),
    })?;
    Ok(if report.lost_samples() + report.bad_records > 0 { Outcome::Found } else { Outcome::Clean })
}

fn merge(paths: &[PathBuf]) -> Result<Report> {
    let mut whole: Option<Report> = None;
    for path in paths {
        let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
        let report: Report = serde_json::from_slice(&bytes).map_err(|e| Error::json(path, &e))?;
        match &mut whole {
            Some(whole) => whole.merge(report)?,
            None => whole = Some(report),
        }
    }
    whole.ok_or_else(|| {
        Error::Usage("scan merge needs reports, as scan --format json writes them".to_string())
    })
}

/// The files that records and ids are sorted into.
struct Outputs {
    bad_ids: Option<Output>,
    good: Option<Output>,
    bad: Option<Output>,
}

struct Output {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Output {
    fn open(path: &Option<PathBuf>) -> Result<Option<Self>> {
        let Some(path) = path else { return Ok(None) };
        let file = File::create(path).map_err(|e| Error::io(path, e))?;
        Ok(Some(Self { path: path.clone(), file: BufWriter::new(file) }))
    }

    fn line(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.file.write_all(bytes).and_then(|()| self.file.write_all(b"\n"));
        written.map_err(|e| Error::io(&self.path, e))
    }
}

impl Outputs {
    fn open(arguments: &ScanArguments) -> Result<Self> {
        Ok(Self {
            bad_ids: Output::open(&arguments.bad_ids)?,
            good: Output::open(&arguments.write_good)?,
            bad: Output::open(&arguments.write_bad)?,
        })
    }

    fn write(&mut self, records: &[Record], batch: &Batch) -> Result<()> {
        for (record, judged) in records.iter().zip(&batch.judged) {
            let sound = judged.state == Some(State::Sound);
            if let (Some(output), Some(id), false) = (&mut self.bad_ids, &judged.id, sound) {
                // An id with a line break in it would be two lines.
                output.line(id.replace(['\n', '\r'], " ").as_bytes())?;
            }
            let target = if sound { &mut self.good } else { &mut self.bad };
            if let Some(output) = target {
                // JSON has line breaks between its parts only, where a blank says the same.
                let line: Vec<u8> =
                    record.bytes.iter().map(|b| if matches!(b, b'\n' | b'\r') { b' ' } else { *b }).collect();
                output.line(&line)?;
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<()> {
        for mut output in [self.bad_ids, self.good, self.bad].into_iter().flatten() {
            output.file.flush().map_err(|e| Error::io(&output.path, e))?;
        }
        Ok(())
    }
}

/// A line on stderr that is written over; nothing where stderr is no terminal.
struct Progress {
    begun: Instant,
    shown: Option<Instant>,
    visible: bool,
}

impl Progress {
    fn new() -> Self {
        Self { begun: Instant::now(), shown: None, visible: std::io::stderr().is_terminal() }
    }

    fn show(&mut self, report: &Report) {
        if !self.visible || self.shown.is_some_and(|shown| shown.elapsed() < PROGRESS) {
            return;
        }
        self.shown = Some(Instant::now());
        let rate = report.samples.saturating_mul(1000)
            / u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
        let states: Vec<String> =
            report.by_state.iter().map(|(state, count)| format!("{state} {count}")).collect();
        // A terminal that is gone is no reason to end the scan.
        let _ = write!(
            std::io::stderr(),
            "\r{} samples · {rate} a second · {}  ",
            report.samples,
            states.join(" · ")
        );
    }

    fn end(&self) {
        if self.shown.is_some() {
            let _ = writeln!(std::io::stderr());
        }
    }
}
