//! How evenly a layer's positions spread over its experts, for all positions or a subset of them.
//!
//! Definitions: an *assignment* is one of the k choices of a position, counted once whatever its weight; *load* of an
//! expert = its kept assignments · E / all kept assignments (1 = uniform, 0 = dead); *entropy* = −Σ p ln p / ln E of
//! those shares (1 = uniform); *dropped* = assignments that found their expert full, of all assignments.

use std::collections::BTreeMap;

use super::backbone::LayerRouting;
use super::gating::{Decision, Logits, balance_loss, softmax_rows};
use super::route::RouteLayer;

/// The spread of one layer over a subset of positions.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerStatistics {
    pub layer: usize,
    pub top_k: usize,
    /// Positions in the subset.
    pub positions: usize,
    /// Kept assignments an expert.
    pub counts: Vec<usize>,
    /// Assignments of the subset that were dropped.
    pub dropped: usize,
}

impl LayerStatistics {
    /// Counts the positions of a JSON row for which `keep` holds. Layers without arrays (`--logits false`) count
    /// nothing.
    pub fn of(layer: &RouteLayer, keep: impl Fn(usize) -> bool) -> Self {
        let experts = layer.experts.iter().flatten().map(Vec::as_slice);
        let drops = layer.dropped.as_deref().unwrap_or_default();
        let is_dropped =
            |position: usize, rank: usize| drops.get(position).and_then(|d| d.get(rank)) == Some(&true);
        let empty = Self::empty(layer.layer, layer.num_experts, layer.top_k);
        empty.counted(experts.enumerate().filter(|(position, _)| keep(*position)), is_dropped)
    }

    /// The same from a decision.
    pub fn of_decision(layer: usize, decision: &Decision, keep: impl Fn(usize) -> bool) -> Self {
        let experts = decision.idx.chunks_exact(decision.top_k.max(1));
        let is_dropped = |position, rank| decision.is_dropped(position, rank);
        let empty = Self::empty(layer, decision.num_experts, decision.top_k);
        empty.counted(experts.enumerate().filter(|(position, _)| keep(*position)), is_dropped)
    }

    fn empty(layer: usize, num_experts: usize, top_k: usize) -> Self {
        Self { layer, top_k, positions: 0, counts: vec![0; num_experts], dropped: 0 }
    }

    /// With the choices of more positions.
    fn counted<'a>(
        mut self,
        positions: impl Iterator<Item = (usize, &'a [usize])>,
        is_dropped: impl Fn(usize, usize) -> bool,
    ) -> Self {
        for (position, choices) in positions {
            self.positions += 1;
            for (rank, expert) in choices.iter().enumerate() {
                match self.counts.get_mut(*expert) {
                    _ if is_dropped(position, rank) => self.dropped += 1,
                    Some(count) => *count += 1,
                    None => {}
                }
            }
        }
        self
    }

    /// Kept assignments in all.
    pub fn kept(&self) -> usize {
        self.counts.iter().sum()
    }

    /// Load of each expert, 1 = uniform; all 0 for an empty subset.
    pub fn load(&self) -> Vec<f64> {
        let kept = self.kept().max(1) as f64;
        self.counts.iter().map(|c| *c as f64 * self.counts.len() as f64 / kept).collect()
    }

    /// Evenness, 0 (one expert has all) to 1; 1 for a single expert, 0 for an empty subset.
    pub fn entropy(&self) -> f64 {
        let kept = self.kept() as f64;
        match self.counts.len() {
            _ if kept == 0.0 => 0.0,
            0 | 1 => 1.0,
            n => {
                let shares = self.counts.iter().filter(|c| **c > 0).map(|c| *c as f64 / kept);
                shares.map(|p| -p * p.ln()).sum::<f64>() / (n as f64).ln()
            }
        }
    }

    /// Experts without an assignment.
    pub fn dead(&self) -> usize {
        self.counts.iter().filter(|c| **c == 0).count()
    }

    /// Share of the subset's assignments that were dropped.
    pub fn dropped_share(&self) -> f64 {
        let all = self.kept() + self.dropped;
        if all == 0 { 0.0 } else { self.dropped as f64 / all as f64 }
    }
}

/// How often two experts were chosen for the same position, `[E, E]`: all pairs of its k choices, kept or not. The
/// diagonal counts the positions that chose the expert at all.
pub fn coactivation(decision: &Decision, keep: impl Fn(usize) -> bool) -> Vec<usize> {
    let n = decision.num_experts;
    let mut pairs = vec![0; n * n];
    let choices = decision.idx.chunks_exact(decision.top_k.max(1)).enumerate();
    for (_, experts) in choices.filter(|(row, _)| keep(*row)) {
        for a in experts {
            for b in experts {
                if let Some(count) = pairs.get_mut(a * n + b) {
                    *count += 1;
                }
            }
        }
    }
    pairs
}

