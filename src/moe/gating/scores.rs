//! Softmax, order and balance of router logits, as all gates and routers use them.

use super::decision::Logits;

/// Smallest difference `f32` can see at 1: DeepSpeed's floor for the sum of kept weights.
pub(super) const EPS: f32 = f32::EPSILON;

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
