//! Gating as pure functions on `f32` slices: router logits in, choices and weights out. No tensor type.
//!
//! DeepSpeed's three gates ([`top1`], [`top2`], [`topk`]) work with a capacity: an expert takes at most
//! C tokens of one forward call, the rest are dropped. The routers of transformers have none
//! (see [`crate::moe::router`]).
//!
//! One tie rule everywhere: the lowest expert index wins, and the earliest token is admitted first.
//! Noise is off unless the caller brings its values ([`Noise::Values`]): DeepSpeed samples the second
//! expert of top-2 and the admission of top-1 even in eval mode, which a viewer must not do by itself.

mod capacity;
mod decision;
mod top1;
mod top2;
mod topk;

pub use capacity::capacity;
pub use decision::{Applied, Decision, ExpCounts, Logits};

use super::error::{MoeError, MoeResult};

/// Smallest difference `f32` can see at 1: DeepSpeed's floor for the sum of kept weights.
pub(super) const EPS: f32 = f32::EPSILON;

/// Which tokens an expert with too many keeps when k > 2 (DeepSpeed 0.15+).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DropPolicy {
    /// The C tokens with the highest probability.
    #[default]
    Probs,
    /// The first C tokens.
    Position,
}

/// What a DeepSpeed `TopKGate` is configured with.
#[derive(Debug, Clone, PartialEq)]
pub struct GateConfig {
    /// Choices per token.
    pub top_k: usize,
    /// `eval_capacity_factor` in eval mode, `capacity_factor` in training; per choice.
    pub capacity_factor: f64,
    /// Floor of the capacity.
    pub min_capacity: usize,
    /// `false`: the capacity grows to the fullest expert.
    pub drop_tokens: bool,
    /// Used when k > 2.
    pub drop_policy: DropPolicy,
}

impl GateConfig {
    /// A gate with DeepSpeed's defaults for everything MoE-LLaVA does not set.
    pub fn new(top_k: usize, capacity_factor: f64, min_capacity: usize) -> Self {
        Self { top_k, capacity_factor, min_capacity, drop_tokens: true, drop_policy: DropPolicy::Probs }
    }
}

/// The random numbers of one gate call, `[T, E]` row-major.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Noise<'a> {
    /// None: e2 is the second largest logit, top-1 admits the earliest tokens.
    #[default]
    Off,
    /// Gumbel(0, 1) values for k = 2, U(0, 1) values for k = 1; k > 2 uses none.
    Values(&'a [f32]),
}

impl Noise<'_> {
    /// The values, checked to be one per logit and finite.
    pub(super) fn values(&self, logits: &Logits<'_>) -> MoeResult<Option<&[f32]>> {
        let Self::Values(values) = self else { return Ok(None) };
        if values.len() != logits.values().len() {
            let (noise, wanted) = (values.len(), logits.values().len());
            return Err(MoeError::Gate(format!("{noise} noise values for {wanted} logits")));
        }
        if values.iter().any(|v| !v.is_finite()) {
            return Err(MoeError::Gate("a noise value is not finite".into()));
        }
        Ok(Some(values))
    }
}

/// Runs the DeepSpeed gate of `config.top_k`.
///
/// # Errors
/// k = 0, k > E, a capacity factor that is no positive finite number, noise of the wrong length, and,
/// for k = 1, fewer tokens than `min_capacity` (DeepSpeed asserts that).
pub fn gate(logits: &Logits<'_>, config: &GateConfig, noise: Noise<'_>) -> MoeResult<Decision> {
    let (k, num_experts) = (config.top_k, logits.num_experts());
    if k == 0 || k > num_experts {
        return Err(MoeError::Gate(format!("top_k is {k}, it must be 1..={num_experts} (the experts)")));
    }
    if !(config.capacity_factor.is_finite() && config.capacity_factor > 0.0) {
        let factor = config.capacity_factor;
        return Err(MoeError::Gate(format!("the capacity factor is {factor}, it must be above 0")));
    }
    match k {
        1 => top1::top1(logits, config, noise),
        2 => top2::top2(logits, config, noise),
        _ => topk::topk(logits, config),
    }
}

/// Softmax of each row in f32, `[T, E]`.
pub fn softmax_rows(logits: &Logits<'_>) -> Vec<f32> {
    let mut out = Vec::with_capacity(logits.values().len());
    for row in logits.rows() {
        let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let start = out.len();
        out.extend(row.iter().map(|&z| (z - max).exp()));
        let exps = out.get_mut(start..).unwrap_or_default();
        let sum: f32 = exps.iter().sum();
        exps.iter_mut().for_each(|e| *e /= sum);
    }
    out
}

/// Index of the largest value, the lowest index among equals; `None` for an empty row.
pub fn argmax(row: impl IntoIterator<Item = f32>) -> Option<usize> {
    let mut best: Option<(usize, f32)> = None;
    for (i, value) in row.into_iter().enumerate() {
        if best.is_none_or(|(_, b)| value > b) {
            best = Some((i, value));
        }
    }
    best.map(|(i, _)| i)
}

