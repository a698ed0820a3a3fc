//! The engine of `moe route`: samples in, one JSON row a sample and a dump of all arrays out.
//!
//! The dump holds every row of every call, padding included; the JSON rows hold real rows only. Capacity,
//! exp_counts and l_aux belong to a call, so samples of one padded batch share them.

use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::backbone::{Forward, ForwardOptions, InputRow, LayerRouting, Model, NoiseSource, WantedLogits};
use super::checkpoint::{TensorSource, write_safetensors};
use super::error::{MoeError, MoeResult};
use super::gating::Logits;
use super::router::load_balancing_loss;
use crate::tokenizer::TokenId;

/// One sample to route: a row an input position.
#[derive(Debug, Clone, Default)]
pub struct RouteSample {
    /// Copied to the JSON.
    pub id: Value,
    pub rows: Vec<InputRow>,
    /// Text of each row, as the caller wants it shown.
    pub tokens: Vec<String>,
    /// `text` or `image` for each row; see [`crate::moe::image::Origin::modality`].
    pub modality: Vec<&'static str>,
    /// Whether the row is learned from.
    pub supervised: Vec<bool>,
}

impl RouteSample {
    /// A sample of bare token ids, as `--ids` gives them.
    pub fn of_ids(id: Value, ids: &[TokenId]) -> Self {
        Self {
            id,
            rows: ids.iter().map(|&id| InputRow::Token(id)).collect(),
            tokens: ids.iter().map(ToString::to_string).collect(),
            modality: vec!["text"; ids.len()],
            supervised: vec![false; ids.len()],
        }
    }
}

/// How samples become calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BatchMode {
    /// One call a sample.
    #[default]
    Single,
    /// One call for all, padded on the right; they share each expert's capacity.
    Padded,
}

/// `moe route`'s options.
#[derive(Debug, Clone, Default)]
pub struct RouteOptions {
    pub batch: BatchMode,
    pub noise: NoiseSource,
    /// Leaves out of the JSON what has one entry a token and layer (`--logits false`).
    pub without_arrays: bool,
    /// Collect the arrays of the dump.
    pub dump: bool,
    pub pad_id: TokenId,
}

/// One line of `moe route --format jsonl`.
#[derive(Debug, Clone, Serialize)]
pub struct RouteRow {
    pub id: Value,
    pub backbone: &'static str,
    pub device: String,
    pub layers: Vec<RouteLayer>,
    pub tokens: Vec<String>,
    pub modality: Vec<&'static str>,
    pub supervised: Vec<bool>,
    /// The pooled load-balancing loss of transformers, for its routers; balance is top_k.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aux_loss: Option<f32>,
}

/// One MoE layer of a [`RouteRow`]; arrays have one entry a real row of the sample.
#[derive(Debug, Clone, Serialize)]
pub struct RouteLayer {
    pub layer: usize,
    pub num_experts: usize,
    pub top_k: usize,
    /// `null` for routers without capacity.
    pub capacity: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate_logits: Option<Vec<Vec<f32>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub experts: Option<Vec<Vec<usize>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<Vec<Vec<f32>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropped: Option<Vec<Vec<bool>>>,
    /// Choices an expert before dropping. DeepSpeed gates count as 0.9.5 does (first choices for k ≤ 2),
    /// the routers of transformers count all choices.
    pub exp_counts: Vec<usize>,
    /// DeepSpeed's balance loss, 1 at balance; `null` for the routers of transformers.
    pub l_aux: Option<f32>,
}

