//! `maskscope moe`: routing of the samples' tokens, conversion of a dense checkpoint, devices.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use signal_hook::consts::{SIGINT, SIGTERM};

use super::shared::{CommandOutcome, conversations, format, print, report_progress, say, setup};
use crate::cli::{
    BatchArgument, ConversionArguments, ConvertArguments, MoeCommand, NoiseArgument, OutputFormat,
    RouteArguments, RouterInit, SharedOptions,
};
use crate::data::is_same_file;
use crate::error::{Error, Result};
use crate::guard;
use crate::labels::Labelled;
use crate::moe::backbone::{Model, NoiseSource, device_list};
use crate::moe::checkpoint::Checkpoint;
use crate::moe::config::Config;
use crate::moe::convert::convert;
use crate::moe::image::positions_per_image;
use crate::moe::moe_llava::{MoeMode, MoeRequest};
use crate::moe::positions::{ImagePatch, Positions, RowContent};
use crate::moe::route::{BatchMode, RouteOptions, RouteRow, RouteSample, route_each};
use crate::report::{glyph_text, json as json_report, moe_legend, moe_sample_text, token_glyphs};
use crate::scope::positions;
use crate::setup::{
    ConversionRequest, GateInit, LoadStep, ModelRequest, ModelSource, Setup, load_model, token_ids,
    vocab_size,
};
use crate::tokenizer::TokenId;

pub fn run(shared: &SharedOptions, command: &MoeCommand) -> Result<CommandOutcome> {
    match command {
        MoeCommand::Route(arguments) => run_route(shared, arguments),
        MoeCommand::Convert(arguments) => run_convert(shared, arguments),
        MoeCommand::Devices => devices(shared),
    }
}

/// What the positions of the samples are made of: the checkpoint's own token ids, or labelled prompts.
enum Inputs {
    /// With −200 for an image.
    Ids(Vec<Vec<i64>>),
    Labelled(Box<Setup>, Vec<(String, String, Labelled)>),
}

impl Inputs {
    /// The ids of every sample, with −200 for an image.
    fn input_ids(&self) -> impl Iterator<Item = &[i64]> {
        let (bare, labelled) = match self {
            Self::Ids(all) => (all.as_slice(), Default::default()),
            Self::Labelled(_, labelled) => (Default::default(), labelled.as_slice()),
        };
        let labelled = labelled.iter().map(|(_, _, l)| l.input_ids.as_slice());
        bare.iter().map(Vec::as_slice).chain(labelled)
    }

    fn tokenizer_len(&self) -> usize {
        match self {
            Self::Ids(_) => 0,
            Self::Labelled(setup, _) => setup.tokenizer.len(),
        }
    }
}

fn run_route(shared: &SharedOptions, arguments: &RouteArguments) -> Result<CommandOutcome> {
    let form = format(shared, &[OutputFormat::Text, OutputFormat::Json, OutputFormat::Jsonl])?;
    refuse_to_destroy(shared, arguments)?;
    let inputs = inputs(shared, arguments)?;
    let source = source(arguments)?;
    let model = model(shared, arguments, source.clone(), &inputs)?;
    let samples = route_samples(shared, arguments, &inputs, &model, &source);
    let options = RouteOptions {
        batch: match arguments.batch {
            BatchArgument::Single => BatchMode::Single,
            BatchArgument::Padded => BatchMode::Padded,
        },
        noise: match arguments.noise {
            NoiseArgument::None => NoiseSource::Off,
            NoiseArgument::Sampled => NoiseSource::Sampled { seed: arguments.conversion.seed },
        },
        // The text's tables are made from the arrays.
        without_arrays: !arguments.logits && form != OutputFormat::Text,
        dump: arguments.dump.is_some(),
        pad_id: 0,
    };
    let mut progress = Steps::new("routing");
    let all = inputs.input_ids().count();
    let mut watch = |done: usize, (layer, layers): (usize, usize)| {
        progress.show(|| format!("sample {} of {all}, layer {} of {layers}", done + 1, layer + 1));
        true
    };
    let mut rows = Rows { form, source: &source, printed: 0 };
    let dump = route_each(&model, samples, &options, &mut watch, &mut |row| rows.print(&row))?;
    rows.end()?;
    // After the run: a device may also fail in the middle of it.
    if let Some(reason) = model.device().fallback() {
        say(&format!("note: {reason}; the CPU is used"));
    }
    if let (Some(path), Some(dump)) = (&arguments.dump, dump) {
        dump.write(path)?;
    }
    Ok(CommandOutcome::Clean)
}

