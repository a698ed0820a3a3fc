//! The routers of transformers as pure functions: logits in, choices and weights out. No capacity, no
//! drops, no noise.
//!
//! Formulas: docs/moe.md, section 4, read from transformers 5.23 (older releases agree unless noted). One
//! router per formula, not per model; the backbones say which one a model uses:
//!
//! | router | models |
//! | --- | --- |
//! | [`Router::SoftmaxTopK`] | Mixtral (normalised), Qwen2-MoE, Qwen3-MoE, OLMoE |
//! | [`Router::TopKSoftmax`] | gpt-oss, GraniteMoe |
//! | [`Router::SparseMixer`] | PhiMoE |
//! | [`Router::GroupLimitedSoftmax`] | DeepSeek-V2 |
//! | [`Router::GroupLimitedSigmoid`] | DeepSeek-V3 |
//! | [`Router::SigmoidInput`] | Llama 4 |
//!
//! Ties go to the lowest index (torch.topk leaves them open).

mod chosen;
mod grouped;
mod load_balancing;
mod sparse_mixer;

pub use chosen::Groups;
pub use load_balancing::load_balancing_loss;

use super::error::{MoeError, MoeResult};
use super::gating::{Applied, Decision, Logits, softmax_rows, top_k};
use chosen::{Chosen, sigmoid};

/// How scores become choices and weights.
#[derive(Debug, Clone, PartialEq)]
pub enum Router {
    /// Softmax over E, top-k, weights divided by their sum iff `norm_topk_prob`.
    SoftmaxTopK { norm_topk_prob: bool },
    /// Top-k of the logits, softmax over the k.
    TopKSoftmax,
    /// Two experts whose weights are each near 1; `jitter_eps` is the config's `router_jitter_noise`.
    SparseMixer { jitter_eps: f32 },
    /// Softmax over E; with groups, the score of a group is its maximum and the others count 0; top-k;
    /// times `routed_scaling_factor`.
    GroupLimitedSoftmax { groups: Option<Groups>, routed_scaling_factor: f32 },
    /// Sigmoid; chosen on score + bias, a group's score being the sum of its two best; the weights are
    /// the scores without bias.
    GroupLimitedSigmoid {
        groups: Groups,
        e_score_correction_bias: Vec<f32>,
        norm_topk_prob: bool,
        routed_scaling_factor: f32,
    },
    /// Top-k of the logits; their sigmoid multiplies the expert's input.
    SigmoidInput,
}

impl Router {
    /// Routes every token to `k` experts.
    ///
    /// # Errors
    /// k = 0, k > E, groups that do not divide E or leave fewer than k experts, a bias that is not
    /// one value an expert, SparseMixer with k other than 2.
    pub fn route(&self, logits: &Logits<'_>, k: usize) -> MoeResult<Decision> {
        let num_experts = logits.num_experts();
        if k == 0 || k > num_experts {
            return Err(MoeError::Gate(format!("top_k is {k}, it must be 1..={num_experts} (the experts)")));
        }
        let chosen = match self {
            Self::SoftmaxTopK { norm_topk_prob } => softmax_top_k(logits, k, *norm_topk_prob),
            Self::TopKSoftmax => top_k_then(logits, k, softmax_over_chosen),
            Self::SigmoidInput => top_k_then(logits, k, |row| {
                row.iter_mut().for_each(|(_, z)| *z = sigmoid(*z));
            }),
            Self::SparseMixer { jitter_eps } => sparse_mixer::route(logits, k, *jitter_eps)?,
            Self::GroupLimitedSoftmax { groups, routed_scaling_factor } => {
                grouped::softmax(logits, k, *groups, *routed_scaling_factor)?
            }
            Self::GroupLimitedSigmoid {
                groups,
                e_score_correction_bias: bias,
                norm_topk_prob,
                routed_scaling_factor,
            } => {
                let mut chosen = grouped::sigmoid(logits, k, *groups, bias)?;
                for row in chosen.chunks_exact_mut(k) {
                    // 1e-20 keeps a row of zeros from dividing by zero, as in the reference.
                    let sum = row.iter().map(|c| c.1).sum::<f32>() + 1e-20;
                    let scale = if *norm_topk_prob { 1.0 / sum } else { 1.0 };
                    row.iter_mut().for_each(|(_, w)| *w *= scale * routed_scaling_factor);
                }
                chosen
            }
        };
        let (idx, weights) = chosen.into_iter().unzip();
        let mut decision = Decision::uncapped(num_experts, k, idx, weights);
        if matches!(self, Self::SigmoidInput) {
            decision.applied = Applied::Input;
        }
        Ok(decision)
    }
}

