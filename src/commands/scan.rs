//! `maskscope scan`: a whole data set, streamed, with the causes counted; `scan merge` puts reports of shards together.

mod input;
mod outputs;
mod progress;
mod reading;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::shared::{CommandOutcome, format, is_broken_pipe, print, say, say_unread, setup_for_data};
use crate::chat::FileShape;
use crate::chat::layout::Layout;
use crate::cli::{OutputFormat, ScanArguments, ScanCommand, SharedOptions};
use crate::data::{ByteCounter, RecordSource, is_same_file, sources};
use crate::error::{Error, Result};
use crate::guard;
use crate::labelling::{Labelling, RepositoryLabelling};
use crate::report::{example_mask, json, scan_lines, scan_page};
use crate::scan::{SCHEMA_VERSION, ScanBatch, ScanCheckpoint, ScanPosition, ScanReport, Scanner};
use crate::setup::Setup;
use input::Input;
use outputs::Outputs;
use progress::ScanProgress;
use reading::{Filled, ScanReading, Wanted};

pub fn run(shared: &SharedOptions, arguments: &ScanArguments) -> Result<CommandOutcome> {
    let form =
        format(shared, &[OutputFormat::Text, OutputFormat::Json, OutputFormat::Jsonl, OutputFormat::Html])?;
    if let Some(ScanCommand::Merge { reports }) = &arguments.command {
        return show(&merge(reports)?, form);
    }
    let mut paths: Vec<PathBuf> = arguments.files.iter().chain(&shared.data).cloned().collect();
    if arguments.stdin {
        paths.push(PathBuf::from("-"));
    }
    say_unread(&paths);
    let inputs: Vec<Input> = match paths.as_slice() {
        [] => {
            say(
                "note: no file is named, so these are the conversations in the binary; `maskscope scan FILE …` reads yours",
            );
            vec![Input::Embedded]
        }
        paths => sources(paths)?.into_iter().map(Input::Source).collect(),
    };
    let setup = Arc::new(setup_for_data(shared, paths.first().map(PathBuf::as_path))?);
    let stopped = Arc::new(AtomicBool::new(false));
    // Ctrl-C ends the reading; the report of what was read is printed all the same. A second one does not wait for a
    // pipe that gives nothing.
    let interrupt = signal_hook::consts::SIGINT;
    signal_hook::flag::register_conditional_shutdown(interrupt, 2, stopped.clone())
        .and_then(|_| signal_hook::flag::register(interrupt, stopped.clone()))
        .map_err(|e| Error::io("the signals", e))?;
    let mut scan = Scan::begin(setup, arguments, shared.layout, &inputs)?;
    scan.read(&inputs, &stopped)?;
    let stopped = stopped.load(Ordering::Relaxed);
    if scan.position.number == 0 && !stopped {
        let names: Vec<String> = inputs.iter().map(Input::name).collect();
        return Err(Error::Usage(format!(
            "there is no record in {}: name files with conversations, a folder, or a pattern such as 'data/*.jsonl'",
            names.join(", ")
        )));
    }
    let whole = scan.end(stopped)?;
    let found = show(&whole, form)?;
    if stopped {
        // A report of a part must not pass for that of the whole.
        return Err(Error::Usage(format!("stopped after {} samples; the report is of these", whole.samples)));
    }
    Ok(found)
}

fn show(report: &ScanReport, form: OutputFormat) -> Result<CommandOutcome> {
    let printed = print(|out| match form {
        OutputFormat::Text => scan_lines(report).iter().try_for_each(|line| writeln!(out, "{line}")),
        OutputFormat::Html => write!(out, "{}", scan_page(report)),
        form => writeln!(out, "{}", json::to_line(report, form == OutputFormat::Json)?),
    });
    match printed {
        // Whoever stopped reading gets the exit status all the same: it tells of lost samples.
        Err(error) if is_broken_pipe(&error) => {}
        printed => printed?,
    }
    Ok(if report.lost_samples() + report.bad_records > 0 {
        CommandOutcome::Found
    } else {
        CommandOutcome::Clean
    })
}

