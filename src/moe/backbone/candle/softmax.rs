//! Softmax over the keys a query may see.

use std::ops::Range;

use candle_core::{D, Result, Tensor};

use super::kernels::map_rows_in_place;
use super::vector;
use crate::moe::backbone::layers::AttentionMask;

/// First key and number of keys that some query of a block sees; all keys where one sees none.
pub(super) fn key_range(
    visible: &AttentionMask,
    lens: &[usize],
    seq: usize,
    queries: &Range<usize>,
) -> (usize, usize) {
    let shortest = lens.iter().copied().min().unwrap_or(0);
    // Windows end later for later queries: if one is empty, the last one is.
    if visible.keys(queries.end.saturating_sub(1), shortest).is_empty() {
        return (0, seq);
    }
    let first_key = visible.keys(queries.start, shortest).start;
    (first_key, queries.end - first_key)
}

/// One block of queries against the keys `first_key..`.
#[derive(Debug)]
pub(super) struct ScoreBlock<'a> {
    pub visible: &'a AttentionMask,
    /// Real tokens of each sequence.
    pub lens: &'a [usize],
    pub heads: usize,
    pub queries: Range<usize>,
    pub first_key: usize,
    pub scale: f32,
    /// One more logit a head that takes probability but has no value (gpt-oss).
    pub sinks: Option<&'a [f32]>,
}

impl ScoreBlock<'_> {
    /// Where row `row` of the scores `[B * heads * queries, keys]` belongs: its keys and its head.
    fn place(&self, row: usize, width: usize) -> (Range<usize>, usize) {
        let count = self.queries.len().max(1);
        let (query, head) = (self.queries.start + row % count, (row / count) % self.heads);
        let len = self.lens.get(row / (count * self.heads)).copied().unwrap_or(usize::MAX);
        let keys = self.visible.keys(query, len);
        let start = keys.start.saturating_sub(self.first_key).min(width);
        (start..keys.end.saturating_sub(self.first_key).clamp(start, width), head)
    }

    fn sink(&self, head: usize) -> Option<f32> {
        self.sinks.and_then(|s| s.get(head)).copied()
    }

    /// Raw scores `[…, keys]` to probabilities of the same shape, on the CPU; `scores` must be the only holder of its
    /// values.
    pub fn softmax_in_place(&self, scores: Tensor) -> Result<Tensor> {
        map_rows_in_place(&scores, scores.dim(D::Minus1)?, |row, values| self.row(row, values))?;
        Ok(scores)
    }

    fn row(&self, row: usize, values: &mut [f32]) {
        let (keys, head) = self.place(row, values.len());
        let sink = self.sink(head);
        if keys.is_empty() {
            return values.fill(if sink.is_some() { 0.0 } else { 1.0 / values.len() as f32 });
        }
        let (before, rest) = values.split_at_mut(keys.start);
        let (seen, after) = rest.split_at_mut(keys.len());
        before.fill(0.0);
        after.fill(0.0);
        vector::softmax(seen, self.scale, sink);
    }

    /// The same on any device, from candle's operations.
    pub fn softmax(&self, scores: &Tensor) -> Result<Tensor> {
        let (shape, width) = (scores.shape().clone(), scores.dim(D::Minus1)?);
        let rows = scores.elem_count() / width.max(1);
        let mut mask = vec![f32::NEG_INFINITY; rows * width];
        let mut sinks = Vec::with_capacity(rows);
        for (row, values) in mask.chunks_mut(width.max(1)).enumerate() {
            let (keys, head) = self.place(row, width);
            if keys.is_empty() {
                // So small that every score vanishes in it.
                values.fill(-1e30);
            }
            values.get_mut(keys).unwrap_or_default().fill(0.0);
            sinks.push(self.sink(head).unwrap_or(f32::NEG_INFINITY));
        }
        let mask = Tensor::from_vec(mask, (rows, width), scores.device())?;
        let sinks = Tensor::from_vec(sinks, (rows, 1), scores.device())?;
        let z = ((scores.reshape((rows, width))? * f64::from(self.scale))? + mask)?;
        let z = Tensor::cat(&[z, sinks], 1)?;
        let e = z.broadcast_sub(&z.max_keepdim(1)?)?.exp()?;
        e.broadcast_div(&e.sum_keepdim(1)?)?.narrow(1, 0, width)?.reshape(shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn the_kernel_and_the_composition_agree() {
        // The second sequence has one real token, so its last query sees none through the window.
        let scores: Vec<f32> = (0..24).map(|v| (v as f32 * 0.7).sin()).collect();
        let scores = Tensor::from_vec(scores, (4, 2, 3), &Device::Cpu).unwrap();
        let visible = AttentionMask { window: Some(2), chunk: None };
        for sinks in [None, Some(&[0.5f32, -1.0][..])] {
            let block = ScoreBlock {
                visible: &visible,
                lens: &[3, 1],
                heads: 2,
                queries: 1..3,
                first_key: 0,
                scale: 0.5,
                sinks,
            };
            let values = |t: Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let (a, b) = (
                values(block.softmax_in_place(scores.copy().unwrap()).unwrap()),
                values(block.softmax(&scores).unwrap()),
            );
            assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-6), "{a:?} {b:?}");
        }
    }
}
