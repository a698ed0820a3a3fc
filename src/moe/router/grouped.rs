//! DeepSeek's routers: only the experts of the best groups are eligible.

use super::chosen::{Chosen, Groups, sigmoid as squash};
use crate::moe::error::{MoeError, MoeResult};
use crate::moe::gating::{Logits, softmax_rows, top_k};

/// DeepSeek-V2: softmax scores, groups ranked by their maximum, scores of losing groups set to 0.
pub(super) fn softmax(
    logits: &Logits<'_>,
    k: usize,
    groups: Option<Groups>,
    routed_scaling_factor: f32,
) -> MoeResult<Chosen> {
    let scores = softmax_rows(logits);
    let mut chosen = Vec::with_capacity(logits.tokens() * k);
    for row in scores.chunks_exact(logits.num_experts()) {
        let best = match groups {
            None => top_k(row, k),
            Some(groups) => {
                let max = |group: &[f32]| group.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                top_k(&keep_best_groups(row, k, groups, max, 0.0)?, k)
            }
        };
        chosen.extend(best.into_iter().map(|(e, score)| (e, score * routed_scaling_factor)));
    }
    Ok(chosen)
}

/// DeepSeek-V3: sigmoid scores, chosen on score + bias, groups ranked by the sum of their two best,
/// losing groups at -inf (releases before 5 used 0); the weights are the plain scores.
pub(super) fn sigmoid(logits: &Logits<'_>, k: usize, groups: Groups, bias: &[f32]) -> MoeResult<Chosen> {
    if bias.len() != logits.num_experts() {
        let (n, wanted) = (bias.len(), logits.num_experts());
        return Err(MoeError::Gate(format!("e_score_correction_bias has {n} values for {wanted} experts")));
    }
    let mut chosen = Vec::with_capacity(logits.tokens() * k);
    for row in logits.rows() {
        let scores: Vec<f32> = row.iter().map(|&z| squash(z)).collect();
        let biased: Vec<f32> = scores.iter().zip(bias).map(|(s, b)| s + b).collect();
        let best_two = |group: &[f32]| top_k(group, 2).iter().map(|c| c.1).sum();
        let eligible = keep_best_groups(&biased, k, groups, best_two, f32::NEG_INFINITY)?;
        chosen
            .extend(top_k(&eligible, k).into_iter().map(|(e, _)| (e, scores.get(e).copied().unwrap_or(0.0))));
    }
    Ok(chosen)
}

/// The row with the scores of all but the `topk_group` best groups replaced by `out`.
fn keep_best_groups(
    row: &[f32],
    k: usize,
    groups: Groups,
    rank: impl Fn(&[f32]) -> f32,
    out: f32,
) -> MoeResult<Vec<f32>> {
    let Groups { n_group, topk_group } = groups;
    if n_group == 0 || !row.len().is_multiple_of(n_group) || row.is_empty() {
        let n = row.len();
        return Err(MoeError::Gate(format!("{n} experts do not form {n_group} equal groups (n_group)")));
    }
    let size = row.len() / n_group;
    if topk_group == 0 || topk_group > n_group || topk_group * size < k {
        return Err(MoeError::Gate(format!(
            "topk_group is {topk_group} of {n_group} groups of {size} experts, which is no room for top_k {k}"
        )));
    }
    let ranks: Vec<f32> = row.chunks_exact(size).map(rank).collect();
    let kept = top_k(&ranks, topk_group);
    Ok(row
        .chunks_exact(size)
        .enumerate()
        .flat_map(|(g, scores)| {
            let keep = kept.iter().any(|&(best, _)| best == g);
            scores.iter().map(move |&s| if keep { s } else { out })
        })
        .collect())
}