/// Bytes of a report of a part.
const MOST_REPORT: u64 = 256 << 20;

fn merge(paths: &[PathBuf]) -> Result<ScanReport> {
    let mut whole: Option<ScanReport> = None;
    let mut known: Vec<(&PathBuf, ScanReport)> = Vec::new();
    for path in paths {
        let bytes = guard::read_plain(path, MOST_REPORT)?;
        let report: ScanReport = serde_json::from_slice(&bytes).map_err(|e| Error::json(path, &e))?;
        if let Some((other, _)) = known.iter().find(|(_, other)| *other == report) {
            let (name, other_name) = (path.display(), other.display());
            if is_same_file(other, path) {
                return Err(Error::Usage(format!("{name} is {other_name} again: a part counts once")));
            }
            // Two parts may be alike by chance, small ones above all.
            say(&format!(
                "note: {name} and {other_name} are equal; if they are one part, it now counts twice"
            ));
        }
        if report.schema_version != SCHEMA_VERSION {
            let (path, found) = (path.display(), report.schema_version);
            return Err(Error::Usage(format!(
                "{path}: a report of schema {found}, this program reads {SCHEMA_VERSION}"
            )));
        }
        known.push((path, report.clone()));
        match &mut whole {
            Some(whole) => whole.merge(report)?,
            None => whole = Some(report),
        }
    }
    let mut whole = whole.ok_or_else(|| {
        Error::Usage("scan merge needs reports, as scan --format json writes them".to_string())
    })?;
    whole.settle();
    Ok(whole)
}

/// A scan under way.
struct Scan {
    scanner: Scanner,
    whole: ScanReport,
    outputs: Outputs,
    progress: ScanProgress,
    meter: ByteCounter,
    wanted: Wanted,
    /// Behind the last record that was counted.
    position: ScanPosition,
    keeper: Option<Keeper>,
    /// Samples of each input that are JSON only without commas before closing brackets.
    with_trailing_commas: BTreeMap<String, usize>,
    /// What was seen of the inputs that were read to their end, by name.
    shapes: Vec<(String, FileShape)>,
}

/// Writes the state every few seconds.
struct Keeper {
    path: PathBuf,
    asked: BTreeMap<String, String>,
    every: Duration,
    last: Instant,
    /// The state file that is there, locked.
    lock: Option<File>,
}

impl Scan {
    /// Opens the outputs, and takes up the state of an earlier run where that is asked for.
    fn begin(
        setup: Arc<Setup>,
        arguments: &ScanArguments,
        layout: Option<Layout>,
        inputs: &[Input],
    ) -> Result<Self> {
        let shard = arguments.shard()?;
        let asked = asked(&setup, arguments, layout, inputs);
        let path = arguments.state_file()?;
        refuse_clashes(arguments, path.as_deref(), inputs)?;
        let earlier = match &path {
            Some(path) if arguments.resume => ScanCheckpoint::load(path, &asked)?,
            _ => None,
        };
        let lock = path.as_deref().map(ScanCheckpoint::lock).transpose()?.flatten();
        let outputs = Outputs::open(arguments, earlier.as_ref().map(|e| &e.outputs))?;
        let is_own_function = setup.repository().is_some();
        let mut scanner =
            Scanner::new(setup, arguments.source_key.clone(), layout).with_mode(arguments.mode()?);
        if is_own_function && !inputs.iter().all(Input::can_be_read_again) && scanner.slow_because().is_none()
        {
            scanner = scanner.without_fast_path(
                "the data cannot be read a second time, which is needed where a repository's function turns out to be another than \
                 the rule it is taken for",
            );
        }
        if let (Some(reason), false) = (scanner.slow_because(), arguments.reference) {
            say(&format!("note: every sample is labelled in full, which takes longer: {reason}"));
        }
        if let Some(earlier) = &earlier {
            say(&format!("note: going on behind record {}", earlier.position.number));
        }
        let scanner = if earlier.is_some() { scanner.goes_on() } else { scanner };
        let (position, whole) = match earlier {
            Some(earlier) => (earlier.position, earlier.report),
            None => (ScanPosition::default(), scanner.empty()),
        };
        let every = Duration::try_from_secs_f64(arguments.state_every).unwrap_or(Duration::MAX);
        let keeper = path.map(|path| Keeper { path, asked, every, last: Instant::now(), lock });
        let meter = ByteCounter::default();
        let total = inputs.iter().map(Input::size).sum();
        let progress = ScanProgress::new(meter.clone(), total, whole.samples);
        Ok(Self {
            scanner,
            whole,
            outputs,
            progress,
            meter,
            wanted: Wanted { shard, by_line: arguments.jsonl, most: arguments.batch.max(1) },
            position,
            keeper,
            with_trailing_commas: BTreeMap::new(),
            shapes: Vec::new(),
        })
    }