/// Routes samples and hands out one row each, in order.
///
/// `progress` is called with (done, total) samples before each call; returning `false` stops the run.
///
/// # Errors
/// Samples whose lists differ in length, and what [`Model::forward`] refuses (the error names the sample).
pub fn route(
    model: &Model,
    samples: &[RouteSample],
    options: &RouteOptions,
    mut progress: impl FnMut(usize, usize) -> bool,
) -> MoeResult<(Vec<RouteRow>, Option<Dump>)> {
    for (n, sample) in samples.iter().enumerate() {
        let rows = sample.rows.len();
        for (what, len) in [
            ("tokens", sample.tokens.len()),
            ("modality", sample.modality.len()),
            ("supervised", sample.supervised.len()),
        ] {
            if len != rows {
                return Err(MoeError::Request(format!("sample {n}: {len} {what} for {rows} rows")));
            }
        }
    }
    let per_call = match options.batch {
        BatchMode::Single => 1,
        BatchMode::Padded => samples.len().max(1),
    };
    let whole = model.num_layers() == model.loaded_layers();
    let mut forward_options = ForwardOptions {
        noise: NoiseSource::Off,
        logits: if options.dump && whole { WantedLogits::Last } else { WantedLogits::None },
        pad_id: options.pad_id,
        ..ForwardOptions::default()
    };
    let mut rows = Vec::with_capacity(samples.len());
    let mut dump = options.dump.then(Dump::default);
    for (call, group) in samples.chunks(per_call).enumerate() {
        if !progress(rows.len(), samples.len()) {
            break;
        }
        forward_options.noise = match &options.noise {
            // Every call draws its own numbers.
            NoiseSource::Sampled { seed } => NoiseSource::Sampled { seed: seed.wrapping_add(call as u64) },
            other => other.clone(),
        };
        let sequences: Vec<Vec<InputRow>> = group.iter().map(|s| s.rows.clone()).collect();
        let run = model
            .forward(&sequences, &forward_options)
            .map_err(|e| in_sample(e, call * per_call, per_call))?;
        rows.extend(group.iter().enumerate().map(|(b, sample)| row(model, sample, &run, b, options)));
        if let Some(dump) = &mut dump {
            dump.add(run);
        }
    }
    Ok((rows, dump))
}

fn in_sample(error: MoeError, sample: usize, per_call: usize) -> MoeError {
    match error {
        MoeError::Request(message) if per_call == 1 => {
            MoeError::Request(format!("sample {sample}: {message}"))
        }
        MoeError::Gate(message) if per_call == 1 => MoeError::Gate(format!("sample {sample}, {message}")),
        other => other,
    }
}

fn row(model: &Model, sample: &RouteSample, run: &Forward, b: usize, options: &RouteOptions) -> RouteRow {
    let len = run.lens.get(b).copied().unwrap_or(0);
    let real = b * run.seq..b * run.seq + len;
    RouteRow {
        id: sample.id.clone(),
        backbone: model.backbone(),
        device: model.device().name().to_owned(),
        layers: run.routings.iter().map(|r| layer(r, real.clone(), options.without_arrays)).collect(),
        tokens: sample.tokens.clone(),
        modality: sample.modality.clone(),
        supervised: sample.supervised.clone(),
        aux_loss: aux_loss(run),
    }
}

fn layer(routing: &LayerRouting, real: std::ops::Range<usize>, without_arrays: bool) -> RouteLayer {
    let d = &routing.decision;
    let k = d.top_k.max(1);
    let exp_counts = if d.capacity.is_some() && k <= 2 { &d.exp_counts.first } else { &d.exp_counts.all };
    RouteLayer {
        layer: routing.layer,
        num_experts: d.num_experts,
        top_k: d.top_k,
        capacity: d.capacity,
        gate_logits: (!without_arrays).then(|| part(&routing.logits, d.num_experts, &real)),
        experts: (!without_arrays).then(|| part(&d.idx, k, &real)),
        weights: (!without_arrays).then(|| part(&d.weights, k, &real)),
        dropped: (!without_arrays)
            .then(|| real.clone().map(|t| (0..k).map(|rank| d.is_dropped(t, rank)).collect()).collect()),
        exp_counts: exp_counts.clone(),
        l_aux: d.l_aux,
    }
}