/// The `k` largest values of a row as `(index, value)`, falling, the lowest index first among equals.
pub fn top_k(row: &[f32], k: usize) -> Vec<(usize, f32)> {
    let mut order: Vec<(usize, f32)> = row.iter().copied().enumerate().collect();
    order.sort_by(|a, b| b.1.partial_cmp(&a.1).unwrap_or(std::cmp::Ordering::Equal).then(a.0.cmp(&b.0)));
    order.truncate(k);
    order
}

/// DeepSpeed's balance loss `E * sum_e(mean gate_e * mean choice_e) / choices`, f64 inside.
///
/// `gates` is `[T, E]`, `counts` the choices of each expert before dropping, `choices` how many of them
/// a token has (1 where only first choices count). Perfect balance gives 1.
pub(in crate::moe) fn balance_loss(gates: &[f32], counts: &[usize], choices: usize) -> f32 {
    let num_experts = counts.len();
    let tokens = gates.len() / num_experts.max(1);
    if tokens == 0 {
        return 0.0;
    }
    let mut mean_gate = vec![0f64; num_experts];
    for row in gates.chunks_exact(num_experts) {
        for (m, &g) in mean_gate.iter_mut().zip(row) {
            *m += f64::from(g);
        }
    }
    let tokens = tokens as f64;
    let sum: f64 = mean_gate.iter().zip(counts).map(|(m, &c)| m / tokens * (c as f64 / tokens)).sum();
    (sum * num_experts as f64 / choices as f64) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_to_the_lowest_index_and_the_earliest_token() {
        let logits = Logits::new(&[1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0], 3).unwrap();
        let d = gate(&logits, &GateConfig::new(1, 1.0, 0), Noise::Off).unwrap();
        assert_eq!(d.idx, [0, 0, 0]);
        assert_eq!(d.slots.unwrap(), [Some(0), None, None]);
        let d = gate(&logits, &GateConfig::new(2, 0.5, 0), Noise::Off).unwrap();
        assert_eq!(d.idx, [0, 1, 0, 1, 0, 1]);
    }

    #[test]
    fn a_dropped_choice_gives_its_weight_to_the_other() {
        // Both tokens want expert 0 first and 1 second; C = 1.
        let logits = Logits::new(&[2.0, 1.0, 2.0, 1.0], 2).unwrap();
        let d = gate(&logits, &GateConfig::new(2, 0.5, 0), Noise::Off).unwrap();
        assert_eq!(d.capacity, Some(1));
        assert_eq!(d.slots.as_deref().unwrap(), [Some(0), Some(0), None, None]);
        assert_eq!(d.weights[2..], [0.0, 0.0]);
        assert!((d.weights[0] + d.weights[1] - 1.0).abs() < 1e-6);
    }

    #[test]
    fn impossible_gates_are_errors() {
        let logits = Logits::new(&[0.0, 1.0], 2).unwrap();
        for config in [
            GateConfig::new(0, 1.0, 0),
            GateConfig::new(3, 1.0, 0),
            GateConfig::new(1, f64::NAN, 0),
            GateConfig::new(1, -1.0, 0),
            GateConfig::new(1, 1.0, 2),
        ] {
            assert!(gate(&logits, &config, Noise::Off).is_err(), "{config:?}");
        }
        assert!(gate(&logits, &GateConfig::new(1, 1.0, 0), Noise::Values(&[0.5])).is_err());
        assert!(Logits::new(&[], 0).is_err());
        assert!(Logits::new(&[1.0, 2.0, 3.0], 2).is_err());
        assert!(Logits::new(&[1.0, f32::NAN], 2).is_err());
        assert!(Logits::new(&[1.0, f32::INFINITY], 2).is_err());
    }

    #[test]
    fn balance_is_one_when_every_expert_has_its_share() {
        let logits = Logits::new(&[9.0, 0.0, 0.0, 9.0], 2).unwrap();
        let d = gate(&logits, &GateConfig::new(1, 1.0, 0), Noise::Off).unwrap();
        assert!((d.l_aux.unwrap() - 1.0).abs() < 1e-6);
    }

    #[test]
    fn the_queue_says_which_choices_were_dropped() {
        let mut rng = crate::moe::seed::Rng::new(5);
        let values: Vec<f32> = (0..40 * 4).map(|_| rng.normal()).collect();
        let logits = Logits::new(&values, 4).unwrap();
        let gates = softmax_rows(&logits);
        for k in 1..=4 {
            let d = gate(&logits, &GateConfig::new(k, 0.5, 0), Noise::Off).unwrap();
            let (queue, capacity) = (d.queue(&gates).unwrap(), d.capacity.unwrap());
            assert!(d.dropped() > 0);
            for (at, place) in queue.iter().enumerate() {
                assert_eq!(*place >= capacity, d.is_dropped(at / k, at % k), "k {k}, choice {at}");
            }
        }
        assert!(Decision::uncapped(2, 1, vec![0], vec![1.0]).queue(&[0.5, 0.5]).is_none());
    }
}
