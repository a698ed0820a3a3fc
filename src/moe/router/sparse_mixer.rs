//! PhiMoE's router in eval mode (SparseMixer-v2, arXiv 2409.12136).

use super::chosen::Chosen;
use crate::moe::error::{MoeError, MoeResult};
use crate::moe::gating::{Logits, argmax};

/// e1 = argmax z, its weight the softmax over the logits close to it; then the same without e1.
///
/// "Close" means `(max - z) / max(|z|, max) <= 2 * jitter_eps`; the second round takes its own maximum
/// but still all of z. Each weight is near 1, they do not sum to 1.
pub(super) fn route(logits: &Logits<'_>, k: usize, jitter_eps: f32) -> MoeResult<Chosen> {
    if k != 2 {
        return Err(MoeError::Gate(format!("the sparse mixer routes to 2 experts, not to {k}")));
    }
    let mut chosen = Vec::with_capacity(logits.tokens() * 2);
    for row in logits.rows() {
        let first = pick(row, None, jitter_eps);
        let second = pick(row, Some(first.0), jitter_eps);
        chosen.extend([first, second]);
    }
    Ok(chosen)
}

/// The best expert other than `without`, and its weight.
fn pick(row: &[f32], without: Option<usize>, jitter_eps: f32) -> (usize, f32) {
    let open = || row.iter().enumerate().filter(move |&(e, _)| Some(e) != without);
    let Some((best, max)) =
        argmax(open().map(|(_, &z)| z)).and_then(|nth| open().nth(nth)).map(|(e, &z)| (e, z))
    else {
        return (0, 0.0);
    };
    let close = |z: f32| (max - z) / z.abs().max(max) <= 2.0 * jitter_eps;
    // The maximum itself is always in (0 / x), so the sum is at least 1. At max = z = 0 the quotient is
    // NaN, which torch's `>` does not mask: keep those too.
    let kept = |z: f32| close(z) || ((max - z) / z.abs().max(max)).is_nan();
    let sum: f32 = open().filter(|&(_, &z)| kept(z)).map(|(_, &z)| (z - max).exp()).sum();
    (best, 1.0 / sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_near_one_each() {
        let logits = Logits::new(&[3.0, 2.0, 1.0, 1.99], 4).unwrap();
        let chosen = route(&logits, 2, 0.01).unwrap();
        assert_eq!(chosen[0], (0, 1.0));
        // 1.99 is within 2 % of 2.0, so the second weight is shared.
        assert_eq!(chosen[1].0, 1);
        assert!((chosen[1].1 - 1.0 / (1.0 + (-0.01f32).exp())).abs() < 1e-6);
    }

    #[test]
    fn all_zero_logits_do_not_divide_by_zero() {
        let logits = Logits::new(&[0.0; 4], 4).unwrap();
        let chosen = route(&logits, 2, 0.01).unwrap();
        assert_eq!((chosen[0].0, chosen[1].0), (0, 1));
        assert!((chosen[0].1 - 0.25).abs() < 1e-6);
    }
}