/// Prints the row of a sample as soon as it is there.
struct Rows<'a> {
    form: OutputFormat,
    source: &'a ModelSource,
    printed: usize,
}

impl Rows<'_> {
    fn print(&mut self, row: &RouteRow) -> Result<()> {
        let first = self.printed == 0;
        self.printed += 1;
        print(|out| match self.form {
            OutputFormat::Json => {
                // An indented array, an element at a time; no string of JSON holds a line break.
                let element = json_report::to_line(row, true)?.replace('\n', "\n  ");
                write!(out, "{}\n  {element}", if first { "[" } else { "," })
            }
            OutputFormat::Jsonl => writeln!(out, "{}", json_report::to_line(row, false)?),
            _ => {
                if first {
                    writeln!(out, "{}", moe_legend(self.source))?;
                }
                moe_sample_text(out, row)
            }
        })
    }

    fn end(&self) -> Result<()> {
        print(|out| match (self.form, self.printed) {
            (OutputFormat::Json, 0) => writeln!(out, "[]"),
            (OutputFormat::Json, _) => writeln!(out, "\n]"),
            (OutputFormat::Text, 0) => writeln!(out, "{}", moe_legend(self.source)),
            _ => Ok(()),
        })
    }
}

/// Refuses a dump in the place of a file that is read: the data, the ids, weights, or any file of a model's folder.
fn refuse_to_destroy(shared: &SharedOptions, arguments: &RouteArguments) -> Result<()> {
    let Some(dump) = arguments.dump.as_deref() else { return Ok(()) };
    let models = arguments.checkpoint.as_ref().map(PathBuf::from);
    let models = models.iter().chain(&arguments.conversion.moe_weights);
    let is_inside = |folder: &PathBuf| {
        let (file, folder) = (dump.canonicalize(), folder.canonicalize());
        file.ok().zip(folder.ok()).is_some_and(|(file, folder)| file.starts_with(folder))
    };
    let read = shared.data.iter().chain(&arguments.ids).chain(models.clone());
    if read.into_iter().any(|input| is_same_file(input, dump)) || models.into_iter().any(is_inside) {
        let dump = dump.display();
        return Err(Error::Usage(format!("--dump {dump}: this file is read; it would be overwritten")));
    }
    Ok(())
}

/// Signals that end a conversion: Ctrl-C, `kill`, a closed terminal.
#[cfg(unix)]
const ENDS: &[i32] = &[SIGINT, SIGTERM, signal_hook::consts::SIGHUP];
#[cfg(not(unix))]
const ENDS: &[i32] = &[SIGINT, SIGTERM];

/// Bytes of a file of token ids.
const MOST_IDS: u64 = 64 << 20;

/// Token ids from `--ids`, or the labelled conversations.
fn inputs(shared: &SharedOptions, arguments: &RouteArguments) -> Result<Inputs> {
    if let Some(path) = &arguments.ids {
        let bytes = guard::read_plain(path, MOST_IDS)?;
        return Ok(Inputs::Ids(serde_json::from_slice(&bytes).map_err(|e| Error::json(path, &e))?));
    }
    let samples = conversations(shared)?;
    let setup = setup(shared)?;
    let mut labelled = Vec::new();
    for sample in &samples {
        let inspection = setup.inspect(sample);
        match (inspection.prompt, inspection.result) {
            (Some(prompt), Ok(result)) => labelled.push((inspection.id, prompt, result)),
            (_, Err(error)) => {
                say(&format!("note: {} left out: {}: {}", sample.id, error.kind, error.message))
            }
            (None, Ok(_)) => {}
        }
    }
    Ok(Inputs::Labelled(Box::new(setup), labelled))
}

