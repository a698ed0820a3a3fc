//! DeepSpeed `top2gating` (0.9.5 … 0.19.8; `drop_tokens = false` from 0.14).

use super::decision::count;
use super::scores::EPS;
use super::{Decision, ExpCounts, GateConfig, Logits, Noise, argmax, balance_loss, capacity, softmax_rows};
use crate::moe::error::MoeResult;

/// Two experts a token: e1 = argmax of the gates, e2 = argmax of the noisy logits without e1.
///
/// All first choices queue before any second choice (dropped ones included), earlier tokens before
/// later ones; a choice is kept if its place is below C. The weights are the noise-free gates,
/// renormalised over what was kept.
pub(super) fn top2(logits: &Logits<'_>, config: &GateConfig, noise: Noise<'_>) -> MoeResult<Decision> {
    let (tokens, num_experts) = (logits.tokens(), logits.num_experts());
    let noise = noise.values(logits)?;
    let gates = softmax_rows(logits);
    let mut idx = Vec::with_capacity(tokens * 2);
    for (token, (row, gate_row)) in logits.rows().zip(gates.chunks_exact(num_experts)).enumerate() {
        let first = argmax(gate_row.iter().copied()).unwrap_or(0);
        let noise_row = noise.and_then(|n| n.chunks_exact(num_experts).nth(token));
        let second = argmax(row.iter().enumerate().map(|(e, &z)| {
            let noisy = z + noise_row.and_then(|n| n.get(e)).copied().unwrap_or(0.0);
            if e == first { f32::NEG_INFINITY } else { noisy }
        }));
        // Where every other logit is -inf, the tie goes to the lowest index that is not e1.
        let second = match second {
            Some(e) if e != first => e,
            _ => usize::from(first == 0),
        };
        idx.extend([first, second]);
    }

    let first = count(num_experts, idx.iter().copied().step_by(2));
    let all = count(num_experts, idx.iter().copied());
    let capacity = if config.drop_tokens {
        capacity(tokens, num_experts, config)
    } else {
        all.iter().copied().max().unwrap_or(0)
    };
    let slots = places(&idx, &first, capacity);
    let weights = kept_weights(&gates, num_experts, &idx, &slots);
    Ok(Decision {
        num_experts,
        top_k: 2,
        idx,
        weights,
        slots: Some(slots),
        capacity: Some(capacity),
        l_aux: Some(balance_loss(&gates, &first, 1)),
        exp_counts: ExpCounts { first, all },
        ..Decision::default()
    })
}

/// Queue place of every choice `[T, 2]`, `None` from `capacity` on.
fn places(idx: &[usize], first_counts: &[usize], capacity: usize) -> Vec<Option<usize>> {
    let mut next_first = vec![0usize; first_counts.len()];
    let mut next_second = first_counts.to_vec();
    let mut take = |rank: usize, expert: usize| {
        let queue = if rank == 0 { &mut next_first } else { &mut next_second };
        let place = queue.get_mut(expert)?;
        *place += 1;
        Some(*place - 1).filter(|&p| p < capacity)
    };
    idx.iter().enumerate().map(|(at, &expert)| take(at % 2, expert)).collect()
}

/// `w_i = g_i / max(sum of kept g, eps)` for kept choices, 0 for dropped ones; `[T, k]`.
pub(super) fn kept_weights(
    gates: &[f32],
    num_experts: usize,
    idx: &[usize],
    slots: &[Option<usize>],
) -> Vec<f32> {
    let top_k = idx.len() / (gates.len() / num_experts).max(1);
    let mut weights = Vec::with_capacity(idx.len());
    if top_k == 0 {
        return weights;
    }
    let choices = idx.chunks_exact(top_k).zip(slots.chunks_exact(top_k));
    for (gate_row, (experts, slots)) in gates.chunks_exact(num_experts).zip(choices) {
        let start = weights.len();
        weights.extend(experts.iter().zip(slots).map(|(&e, slot)| match slot {
            Some(_) => gate_row.get(e).copied().unwrap_or(0.0),
            None => 0.0,
        }));
        let row = weights.get_mut(start..).unwrap_or_default();
        let sum = row.iter().sum::<f32>().max(EPS);
        row.iter_mut().for_each(|w| *w /= sum);
    }
    weights
}
