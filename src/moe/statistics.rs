//! How evenly a layer's tokens spread over its experts, for all rows or a subset of them.
//!
//! Definitions: *load* of an expert = its kept choices · E / all kept choices (1 is fair, 0 is dead), over all
//! k choices of a row, each counted once whatever its weight; *entropy* = −Σ p ln p / ln E of those shares
//! (1 is even); *dropped* = choices that found their expert full, of all choices.

use super::route::RouteLayer;

/// The spread of one layer over a subset of rows.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerStatistics {
    pub layer: usize,
    pub top_k: usize,
    /// Rows in the subset.
    pub rows: usize,
    /// Kept choices an expert.
    pub counts: Vec<usize>,
    /// Choices of the subset that were dropped.
    pub dropped: usize,
}

impl LayerStatistics {
    /// Counts the rows for which `keep` holds. Layers without arrays (`--logits false`) count nothing.
    pub fn of(layer: &RouteLayer, keep: impl Fn(usize) -> bool) -> Self {
        let mut counts = vec![0; layer.num_experts];
        let (mut rows, mut dropped) = (0, 0);
        let experts = layer.experts.as_deref().unwrap_or_default();
        let drops = layer.dropped.as_deref().unwrap_or_default();
        for (row, choices) in experts.iter().enumerate().filter(|(row, _)| keep(*row)) {
            rows += 1;
            for (rank, expert) in choices.iter().enumerate() {
                let is_dropped = drops.get(row).and_then(|d| d.get(rank)).copied().unwrap_or(false);
                match counts.get_mut(*expert) {
                    _ if is_dropped => dropped += 1,
                    Some(count) => *count += 1,
                    None => {}
                }
            }
        }
        Self { layer: layer.layer, top_k: layer.top_k, rows, counts, dropped }
    }

    /// Kept choices in all.
    pub fn kept(&self) -> usize {
        self.counts.iter().sum()
    }

    /// Load of each expert against the ideal; all 0 for an empty subset.
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

    /// Experts without a token.
    pub fn dead(&self) -> usize {
        self.counts.iter().filter(|c| **c == 0).count()
    }

    /// Share of the subset's choices that were dropped.
    pub fn dropped_share(&self) -> f64 {
        let all = self.kept() + self.dropped;
        if all == 0 { 0.0 } else { self.dropped as f64 / all as f64 }
    }
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
        assert_eq!((all.rows, all.counts.as_slice(), all.dropped), (3, &[2, 2, 1, 0][..], 1));
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
}
