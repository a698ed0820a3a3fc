//! The auxiliary loss of transformers (`load_balancing_loss_func`).

use crate::moe::gating::{Logits, softmax_rows, top_k};

/// `E * sum_{rank, e} f_{rank, e} * P_e` over the tokens of all layers pooled.
///
/// `f` is the share of tokens whose choice of that rank is e, `P` the mean of softmax(z); balance gives
/// k, not 1 as DeepSpeed's. `layers` holds the `[T, E]` logits of each MoE layer, `mask` (one flag a
/// token of a layer) leaves padding out. It uses softmax(z) even where the router does not. `None`
/// without layers or tokens, or where the layers differ in E.
pub fn load_balancing_loss(layers: &[Logits<'_>], k: usize, mask: Option<&[bool]>) -> Option<f32> {
    let num_experts = layers.first()?.num_experts();
    if layers.iter().any(|l| l.num_experts() != num_experts) {
        return None;
    }
    let mut mean_prob = vec![0f64; num_experts];
    let mut share = vec![0f64; num_experts];
    let mut tokens = 0usize;
    for logits in layers {
        let probs = softmax_rows(logits);
        for (token, row) in probs.chunks_exact(num_experts).enumerate() {
            if mask.is_some_and(|m| m.get(token) == Some(&false)) {
                continue;
            }
            tokens += 1;
            for (m, &p) in mean_prob.iter_mut().zip(row) {
                *m += f64::from(p);
            }
            for (e, _) in top_k(row, k) {
                if let Some(s) = share.get_mut(e) {
                    *s += 1.0;
                }
            }
        }
    }
    if tokens == 0 {
        return None;
    }
    let n = tokens as f64;
    let sum: f64 = mean_prob.iter().zip(&share).map(|(p, f)| p / n * (f / n)).sum();
    Some((sum * num_experts as f64) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balance_is_k_and_padding_does_not_count() {
        let z = [5.0, 5.0, 0.0, 0.0, 0.0, 0.0, 5.0, 5.0, 9.0, 9.0, 0.0, 0.0];
        let logits = Logits::new(&z, 4).unwrap();
        let loss = load_balancing_loss(&[logits], 2, Some(&[true, true, false])).unwrap();
        assert!((loss - 2.0).abs() < 1e-5, "{loss}");
        assert!(load_balancing_loss(&[logits], 2, None).unwrap() > 2.1);
        assert_eq!(load_balancing_loss(&[], 2, None), None);
    }
}