    /// Reads and counts everything that was not read yet, until `stopped`: a batch while the next one is read.
    ///
    /// A repository's function that turns out to be another than the rule it was taken for begins the scan anew, in full.
    fn read(&mut self, inputs: &[Input], stopped: &AtomicBool) -> Result<()> {
        while !self.read_on(inputs, stopped)? {
            let reason = self.scanner.slow_because().unwrap_or_default();
            say(&format!("note: begun anew, with every sample labelled in full: {reason}"));
            self.whole = self.scanner.empty();
            self.position = ScanPosition::default();
            self.with_trailing_commas.clear();
            self.outputs.empty()?;
            self.meter.reset();
        }
        Ok(())
    }

    /// False where all has to be read once more.
    fn read_on(&mut self, inputs: &[Input], stopped: &AtomicBool) -> Result<bool> {
        let mut reading = ScanReading::new(inputs, self.meter.clone(), self.wanted, self.position, stopped);
        let mut now = reading.fill()?;
        loop {
            let scanner = &self.scanner;
            let (done, next) = rayon::join(
                || scanner.scan(&now.records),
                || if now.last { Ok(Filled::default()) } else { reading.fill() },
            );
            let done = done?;
            if done.begin_again {
                return Ok(false);
            }
            self.count(&now, done)?;
            if now.last {
                break;
            }
            now = next?;
        }
        self.shapes = reading.into_shapes();
        Ok(true)
    }

    /// Takes in what was found of a batch; keeps the state where it is time.
    fn count(&mut self, filled: &Filled, done: ScanBatch) -> Result<()> {
        self.outputs.write(&filled.records, &done)?;
        self.whole.merge(done.report)?;
        for (name, count) in done.with_trailing_commas {
            *self.with_trailing_commas.entry(name).or_default() += count;
        }
        self.position = filled.position;
        self.progress.show(&self.whole);
        match &self.keeper {
            Some(keeper) if keeper.last.elapsed() >= keeper.every => self.keep(),
            _ => Ok(()),
        }
    }

    fn keep(&mut self) -> Result<()> {
        let Some(keeper) = &mut self.keeper else { return Ok(()) };
        let state = ScanCheckpoint {
            mark: String::new(),
            schema_version: SCHEMA_VERSION,
            asked: keeper.asked.clone(),
            position: self.position,
            outputs: self.outputs.sync()?,
            report: self.whole.clone(),
        };
        if keeper.lock.is_none() {
            // Another scan may have begun to keep its state there.
            keeper.lock = ScanCheckpoint::lock(&keeper.path)?;
        }
        keeper.lock = Some(state.save(&keeper.path)?);
        keeper.last = Instant::now();
        Ok(())
    }

