//! `maskscope moe`: routing of the samples' tokens, conversion of a dense checkpoint, devices.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Outcome, conversations, format, print, report_progress, say, setup};
use crate::cli::{
    BatchArgument, ConversionArguments, ConvertArguments, Format, MoeCommand, NoiseArgument, RouteArguments,
    RouterInit, SharedOptions,
};
use crate::data::is_same_file;
use crate::error::{Error, Result};
use crate::labels::{IGNORE_INDEX, Labelled};
use crate::moe::backbone::{Conversion, InputRow, LoadOptions, Model, NoiseSource, device_list, is_dense};
use crate::moe::checkpoint::Checkpoint;
use crate::moe::config::Config;
use crate::moe::convert::convert;
use crate::moe::image::{ImageOptions, Origin, expand, rows_per_image};
use crate::moe::kmeans::kmeans_gates;
use crate::moe::moe_llava::{MoeConfig, MoeMode, MoeRequest};
use crate::moe::route::{BatchMode, RouteOptions, RouteSample, route};
use crate::moe::sample;
use crate::report::{json as json_report, moe_legend, moe_sample_text, token_glyphs};
use crate::setup::{ModelSource, Setup};
use crate::tokenizer::TokenId;

pub fn run(shared: &SharedOptions, command: &MoeCommand) -> Result<Outcome> {
    match command {
        MoeCommand::Route(arguments) => run_route(shared, arguments),
        MoeCommand::Convert(arguments) => run_convert(shared, arguments),
        MoeCommand::Devices => devices(shared),
    }
}

/// What the samples' rows are made of: the checkpoint's own token ids, or the bytes of the prompts.
enum Inputs {
    /// With −200 for an image.
    Ids(Vec<Vec<i64>>),
    Labelled(Box<Setup>, Vec<(String, String, Labelled)>),
}

impl Inputs {
    /// The token ids of every sample, without image placeholders.
    fn token_ids(&self) -> Vec<Vec<TokenId>> {
        match self {
            Self::Ids(all) => all.iter().map(|ids| text_ids(ids)).collect(),
            Self::Labelled(_, labelled) => labelled.iter().map(|(_, _, l)| text_ids(&l.input_ids)).collect(),
        }
    }

    /// Embeddings that a seeded model needs: the tokenizer's, and those of all ids (a vocabulary may have holes).
    fn vocab_size(&self) -> usize {
        let ids = self.token_ids().into_iter().flatten().max().map_or(1, |id| id as usize + 1);
        match self {
            Self::Ids(_) => ids,
            Self::Labelled(setup, _) => ids.max(setup.tokenizer.len()),
        }
    }
}

fn run_route(shared: &SharedOptions, arguments: &RouteArguments) -> Result<Outcome> {
    let form = format(shared, &[Format::Text, Format::Json, Format::Jsonl])?;
    refuse_to_destroy(shared, arguments)?;
    let inputs = inputs(shared, arguments)?;
    let source = source(arguments)?;
    let model = model(shared, arguments, &source, &inputs)?;
    let rows_per_image = rows_per_image(shared.image_tokens, model.config());
    let samples = route_samples(&inputs, &model, &source, (rows_per_image, arguments.conversion.seed))?;
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
        without_arrays: !arguments.logits && form != Format::Text,
        dump: arguments.dump.is_some(),
        pad_id: 0,
    };
    let (rows, dump) = route(&model, &samples, &options, |_, _| true)?;
    // After the run: a device may also fail in the middle of it.
    if let Some(reason) = model.device().fallback() {
        say(&format!("note: {reason}; the CPU is used"));
    }
    if let (Some(path), Some(dump)) = (&arguments.dump, dump) {
        dump.write(path)?;
    }
    print(|out| match form {
        Format::Json => writeln!(out, "{}", json_report::to_line(&rows, true)?),
        Format::Jsonl => {
            rows.iter().try_for_each(|row| writeln!(out, "{}", json_report::to_line(row, false)?))
        }
        _ => {
            writeln!(out, "{}", moe_legend(&source))?;
            rows.iter().try_for_each(|row| moe_sample_text(out, row))
        }
    })?;
    Ok(Outcome::Clean)
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

