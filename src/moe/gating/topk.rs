//! DeepSpeed `topkgating` (0.15+; 0.9.5 refuses k > 2). Deterministic.

use super::decision::count;
use super::top2::kept_weights;
use super::{
    Decision, DropPolicy, ExpCounts, GateConfig, Logits, balance_loss, capacity, softmax_rows, top_k,
};
use crate::moe::error::MoeResult;

/// k experts a token by probability; weights renormalised over what was kept.
///
/// A full expert keeps its C most probable tokens (slots counted over the kept ones) or the first C
/// (slots are the original places); see [`DropPolicy`].
pub(super) fn topk(logits: &Logits<'_>, config: &GateConfig) -> MoeResult<Decision> {
    let (tokens, num_experts, k) = (logits.tokens(), logits.num_experts(), config.top_k);
    let gates = softmax_rows(logits);
    let idx: Vec<usize> =
        gates.chunks_exact(num_experts).flat_map(|row| top_k(row, k).into_iter().map(|(e, _)| e)).collect();
    let counts = count(num_experts, idx.iter().copied());
    let capacity = if config.drop_tokens {
        capacity(tokens, num_experts, config)
    } else {
        counts.iter().copied().max().unwrap_or(0)
    };

    let mut slots = vec![None; idx.len()];
    for expert in 0..num_experts {
        // (place in `idx`, probability) of every choice of this expert, in token order.
        let mut queue: Vec<(usize, f32)> = idx
            .iter()
            .enumerate()
            .filter(|&(_, &e)| e == expert)
            .map(|(at, _)| (at, gates.get(at / k * num_experts + expert).copied().unwrap_or(0.0)))
            .collect();
        if queue.len() > capacity {
            if config.drop_policy == DropPolicy::Probs {
                queue.sort_by(|a, b| b.1.total_cmp(&a.1));
            }
            queue.truncate(capacity);
            queue.sort_unstable_by_key(|&(at, _)| at);
        }
        for (slot, (at, _)) in queue.into_iter().enumerate() {
            if let Some(s) = slots.get_mut(at) {
                *s = Some(slot);
            }
        }
    }
    let weights = kept_weights(&gates, num_experts, &idx, &slots);
    let first = count(num_experts, idx.iter().copied().step_by(k));
    Ok(Decision {
        num_experts,
        top_k: k,
        idx,
        weights,
        slots: Some(slots),
        capacity: Some(capacity),
        l_aux: Some(balance_loss(&gates, &counts, k)),
        exp_counts: ExpCounts { first, all: counts },
        ..Decision::default()
    })
}