/// Where the model comes from; byte-moe where nothing is said.
fn source(arguments: &RouteArguments) -> Result<ModelSource> {
    let given = arguments.checkpoint.as_deref().or(arguments.moe_sample.as_deref());
    let source = given.map_or(Ok(ModelSource::default()), ModelSource::parse)?;
    match (&arguments.moe_sample, &source) {
        (Some(name), ModelSource::Named(_)) => Err(Error::UnknownName {
            kind: "built-in model",
            name: name.clone(),
            known: ModelSource::built_in().iter().map(ModelSource::name).collect(),
        }),
        _ => Ok(source),
    }
}

fn model(
    shared: &SharedOptions,
    arguments: &RouteArguments,
    source: ModelSource,
    inputs: &Inputs,
) -> Result<Model> {
    let request = ModelRequest {
        source,
        layers: arguments.layers.as_deref().map(parse_layers).transpose()?,
        device: shared.device()?,
        vocab_size: vocab_size(inputs.tokenizer_len(), inputs.input_ids().flatten()),
        seed: arguments.conversion.seed,
        conversion: conversion(&arguments.conversion, inputs.input_ids())?,
        within_memory: false,
        hub: shared.request()?.0.hub,
    };
    Ok(load_model(&request, &mut watch())?.0)
}

/// `0..K` or `K`.
fn parse_layers(text: &str) -> Result<usize> {
    let end = text.strip_prefix("0..").unwrap_or(text);
    end.parse().map_err(|_| Error::Usage(format!("--layers {text}: expected 0..K, the first K layers")))
}

fn conversion<'a>(
    arguments: &ConversionArguments,
    input_ids: impl Iterator<Item = &'a [i64]>,
) -> Result<ConversionRequest> {
    Ok(ConversionRequest {
        moe: MoeRequest {
            mode: MoeMode::parse(&arguments.moe_mode, arguments.moe_layers.clone())?,
            num_experts: arguments.num_experts.clone(),
            top_k: arguments.top_k,
            capacity_factor: arguments.capacity_factor,
            eval_capacity_factor: arguments.eval_capacity_factor,
            min_capacity: arguments.min_capacity,
            use_residual: arguments.use_residual,
            ..MoeRequest::default()
        },
        weights: arguments.moe_weights.clone(),
        gates: match arguments.router_init {
            RouterInit::Default => GateInit::Seeded,
            RouterInit::Kmeans => GateInit::Kmeans(input_ids.map(|ids| token_ids(ids).collect()).collect()),
        },
        seed: arguments.seed,
        asked_by: arguments.given(),
    })
}

/// Reports on stderr how far the loading of a model is.
fn watch() -> impl FnMut(LoadStep) -> ControlFlow<()> {
    let mut clusters = Steps::new("k-means of what each gate sees");
    move |step| match step {
        LoadStep::Download(progress) => report_progress(progress),
        LoadStep::Clusters { layer, layers } => {
            clusters.show(|| format!("layer {} of {layers}", layer + 1));
            ControlFlow::Continue(())
        }
        LoadStep::Layer { .. } => ControlFlow::Continue(()),
    }
}

/// The samples as inputs of the model, each made when its turn comes. A prompt that is too long for the byte model is
/// left out, and a note says so.
fn route_samples<'a>(
    shared: &SharedOptions,
    arguments: &RouteArguments,
    inputs: &'a Inputs,
    model: &'a Model,
    source: &'a ModelSource,
) -> Box<dyn Iterator<Item = Result<RouteSample>> + 'a> {
    let seed = arguments.conversion.seed;
    let per_image = positions_per_image(shared.image_tokens, model.config());
    match inputs {
        Inputs::Ids(all) => Box::new(all.iter().enumerate().map(move |(n, ids)| {
            let positions = Positions::of_tokens(ids, &[], per_image, None)?;
            let name = |content: &RowContent| content_name(content, &|id| id.to_string());
            Ok(RouteSample::new(json!(n.to_string()), &positions, &name, model, seed)?)
        })),
        Inputs::Labelled(setup, all) => Box::new(all.iter().filter_map(move |(id, prompt, labelled)| {
            let token_name = |id: TokenId| token_glyphs(&setup.tokenizer, i64::from(id));
            let positions = match positions(setup, source, (prompt, labelled), per_image) {
                Ok(positions) => positions,
                Err(error) if source.reads_bytes() => {
                    say(&format!("note: {id} left out: {error}"));
                    return None;
                }
                Err(error) => return Some(Err(error)),
            };
            let name = |content: &RowContent| content_name(content, &token_name);
            Some(RouteSample::new(json!(id), &positions, &name, model, seed).map_err(Error::from))
        })),
    }
}