fn softmax_top_k(logits: &Logits<'_>, k: usize, norm_topk_prob: bool) -> Chosen {
    let scores = softmax_rows(logits);
    let mut chosen = Vec::with_capacity(logits.tokens() * k);
    for row in scores.chunks_exact(logits.num_experts()) {
        let mut best = top_k(row, k);
        if norm_topk_prob {
            let sum: f32 = best.iter().map(|c| c.1).sum();
            best.iter_mut().for_each(|(_, w)| *w /= sum);
        }
        chosen.extend(best);
    }
    chosen
}

fn top_k_then(logits: &Logits<'_>, k: usize, weigh: impl Fn(&mut [(usize, f32)])) -> Chosen {
    let mut chosen = Vec::with_capacity(logits.tokens() * k);
    for row in logits.rows() {
        let mut best = top_k(row, k);
        weigh(&mut best);
        chosen.extend(best);
    }
    chosen
}

fn softmax_over_chosen(row: &mut [(usize, f32)]) {
    let max = row.iter().map(|c| c.1).fold(f32::NEG_INFINITY, f32::max);
    row.iter_mut().for_each(|(_, z)| *z = (*z - max).exp());
    let sum: f32 = row.iter().map(|c| c.1).sum();
    row.iter_mut().for_each(|(_, z)| *z /= sum);
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: [f32; 4] = [0.0, 2.0, 1.0, -1.0];

    fn route(router: &Router, k: usize) -> Decision {
        router.route(&Logits::new(&ROW, 4).unwrap(), k).unwrap()
    }

    #[test]
    fn normalised_softmax_equals_softmax_over_the_chosen() {
        let (a, b) =
            (route(&Router::SoftmaxTopK { norm_topk_prob: true }, 2), route(&Router::TopKSoftmax, 2));
        assert_eq!(a.idx, [1, 2]);
        assert_eq!(a.idx, b.idx);
        assert!(a.weights.iter().zip(&b.weights).all(|(x, y)| (x - y).abs() < 1e-6));
    }

    #[test]
    fn without_norm_the_weights_do_not_sum_to_one() {
        let d = route(&Router::SoftmaxTopK { norm_topk_prob: false }, 2);
        assert!(d.weights.iter().sum::<f32>() < 0.95);
    }

    #[test]
    fn a_bias_moves_the_choice_but_not_the_weight() {
        let router = Router::GroupLimitedSigmoid {
            groups: Groups { n_group: 2, topk_group: 2 },
            e_score_correction_bias: vec![0.0, 0.0, 0.0, 10.0],
            norm_topk_prob: false,
            routed_scaling_factor: 1.0,
        };
        let d = route(&router, 1);
        assert_eq!(d.idx, [3]);
        assert!((d.weights[0] - sigmoid(-1.0)).abs() < 1e-6);
    }

    #[test]
    fn a_losing_group_is_out() {
        // Group {0, 1} holds the maximum, so expert 2 (second best) is not eligible.
        let groups = Some(Groups { n_group: 2, topk_group: 1 });
        let d = route(&Router::GroupLimitedSoftmax { groups, routed_scaling_factor: 2.0 }, 2);
        assert_eq!(d.idx, [1, 0]);
    }

    #[test]
    fn impossible_routers_are_errors() {
        let logits = Logits::new(&ROW, 4).unwrap();
        let groups = |n_group, topk_group| Router::GroupLimitedSoftmax {
            groups: Some(Groups { n_group, topk_group }),
            routed_scaling_factor: 1.0,
        };
        assert!(Router::TopKSoftmax.route(&logits, 5).is_err());
        assert!(Router::TopKSoftmax.route(&logits, 0).is_err());
        assert!(groups(3, 1).route(&logits, 1).is_err());
        assert!(groups(0, 0).route(&logits, 1).is_err());
        assert!(groups(2, 3).route(&logits, 1).is_err());
        assert!(groups(4, 1).route(&logits, 2).is_err());
        assert!(Router::SparseMixer { jitter_eps: 0.01 }.route(&logits, 3).is_err());
    }
}