/// Token ids from `--ids`, or the labelled conversations.
fn inputs(shared: &SharedOptions, arguments: &RouteArguments) -> Result<Inputs> {
    if let Some(path) = &arguments.ids {
        let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
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
    let source = ModelSource::parse(given.unwrap_or(sample::SAMPLES[0]))?;
    let built_in = matches!(source, ModelSource::Sample(_) | ModelSource::Seeded(_));
    match (&arguments.moe_sample, built_in) {
        (Some(name), false) => Err(Error::UnknownName {
            kind: "built-in model",
            name: name.clone(),
            known: ModelSource::built_in(),
        }),
        _ => Ok(source),
    }
}

fn model(
    shared: &SharedOptions,
    arguments: &RouteArguments,
    source: &ModelSource,
    inputs: &Inputs,
) -> Result<Model> {
    let device = shared.device()?;
    let layers = arguments.layers.as_deref().map(parse_layers).transpose()?;
    let mut options = LoadOptions { layers, device, conversion: None };
    let sequences = inputs.token_ids();
    let hub = shared.request()?.0.hub;
    let seed = arguments.conversion.seed;
    let opened = source.open(inputs.vocab_size(), seed, layers, &hub, &mut report_progress)?;
    if is_dense(&opened.0)? {
        options.conversion = Some(conversion(&arguments.conversion, &opened, &sequences)?);
    } else if let Some(option) = arguments.conversion.given() {
        return Err(Error::Usage(format!("{option} is for dense models, and this one is a mixture already")));
    }
    Ok(Model::load(&opened.0, &opened.1, &options)?)
}

/// `0..K` or `K`.
fn parse_layers(text: &str) -> Result<usize> {
    let end = text.strip_prefix("0..").unwrap_or(text);
    end.parse().map_err(|_| Error::Usage(format!("--layers {text}: expected 0..K, the first K layers")))
}

fn conversion(
    arguments: &ConversionArguments,
    (config, checkpoint): &(Config, Checkpoint),
    sequences: &[Vec<TokenId>],
) -> Result<Conversion> {
    let request = MoeRequest {
        mode: MoeMode::parse(&arguments.moe_mode, arguments.moe_layers.clone())?,
        num_experts: arguments.num_experts.clone(),
        top_k: arguments.top_k,
        capacity_factor: arguments.capacity_factor,
        eval_capacity_factor: arguments.eval_capacity_factor,
        min_capacity: arguments.min_capacity,
        use_residual: arguments.use_residual,
        ..MoeRequest::default()
    };
    let moe = MoeConfig::new(&request, config.layers()?)?;
    let mut conversion = match &arguments.moe_weights {
        Some(path) => Conversion::with_weights(moe, Checkpoint::open(path)?, arguments.seed),
        None => Conversion::seeded(moe, arguments.seed),
    };
    if arguments.router_init == RouterInit::Kmeans {
        let rows: Vec<Vec<InputRow>> =
            sequences.iter().map(|ids| ids.iter().map(|id| InputRow::Token(*id)).collect()).collect();
        let mut report = Steps::new("k-means of what each gate sees");
        let mut watch = |done, all| {
            report.show(|| format!("layer {} of {all}", done + 1));
            true
        };
        conversion.gates =
            kmeans_gates(config, checkpoint, &rows, &conversion.moe, arguments.seed, &mut watch)?;
    }
    Ok(conversion)
}

/// The ids of a sample without its image placeholders.
fn text_ids(input_ids: &[i64]) -> Vec<TokenId> {
    input_ids.iter().filter_map(|id| TokenId::try_from(*id).ok()).collect()
}

/// The samples as rows of the model; `images` are the rows of one image and the seed of its features.
fn route_samples(
    inputs: &Inputs,
    model: &Model,
    source: &ModelSource,
    images: (usize, u64),
) -> Result<Vec<RouteSample>> {
    match inputs {
        Inputs::Ids(all) => {
            let sample = |(n, ids): (usize, &Vec<i64>)| {
                let name = |id: TokenId| id.to_string();
                token_sample(json!(n.to_string()), (ids, &[]), (images, None), &name, model)
            };
            all.iter().enumerate().map(sample).collect()
        }
        Inputs::Labelled(setup, all) if source.reads_bytes() => {
            let sample = |(id, prompt, labelled): &(String, String, Labelled)| {
                let seen = setup.seen_bytes(prompt, labelled);
                if seen <= sample::MAX_BYTES {
                    return Some(byte_sample(id, prompt.as_bytes().get(..seen)?, labelled));
                }
                let most = sample::MAX_BYTES;
                say(&format!("note: {id} left out: it has {seen} bytes, the byte model takes {most}"));
                None
            };
            Ok(all.iter().filter_map(sample).collect())
        }
        Inputs::Labelled(setup, all) => {
            let limit = Some(setup.model_max_length());
            let name = |id: TokenId| token_glyphs(&setup.tokenizer, i64::from(id));
            let sample = |(id, _, labelled): &(String, String, Labelled)| {
                let ids = (labelled.input_ids.as_slice(), labelled.labels.as_slice());
                token_sample(json!(id), ids, (images, limit), &name, model)
            };
            all.iter().map(sample).collect()
        }
    }
}

/// A row a byte of what training sees of the prompt; a byte is supervised when the token over it is.
fn byte_sample(id: &str, prompt: &[u8], labelled: &Labelled) -> RouteSample {
    let mut supervised = vec![false; prompt.len()];
    for (span, label) in labelled.spans.iter().zip(&labelled.labels) {
        let learns = *label != IGNORE_INDEX;
        supervised.get_mut(span.clone()).into_iter().flatten().for_each(|s| *s |= learns);
    }
    RouteSample {
        id: Value::from(id),
        rows: prompt.iter().map(|b| InputRow::Token(TokenId::from(*b))).collect(),
        tokens: prompt.iter().map(|b| crate::report::glyph_text(&[*b])).collect(),
        modality: vec!["text"; prompt.len()],
        supervised,
    }
}

/// A row a token, with each image expanded, cut at a length.
fn token_sample(
    id: Value,
    (input_ids, labels): (&[i64], &[i64]),
    ((rows_per_image, seed), max_length): ((usize, u64), Option<usize>),
    name: &dyn Fn(TokenId) -> String,
    model: &Model,
) -> Result<RouteSample> {
    let expanded = expand(input_ids, labels, &ImageOptions { rows_per_image, max_length }, 0)?;
    let name = |row: &Origin| match row {
        Origin::Token { id, .. } => name(*id),
        Origin::Image { image, row, column, .. } => format!("⟦image {image} {row},{column}⟧"),
    };
    Ok(RouteSample {
        id,
        rows: expanded.input_rows(model, seed)?,
        tokens: expanded.rows.iter().map(name).collect(),
        modality: expanded.rows.iter().map(Origin::modality).collect(),
        supervised: expanded.labels.iter().map(|l| *l != IGNORE_INDEX).collect(),
    })
}

fn run_convert(shared: &SharedOptions, arguments: &ConvertArguments) -> Result<Outcome> {
    let sequences: Vec<Vec<TokenId>> = if arguments.conversion.router_init == RouterInit::Kmeans {
        let setup = setup(shared)?;
        let results = conversations(shared)?.iter().map(|s| setup.inspect(s).result).collect::<Vec<_>>();
        results.iter().flatten().map(|l| text_ids(&l.input_ids)).collect()
    } else {
        Vec::new()
    };
    let folder = &arguments.checkpoint;
    let opened = (Config::open(folder)?, Checkpoint::open(folder)?);
    let conversion = conversion(&arguments.conversion, &opened, &sequences)?;
    // Ctrl-C ends the writing between two pieces, and what was written is removed.
    let stopped = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGINT, stopped.clone())
        .map_err(|e| Error::io("the signals", e))?;
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
    let files = written.files.len();
    say(&format!("wrote {} tensors in {files} files to {}", written.tensors, written.folder.display()));
    Ok(Outcome::Clean)
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

fn devices(shared: &SharedOptions) -> Result<Outcome> {
    let form = format(shared, &[Format::Text, Format::Json, Format::Jsonl])?;
    let devices = device_list();
    print(|out| {
        if form != Format::Text {
            return writeln!(out, "{}", json_report::to_line(&devices, form == Format::Json)?);
        }
        devices.iter().try_for_each(|d| {
            let state = d.problem.as_deref().unwrap_or("ready");
            writeln!(
                out,
                "{:<8} {:<9} {}",
                d.name,
                if d.compiled_in { "built in" } else { "not built" },
                state
            )
        })
    })?;
    Ok(Outcome::Clean)
}
