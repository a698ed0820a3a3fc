//! What a gate is asked and what it answers.

use crate::moe::error::{MoeError, MoeResult};

/// Router logits `[T, E]`, row-major, checked once: E > 0, whole rows, no NaN and no +inf
/// (which the softmax would turn into NaN).
#[derive(Debug, Clone, Copy)]
pub struct Logits<'a> {
    values: &'a [f32],
    num_experts: usize,
}

impl<'a> Logits<'a> {
    /// # Errors
    /// Zero experts, a length that is no multiple of E, a logit that is NaN or +inf, or a row of only −inf
    /// (named by its token).
    pub fn new(values: &'a [f32], num_experts: usize) -> MoeResult<Self> {
        if num_experts == 0 {
            return Err(MoeError::Gate("there are zero experts".into()));
        }
        if !values.len().is_multiple_of(num_experts) {
            let n = values.len();
            return Err(MoeError::Gate(format!("{n} logits are no whole rows of {num_experts} experts")));
        }
        if let Some(at) = values.iter().position(|&v| v.is_nan() || v == f32::INFINITY) {
            let (token, expert) = (at / num_experts, at % num_experts);
            return Err(MoeError::Gate(format!(
                "the logit of token {token}, expert {expert} is NaN or infinite"
            )));
        }
        let is_masked = |row: &[f32]| row.iter().all(|v| *v == f32::NEG_INFINITY);
        if let Some(token) = values.chunks_exact(num_experts).position(is_masked) {
            return Err(MoeError::Gate(format!("token {token} has no expert with a finite logit")));
        }
        Ok(Self { values, num_experts })
    }

    pub fn values(&self) -> &'a [f32] {
        self.values
    }

    pub fn num_experts(&self) -> usize {
        self.num_experts
    }

    pub fn tokens(&self) -> usize {
        self.values.len() / self.num_experts
    }

    /// One row of E logits a token.
    pub fn rows(&self) -> std::slice::ChunksExact<'a, f32> {
        self.values.chunks_exact(self.num_experts)
    }
}

/// Where a weight multiplies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Applied {
    /// The expert's output (every model but Llama 4).
    #[default]
    Output,
    /// The expert's input (Llama 4).
    Input,
}

/// Choices per expert before dropping, in the two meanings DeepSpeed has had.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExpCounts {
    /// First choices only: DeepSpeed 0.9.5 for k = 1 and k = 2 (what MoE-LLaVA pins).
    pub first: Vec<usize>,
    /// All choices: DeepSpeed ≥ 0.14, every gate with k > 2, and the routers of transformers.
    pub all: Vec<usize>,
}

/// The routing of the T tokens of one call.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Decision {
    pub num_experts: usize,
    pub top_k: usize,
    /// Chosen experts `[T, k]`, in the order of choice.
    pub idx: Vec<usize>,
    /// Final weights `[T, k]`; 0 where the choice was dropped.
    pub weights: Vec<f32>,
    /// Place in the expert's queue `[T, k]`, `None` = dropped; absent for routers without capacity.
    pub slots: Option<Vec<Option<usize>>>,
    /// Tokens an expert takes; absent for routers without capacity.
    pub capacity: Option<usize>,
    pub exp_counts: ExpCounts,
    /// DeepSpeed's balance loss of this layer and call; absent for the routers of transformers, whose
    /// loss pools all layers.
    pub l_aux: Option<f32>,
    pub applied: Applied,
}

impl Decision {
    /// A decision without capacity from choices `[T, k]` and weights `[T, k]`.
    pub(in crate::moe) fn uncapped(
        num_experts: usize,
        top_k: usize,
        idx: Vec<usize>,
        weights: Vec<f32>,
    ) -> Self {
        let exp_counts = ExpCounts {
            first: count(num_experts, idx.iter().copied().step_by(top_k.max(1))),
            all: count(num_experts, idx.iter().copied()),
        };
        Self { num_experts, top_k, idx, weights, exp_counts, ..Self::default() }
    }

    /// How many tokens were routed.
    pub fn tokens(&self) -> usize {
        self.idx.len() / self.top_k.max(1)
    }

    /// How many choices were dropped.
    pub fn dropped(&self) -> usize {
        self.slots.iter().flatten().filter(|s| s.is_none()).count()
    }

    /// Whether choice `rank` of `token` was dropped.
    pub fn is_dropped(&self, token: usize, rank: usize) -> bool {
        let at = token * self.top_k + rank;
        self.slots.as_ref().is_some_and(|s| matches!(s.get(at), Some(None)))
    }

    /// The place of every choice `[T, k]` in its expert's queue, dropped ones too, for a gate without noise: why a
    /// choice was dropped. `None` for routers without capacity.
    ///
    /// The order of the queue is the gate's: earlier tokens first (k = 1); all first choices, then all second ones
    /// (k = 2); the highest probability first (k > 2, `gates` is the softmax `[T, E]`).
    pub fn queue(&self, gates: &[f32]) -> Option<Vec<usize>> {
        self.capacity?;
        let k = self.top_k.max(1);
        let gate = |at: usize| {
            let expert = self.idx.get(at).copied().unwrap_or(0);
            gates.get(at / k * self.num_experts + expert).copied().unwrap_or(0.0)
        };
        let mut order: Vec<usize> = (0..self.idx.len()).collect();
        match k {
            1 => {}
            2 => order.sort_by_key(|at| (at % 2, at / 2)),
            _ => order.sort_by(|a, b| gate(*b).total_cmp(&gate(*a)).then(a.cmp(b))),
        }
        let mut next = vec![0; self.num_experts];
        let mut places = vec![0; self.idx.len()];
        for at in order {
            let expert = self.idx.get(at).copied().unwrap_or(0);
            if let (Some(next), Some(place)) = (next.get_mut(expert), places.get_mut(at)) {
                *place = *next;
                *next += 1;
            }
        }
        Some(places)
    }

    /// For each expert the `(token, weight)` it works on. A dropped choice, or one whose weight is
    /// exactly 0, is not dispatched.
    pub fn dispatch(&self) -> Vec<Vec<(u32, f32)>> {
        let mut groups = vec![Vec::new(); self.num_experts];
        for (at, (&expert, &weight)) in self.idx.iter().zip(&self.weights).enumerate() {
            if weight != 0.0
                && let Some(group) = groups.get_mut(expert)
            {
                group.push(((at / self.top_k) as u32, weight));
            }
        }
        groups
    }
}

/// How often each of `0..num_experts` occurs.
pub(in crate::moe) fn count(num_experts: usize, chosen: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut counts = vec![0; num_experts];
    for expert in chosen {
        if let Some(c) = counts.get_mut(expert) {
            *c += 1;
        }
    }
    counts
}