/// A position as the JSON names it.
fn content_name(content: &RowContent, token_name: &dyn Fn(TokenId) -> String) -> String {
    match content {
        RowContent::Byte(byte) => glyph_text(&[*byte]),
        RowContent::Token(id) => token_name(*id),
        RowContent::Patch(ImagePatch { image, row, column, .. }) => format!("⟦image {image} {row},{column}⟧"),
    }
}

fn run_convert(shared: &SharedOptions, arguments: &ConvertArguments) -> Result<CommandOutcome> {
    let labelled: Vec<Labelled> = if arguments.conversion.router_init == RouterInit::Kmeans {
        let setup = setup(shared)?;
        conversations(shared)?.iter().filter_map(|sample| setup.inspect(sample).result.ok()).collect()
    } else {
        Vec::new()
    };
    let folder = &arguments.checkpoint;
    let (config, checkpoint) = (Config::open(folder)?, Checkpoint::open(folder)?);
    let request = conversion(&arguments.conversion, labelled.iter().map(|l| l.input_ids.as_slice()))?;
    let conversion = request.for_model(&config, &checkpoint, &mut watch())?;
    // Ctrl-C, a closed terminal and `kill` end the writing between two pieces, and what was written is removed.
    let stopped = Arc::new(AtomicBool::new(false));
    for signal in ENDS {
        signal_hook::flag::register(*signal, stopped.clone()).map_err(|e| Error::io("the signals", e))?;
    }
    let mut report = Steps::new("writing");
    let mut watch = |done: usize, all: usize| {
        report.show(|| format!("{} of {} MiB", done >> 20, all >> 20));
        !stopped.load(Ordering::Relaxed)
    };
    let written = convert(&arguments.checkpoint, &conversion, &arguments.out, &mut watch)?;
    for left in &written.leftovers {
        let left = left.display();
        say(&format!(
            "note: {left} was left by a run that was killed (unless one is writing it now): delete it"
        ));
    }
    for refused in &written.refused {
        let refused = refused.display();
        say(&format!("note: {refused} leads out of the folder or is no regular file: it is not copied"));
    }
    if written.outside > 0 {
        let outside = written.outside;
        say(&format!(
            "note: {outside} tensors lie outside language_model. (a vision tower, a projector): they are left out"
        ));
    }
    let files = written.files.len();
    say(&format!("wrote {} tensors in {files} files to {}", written.tensors, written.folder.display()));
    Ok(CommandOutcome::Clean)
}

/// Progress of long work on stderr: a line at most every two seconds.
struct Steps {
    what: &'static str,
    last: Instant,
}

impl Steps {
    fn new(what: &'static str) -> Self {
        Self { what, last: Instant::now() }
    }

    fn show(&mut self, text: impl FnOnce() -> String) {
        if self.last.elapsed() >= Duration::from_secs(2) {
            self.last = Instant::now();
            say(&format!("{}: {}", self.what, text()));
        }
    }
}

fn devices(shared: &SharedOptions) -> Result<CommandOutcome> {
    let form = format(shared, &[OutputFormat::Text, OutputFormat::Json, OutputFormat::Jsonl])?;
    let devices = device_list();
    print(|out| {
        if form != OutputFormat::Text {
            return writeln!(out, "{}", json_report::to_line(&devices, form == OutputFormat::Json)?);
        }
        devices.iter().try_for_each(|d| {
            let state = d.problem.as_deref().or(d.hardware.as_deref()).unwrap_or("ready");
            writeln!(
                out,
                "{:<8} {:<9} {}",
                d.name,
                if d.compiled_in { "built in" } else { "not built" },
                state
            )
        })
    })?;
    Ok(CommandOutcome::Clean)
}