/// The routing paths of positions through the layers: the first choice of each layer, with the number of positions
/// that took it; most frequent first, then by experts.
pub fn paths(routings: &[&LayerRouting], keep: impl Fn(usize) -> bool) -> Vec<(Vec<usize>, usize)> {
    let rows = routings.first().map_or(0, |r| r.decision.tokens());
    let mut counts: BTreeMap<Vec<usize>, usize> = BTreeMap::new();
    for row in (0..rows).filter(|row| keep(*row)) {
        let first = |r: &&LayerRouting| r.decision.idx.get(row * r.decision.top_k).copied();
        *counts.entry(routings.iter().filter_map(first).collect()).or_default() += 1;
    }
    let mut paths: Vec<_> = counts.into_iter().collect();
    paths.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    paths
}

/// The load-balancing loss of one layer over all positions of its call, whichever router it has: DeepSpeed's own where
/// there is one, else E · Σ mean softmax · share of first choices. 1 = uniform, E = collapsed.
pub fn layer_balance(routing: &LayerRouting) -> Option<f32> {
    let d = &routing.decision;
    let computed = || {
        let gates = softmax_rows(&Logits::new(&routing.logits, d.num_experts).ok()?);
        Some(balance_loss(&gates, &d.exp_counts.first, 1))
    };
    d.l_aux.or_else(computed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer() -> RouteLayer {
        RouteLayer {
            layer: 2,
            num_experts: 4,
            top_k: 2,
            capacity: Some(2),
            gate_logits: None,
            experts: Some(vec![vec![0, 1], vec![0, 1], vec![0, 2]]),
            weights: None,
            dropped: Some(vec![vec![false, false], vec![false, false], vec![true, false]]),
            exp_counts: vec![3, 0, 0, 0],
            l_aux: None,
        }
    }

    #[test]
    fn drops_and_subsets_are_counted() {
        let all = LayerStatistics::of(&layer(), |_| true);
        assert_eq!((all.positions, all.counts.as_slice(), all.dropped), (3, &[2, 2, 1, 0][..], 1));
        assert_eq!(all.load(), vec![1.6, 1.6, 0.8, 0.0]);
        assert_eq!(all.dead(), 1);
        assert!((all.dropped_share() - 1.0 / 6.0).abs() < 1e-12);
        let first = LayerStatistics::of(&layer(), |row| row == 0);
        assert_eq!(first.counts, [1, 1, 0, 0]);
        assert!((first.entropy() - 0.5).abs() < 1e-12, "two of four experts, evenly: ln 2 / ln 4");
    }

    #[test]
    fn an_empty_subset_has_no_load() {
        let none = LayerStatistics::of(&layer(), |_| false);
        assert_eq!((none.entropy(), none.dropped_share(), none.load()), (0.0, 0.0, vec![0.0; 4]));
    }

    fn routing(layer: usize, idx: Vec<usize>, slots: Option<Vec<Option<usize>>>) -> LayerRouting {
        let decision = Decision {
            num_experts: 3,
            top_k: 2,
            weights: vec![0.5; idx.len()],
            exp_counts: crate::moe::gating::ExpCounts { first: vec![2, 1, 0], all: vec![0; 3] },
            idx,
            slots,
            ..Decision::default()
        };
        LayerRouting { layer, logits: vec![0.0; 9], decision }
    }

    #[test]
    fn pairs_and_paths_count_positions_of_the_subset() {
        let a = routing(0, vec![0, 1, 0, 1, 1, 2], None);
        assert_eq!(coactivation(&a.decision, |_| true), [2, 2, 0, 2, 3, 1, 0, 1, 1]);
        assert_eq!(coactivation(&a.decision, |row| row == 2), [0, 0, 0, 0, 1, 1, 0, 1, 1]);
        let b = routing(2, vec![2, 0, 2, 0, 0, 1], None);
        assert_eq!(paths(&[&a, &b], |_| true), [(vec![0, 2], 2), (vec![1, 0], 1)]);
        assert_eq!(paths(&[&a, &b], |row| row == 2), [(vec![1, 0], 1)]);
        // Even gates: E * sum(1/3 * share) = 1.
        assert!((layer_balance(&a).unwrap() - 1.0).abs() < 1e-6);
    }

    #[test]
    fn a_decision_and_its_row_of_json_count_alike() {
        let slots = vec![Some(0), Some(0), Some(1), Some(1), None, Some(0)];
        let all = LayerStatistics::of_decision(
            2,
            &routing(2, vec![0, 1, 0, 1, 0, 2], Some(slots)).decision,
            |_| true,
        );
        let json = LayerStatistics::of(&layer(), |_| true);
        assert_eq!((all.positions, all.dropped, all.kept()), (json.positions, json.dropped, json.kept()));
        assert_eq!(all.counts, [2, 2, 1]);
    }
}
