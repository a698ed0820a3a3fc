//! Routing of samples: what both `moe route` and screen Experts run.
//!
//! [`route_call`] is one forward call with the loss pooled over its layers; [`route`] makes calls of samples and writes
//! one JSON row a sample. The rows hold real positions only, a [`Dump`] holds padding too. Capacity, exp_counts and
//! l_aux belong to a call, so samples of one padded batch share them.

use serde::Serialize;
use serde_json::Value;

use super::backbone::{Forward, ForwardOptions, InputRow, LayerRouting, Model, NoiseSource, WantedLogits};
use super::dump::Dump;
use super::error::{MoeError, MoeResult};
use super::gating::Logits;
use super::positions::{Positions, RowContent};
use super::router::load_balancing_loss;
use crate::tokenizer::TokenId;

/// One sample to route. All lists have one entry a position.
#[derive(Debug, Clone)]
pub struct RouteSample {
    id: Value,
    inputs: Vec<InputRow>,
    tokens: Vec<String>,
    modality: Vec<&'static str>,
    supervised: Vec<bool>,
}

impl RouteSample {
    /// The positions of a sample as inputs of `model`; `id` is copied to the JSON, `name` writes a position as the
    /// JSON shows it, `seed` makes the features of images.
    ///
    /// # Errors
    /// As [`Positions::input_rows`].
    pub fn new(
        id: Value,
        positions: &Positions,
        name: &dyn Fn(&RowContent) -> String,
        model: &Model,
        seed: u64,
    ) -> MoeResult<Self> {
        Ok(Self {
            id,
            inputs: positions.input_rows(model, seed)?,
            tokens: positions.all.iter().map(|p| name(&p.content)).collect(),
            modality: positions.all.iter().map(|p| p.content.modality()).collect(),
            supervised: positions.all.iter().map(|p| p.supervised).collect(),
        })
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
    /// See [`RoutedCall::pooled_loss`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aux_loss: Option<f32>,
}

/// One MoE layer of a [`RouteRow`]; arrays have one entry a real position of the sample.
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
    /// Assignments an expert before dropping. DeepSpeed gates count as 0.9.5 does (first choices for k ≤ 2),
    /// the routers of transformers count all choices.
    pub exp_counts: Vec<usize>,
    /// DeepSpeed's load-balancing loss (1 = uniform); `null` for the routers of transformers.
    pub l_aux: Option<f32>,
}

/// What one call gives.
#[derive(Debug, Clone, PartialEq)]
pub struct RoutedCall {
    pub forward: Forward,
    /// The load-balancing loss of transformers, pooled over all layers and real positions (k = uniform); `None` for
    /// DeepSpeed's gates, which have a loss a layer.
    pub pooled_loss: Option<f32>,
}

/// Runs one call; `watch` as in [`Model::forward_watched`].
///
/// # Errors
/// As [`Model::forward_watched`].
pub fn route_call(
    model: &Model,
    sequences: &[Vec<InputRow>],
    options: &ForwardOptions,
    watch: &mut dyn FnMut(usize, usize) -> bool,
) -> MoeResult<RoutedCall> {
    let forward = model.forward_watched(sequences, options, watch)?;
    Ok(RoutedCall { pooled_loss: pooled_loss(&forward), forward })
}

fn pooled_loss(run: &Forward) -> Option<f32> {
    let first = run.routings.first().filter(|r| r.decision.capacity.is_none())?;
    let layers: Vec<Logits<'_>> = run
        .routings
        .iter()
        .map(|r| Logits::new(&r.logits, r.decision.num_experts).ok())
        .collect::<Option<_>>()?;
    let mask: Vec<bool> = run.lens.iter().flat_map(|&len| (0..run.seq).map(move |i| i < len)).collect();
    load_balancing_loss(&layers, first.decision.top_k, Some(&mask))
}

/// Routes samples: one row each, in order, and the arrays of all calls where [`RouteOptions::dump`] asks for them.
///
/// # Errors
/// What [`Model::forward`] refuses (the error names the sample).
pub fn route(
    model: &Model,
    samples: &[RouteSample],
    options: &RouteOptions,
) -> MoeResult<(Vec<RouteRow>, Option<Dump>)> {
    let mut rows = Vec::with_capacity(samples.len());
    let mut take = |row| {
        rows.push(row);
        Ok(())
    };
    let samples = samples.iter().cloned().map(Ok::<_, MoeError>);
    let dump = route_each(model, samples, options, &mut |_, _| true, &mut take)?;
    Ok((rows, dump))
}