    /// Completes outputs and report. The state stays only where the scan was stopped.
    fn end(mut self, stopped: bool) -> Result<ScanReport> {
        self.progress.end();
        for (name, shape) in &mut self.shapes {
            shape.with_trailing_commas = self.with_trailing_commas.get(name).copied().unwrap_or(0);
            shape.notes(name).iter().for_each(|note| say(&format!("note: {note}")));
        }
        if stopped {
            self.keep()?;
        }
        self.outputs.sync()?;
        self.scanner.finish(&mut self.whole, &example_mask);
        if let (Some(keeper), false) = (&self.keeper, stopped)
            && keeper.lock.is_some()
        {
            match std::fs::remove_file(&keeper.path) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::write(&keeper.path, e));
                }
                _ => {}
            }
        }
        Ok(self.whole)
    }
}

/// Opening an output empties it: none may be a file that is read, nor two of them one file.
fn refuse_clashes(arguments: &ScanArguments, state: Option<&Path>, inputs: &[Input]) -> Result<()> {
    let outputs: Vec<(&str, &Path)> = [
        ("--bad-ids", arguments.bad_ids.as_deref()),
        ("--write-good", arguments.write_good.as_deref()),
        ("--write-bad", arguments.write_bad.as_deref()),
        ("--state", state),
    ]
    .into_iter()
    .filter_map(|(name, path)| Some((name, path?)))
    .collect();
    for (n, (name, path)) in outputs.iter().enumerate() {
        let clash = |what: &str| Err(Error::Usage(format!("{name} {}: this is {what}", path.display())));
        let is_input = |input: &Input| match input {
            Input::Source(RecordSource::File(file)) => is_same_file(file, path),
            _ => false,
        };
        if inputs.iter().any(is_input) {
            return clash("a file that is scanned; it would be overwritten");
        }
        if let Some((other, _)) = outputs.iter().take(n).find(|(_, other)| is_same_file(other, path)) {
            return clash(&format!("the file of {other} too"));
        }
    }
    Ok(())
}

/// What decides the report and the outputs, in words.
fn asked(
    setup: &Setup,
    arguments: &ScanArguments,
    layout: Option<Layout>,
    inputs: &[Input],
) -> BTreeMap<String, String> {
    let file = |input: &Input| match input.size() {
        Some(size) => format!("{} ({size} bytes)", input.name()),
        None => input.name(),
    };
    let files: Vec<String> = inputs.iter().map(file).collect();
    let path = |path: &Option<PathBuf>| path.as_ref().map_or(String::new(), |p| p.display().to_string());
    let tokenizer = &setup.tokenizer;
    let [template, rule, options] = match &setup.labelling {
        Labelling::Llava(llava) => {
            [format!("{:?}", llava.template), format!("{:?}", llava.rule), format!("{:?}", llava.options)]
        }
        Labelling::Chat(method) => {
            [setup.template_name().to_string(), setup.rule_name().to_string(), format!("{method:?}")]
        }
        Labelling::Repository(RepositoryLabelling { function, .. }) => {
            let root = function.checkout().root().display();
            let rule = format!("{root} {} {}", setup.rule_name(), function.fingerprint());
            [setup.template_name().to_string(), rule, format!("{:?}", function.options())]
        }
    };
    [
        ("tokenizer", format!("{} {:?}", tokenizer.name, tokenizer.facts)),
        ("overrides", format!("{:?}", setup.overrides)),
        ("template", template),
        ("rule", rule),
        ("options", options),
        ("--layout", format!("{layout:?}")),
        ("files", files.join(", ")),
        ("--jsonl", arguments.jsonl.to_string()),
        ("--shard", arguments.shard.clone().unwrap_or_default()),
        ("--source-key", arguments.source_key.clone().unwrap_or_default()),
        ("--bad-ids", path(&arguments.bad_ids)),
        ("--write-good", path(&arguments.write_good)),
        ("--write-bad", path(&arguments.write_bad)),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_string(), value))
    .collect()
}