/// Rows `real` of an array with `width` columns.
fn part<T: Clone>(values: &[T], width: usize, real: &std::ops::Range<usize>) -> Vec<Vec<T>> {
    values.chunks(width.max(1)).skip(real.start).take(real.len()).map(<[T]>::to_vec).collect()
}

/// The loss of transformers over the real rows of a call; `None` for DeepSpeed's gates.
fn aux_loss(run: &Forward) -> Option<f32> {
    let first = run.routings.first().filter(|r| r.decision.capacity.is_none())?;
    let layers: Vec<Logits<'_>> = run
        .routings
        .iter()
        .map(|r| Logits::new(&r.logits, r.decision.num_experts).ok())
        .collect::<Option<_>>()?;
    let mask: Vec<bool> = run.lens.iter().flat_map(|&len| (0..run.seq).map(move |i| i < len)).collect();
    load_balancing_loss(&layers, first.decision.top_k, Some(&mask))
}

/// The arrays of `--dump`: rows of all calls one after another.
#[derive(Debug, Clone, Default)]
pub struct Dump {
    hidden_size: usize,
    hidden: Vec<f32>,
    sequences: usize,
    last_logits: Vec<f32>,
    layers: Vec<DumpLayer>,
}

#[derive(Debug, Clone, Default)]
struct DumpLayer {
    layer: usize,
    num_experts: usize,
    top_k: usize,
    logits: Vec<f32>,
    idx: Vec<i64>,
    w: Vec<f32>,
    slot: Option<Vec<i64>>,
}

impl Dump {
    fn add(&mut self, run: Forward) {
        self.hidden_size = run.hidden_size;
        self.hidden.extend(run.hidden);
        self.sequences += run.batch;
        self.last_logits.extend(run.logits.unwrap_or_default());
        for (at, routing) in run.routings.into_iter().enumerate() {
            let d = routing.decision;
            if self.layers.len() <= at {
                self.layers.push(DumpLayer {
                    layer: routing.layer,
                    num_experts: d.num_experts,
                    top_k: d.top_k,
                    slot: d.slots.as_ref().map(|_| Vec::new()),
                    ..DumpLayer::default()
                });
            }
            let Some(layer) = self.layers.get_mut(at) else { continue };
            layer.logits.extend(routing.logits);
            layer.idx.extend(d.idx.iter().map(|&e| e as i64));
            layer.w.extend(d.weights);
            if let (Some(all), Some(slots)) = (&mut layer.slot, d.slots) {
                all.extend(slots.into_iter().map(|s| s.map_or(-1, |s| s as i64)));
            }
        }
    }

    /// Writes the arrays of docs/command-line.md: `hidden`, `last_logits` (absent where only some layers were
    /// loaded), and `L<l>/{logits,idx,w,slot}` (`slot` only where the router has a capacity).
    pub fn write(self, path: &Path) -> MoeResult<()> {
        let rows = self.hidden.len() / self.hidden_size.max(1);
        let mut tensors = vec![(
            "hidden".to_owned(),
            TensorSource::F32 { shape: vec![rows, self.hidden_size], values: self.hidden },
        )];
        if !self.last_logits.is_empty() {
            let shape = vec![self.sequences, self.last_logits.len() / self.sequences.max(1)];
            tensors.push(("last_logits".into(), TensorSource::F32 { shape, values: self.last_logits }));
        }
        for layer in self.layers {
            let name = |part: &str| format!("L{}/{part}", layer.layer);
            let choices = vec![rows, layer.top_k];
            let logits = TensorSource::F32 { shape: vec![rows, layer.num_experts], values: layer.logits };
            tensors.push((name("logits"), logits));
            tensors.push((name("idx"), TensorSource::I64 { shape: choices.clone(), values: layer.idx }));
            tensors.push((name("w"), TensorSource::F32 { shape: choices.clone(), values: layer.w }));
            if let Some(values) = layer.slot {
                tensors.push((name("slot"), TensorSource::I64 { shape: choices, values }));
            }
        }
        write_safetensors(path, &tensors)
    }
}