/// The same, but a sample is made when its turn comes and its row is handed on at once: in memory is one call. `watch` is
/// called with the number of samples done and a share of the next call, and its `false` ends the run.
///
/// # Errors
/// Those of the samples and of `take`, and what [`Model::forward`] refuses (the error names the sample).
pub fn route_each<E: From<MoeError>>(
    model: &Model,
    samples: impl Iterator<Item = Result<RouteSample, E>>,
    options: &RouteOptions,
    watch: &mut dyn FnMut(usize, (usize, usize)) -> bool,
    take: &mut dyn FnMut(RouteRow) -> Result<(), E>,
) -> Result<Option<Dump>, E> {
    let per_call = match options.batch {
        BatchMode::Single => 1,
        BatchMode::Padded => usize::MAX,
    };
    let whole = model.num_layers() == model.loaded_layers();
    let mut forward_options = ForwardOptions {
        noise: NoiseSource::Off,
        logits: if options.dump && whole { WantedLogits::Last } else { WantedLogits::None },
        pad_id: options.pad_id,
        ..ForwardOptions::default()
    };
    let mut samples = samples.peekable();
    let mut dump = options.dump.then(Dump::default);
    let (mut call, mut done) = (0u64, 0);
    while samples.peek().is_some() {
        let group: Vec<RouteSample> = samples.by_ref().take(per_call).collect::<Result<_, E>>()?;
        forward_options.noise = match &options.noise {
            // Every call draws its own numbers.
            NoiseSource::Sampled { seed } => NoiseSource::Sampled { seed: seed.wrapping_add(call) },
            other => other.clone(),
        };
        let sequences: Vec<Vec<InputRow>> = group.iter().map(|s| s.inputs.clone()).collect();
        let mut layers = |layer, of| watch(done, (layer, of));
        let routed = route_call(model, &sequences, &forward_options, &mut layers)
            .map_err(|e| in_sample(e, done, per_call))?;
        for (b, sample) in group.iter().enumerate() {
            take(row(model, sample, &routed, b, options))?;
        }
        done += group.len();
        call += 1;
        if let Some(dump) = &mut dump {
            dump.add(routed.forward);
        }
    }
    Ok(dump)
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

fn row(
    model: &Model,
    sample: &RouteSample,
    routed: &RoutedCall,
    b: usize,
    options: &RouteOptions,
) -> RouteRow {
    let run = &routed.forward;
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
        aux_loss: routed.pooled_loss,
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

#[cfg(test)]
mod tests {
    use super::super::backbone::ModelLoadOptions;
    use super::super::checkpoint::Checkpoint;
    use super::super::sample;
    use super::*;

    fn sample_of(id: &str, ids: &[i64], model: &Model) -> RouteSample {
        let positions = Positions::of_tokens(ids, &[], 1, None).unwrap();
        RouteSample::new(id.into(), &positions, &|content| format!("{content:?}"), model, 0).unwrap()
    }

    fn samples(model: &Model) -> Vec<RouteSample> {
        let ids = |text: &str| text.bytes().map(i64::from).collect::<Vec<_>>();
        vec![sample_of("a", &ids("some text"), model), sample_of("b", &ids("more"), model)]
    }

    #[test]
    fn rows_have_the_keys_of_the_contract() {
        let model = sample::load("byte-moe", &ModelLoadOptions::default()).unwrap();
        let (rows, dump) = route(&model, &samples(&model), &RouteOptions::default()).unwrap();
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
        let (rows, _) = route(&model, &samples(&model), &options).unwrap();
        assert!(serde_json::to_value(&rows[0]).unwrap()["layers"][0].get("gate_logits").is_none());
    }

    #[test]
    fn a_padded_batch_gives_the_same_real_rows() {
        let model = sample::load("byte-moe", &ModelLoadOptions::default()).unwrap();
        let padded = RouteOptions { batch: BatchMode::Padded, dump: true, ..RouteOptions::default() };
        let (rows, dump) = route(&model, &samples(&model), &padded).unwrap();
        let (single, _) = route(&model, &samples(&model), &RouteOptions::default()).unwrap();
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
    fn bad_samples_are_named() {
        let model = sample::load("byte-moe", &ModelLoadOptions::default()).unwrap();
        let bad = [sample_of("x", &[65], &model), sample_of("y", &[999], &model)];
        let error = route(&model, &bad, &RouteOptions::default()).unwrap_err().to_string();
        assert!(error.contains("sample 1") && error.contains("999"), "{error}");
    }
}
