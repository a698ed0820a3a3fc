//! DeepSpeed `top1gating` (0.9.5 … 0.19.8, equal in all but C > T, where 0.9.5 raises).

use super::decision::count;
use super::{Decision, ExpCounts, GateConfig, Logits, Noise, argmax, balance_loss, capacity, softmax_rows};
use crate::moe::error::{MoeError, MoeResult};

/// One expert a token. The weight is the raw softmax value, not renormalised.
///
/// An expert with more than C tokens keeps those with the largest noise (`use_rts`), without noise the
/// earliest. Slots count the kept tokens in token order.
pub(super) fn top1(logits: &Logits<'_>, config: &GateConfig, noise: Noise<'_>) -> MoeResult<Decision> {
    let (tokens, num_experts) = (logits.tokens(), logits.num_experts());
    if tokens < config.min_capacity {
        return Err(MoeError::Gate(format!(
            "{tokens} tokens are fewer than min_capacity {}; with top-1, DeepSpeed refuses this: set \
             min_capacity to 0",
            config.min_capacity
        )));
    }
    let noise = noise.values(logits)?;
    let gates = softmax_rows(logits);
    let idx: Vec<usize> =
        gates.chunks_exact(num_experts).map(|row| argmax(row.iter().copied()).unwrap_or(0)).collect();
    let counts = count(num_experts, idx.iter().copied());
    let capacity = if config.drop_tokens {
        capacity(tokens, num_experts, config)
    } else {
        counts.iter().copied().max().unwrap_or(0)
    };

    let mut slots = vec![None; tokens];
    let mut weights = vec![0.0; tokens];
    for expert in 0..num_experts {
        for (slot, token) in admitted(&idx, expert, capacity, noise, num_experts).into_iter().enumerate() {
            let value = gates.get(token * num_experts + expert).copied().unwrap_or(0.0);
            if let (Some(s), Some(w)) = (slots.get_mut(token), weights.get_mut(token)) {
                *s = Some(slot);
                *w = value;
            }
        }
    }
    Ok(Decision {
        num_experts,
        top_k: 1,
        idx,
        weights,
        slots: Some(slots),
        capacity: Some(capacity),
        l_aux: Some(balance_loss(&gates, &counts, 1)),
        exp_counts: ExpCounts { first: counts.clone(), all: counts },
        ..Decision::default()
    })
}

/// The tokens `expert` keeps, in token order.
fn admitted(
    idx: &[usize],
    expert: usize,
    capacity: usize,
    noise: Option<&[f32]>,
    num_experts: usize,
) -> Vec<usize> {
    let mut queue: Vec<usize> =
        idx.iter().enumerate().filter(|&(_, &e)| e == expert).map(|(token, _)| token).collect();
    if queue.len() > capacity {
        if let Some(noise) = noise {
            let draw = |token: &usize| noise.get(token * num_experts + expert).copied().unwrap_or(0.0);
            // A stable sort: equal draws keep token order.
            queue.sort_by(|a, b| draw(b).total_cmp(&draw(a)));
        }
        queue.truncate(capacity);
        queue.sort_unstable();
    }
    queue
}