#[cfg(test)]
mod tests {
    use super::super::backbone::LoadOptions;
    use super::super::checkpoint::Checkpoint;
    use super::super::sample;
    use super::*;

    fn samples() -> Vec<RouteSample> {
        let ids = |text: &str| text.bytes().map(TokenId::from).collect::<Vec<_>>();
        vec![
            RouteSample::of_ids("a".into(), &ids("some text")),
            RouteSample::of_ids("b".into(), &ids("more")),
        ]
    }

    #[test]
    fn rows_have_the_keys_of_the_contract() {
        let model = sample::load("byte-moe", &LoadOptions::default()).unwrap();
        let (rows, dump) = route(&model, &samples(), &RouteOptions::default(), |_, _| true).unwrap();
        assert!(dump.is_none());
        let json = serde_json::to_value(&rows[1]).unwrap();
        assert_eq!(
            (&json["id"], &json["backbone"], &json["device"]),
            (&"b".into(), &"mixtral".into(), &"cpu".into())
        );
        let layer = &json["layers"][3];
        assert_eq!(
            (&layer["layer"], &layer["num_experts"], &layer["top_k"]),
            (&3.into(), &8.into(), &2.into())
        );
        for (key, width) in [("gate_logits", 8), ("experts", 2), ("weights", 2), ("dropped", 2)] {
            assert_eq!(layer[key].as_array().unwrap().len(), 4, "{key}");
            assert_eq!(layer[key][0].as_array().unwrap().len(), width, "{key}");
        }
        assert!(layer["capacity"].is_null() && layer["l_aux"].is_null());
        assert!(json["aux_loss"].as_f64().unwrap() > 1.9);
        assert_eq!(
            layer["exp_counts"].as_array().unwrap().iter().map(|c| c.as_u64().unwrap()).sum::<u64>(),
            8
        );
        let options = RouteOptions { without_arrays: true, ..RouteOptions::default() };
        let (rows, _) = route(&model, &samples(), &options, |_, _| true).unwrap();
        assert!(serde_json::to_value(&rows[0]).unwrap()["layers"][0].get("gate_logits").is_none());
    }

    #[test]
    fn a_padded_batch_gives_the_same_real_rows() {
        let model = sample::load("byte-moe", &LoadOptions::default()).unwrap();
        let padded = RouteOptions { batch: BatchMode::Padded, dump: true, ..RouteOptions::default() };
        let (rows, dump) = route(&model, &samples(), &padded, |_, _| true).unwrap();
        let (single, _) = route(&model, &samples(), &RouteOptions::default(), |_, _| true).unwrap();
        assert_eq!(rows[1].layers[0].experts, single[1].layers[0].experts);
        assert_eq!(rows[1].tokens.len(), 4);

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("dump.safetensors");
        dump.unwrap().write(&path).unwrap();
        let file = Checkpoint::open(&path).unwrap();
        assert_eq!(file.info("hidden").unwrap().shape, [18, 128]);
        assert_eq!(file.info("last_logits").unwrap().shape, [2, 256]);
        assert_eq!(file.info("L0/idx").unwrap().shape, [18, 2]);
        assert!(!file.contains("L0/slot"));
    }

    #[test]
    fn a_run_can_be_stopped_and_bad_samples_are_named() {
        let model = sample::load("byte-moe", &LoadOptions::default()).unwrap();
        let (rows, _) = route(&model, &samples(), &RouteOptions::default(), |done, _| done < 1).unwrap();
        assert_eq!(rows.len(), 1);
        let bad = [RouteSample::of_ids("x".into(), &[65]), RouteSample::of_ids("y".into(), &[999])];
        let error = route(&model, &bad, &RouteOptions::default(), |_, _| true).unwrap_err().to_string();
        assert!(error.contains("sample 1") && error.contains("999"), "{error}");
        let mut uneven = samples();
        uneven[0].tokens.pop();
        assert!(route(&model, &uneven, &RouteOptions::default(), |_, _| true).is_err());
    }
}
