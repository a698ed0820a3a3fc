//! Softmax over the keys a query may see.

use std::ops::Range;

use candle_core::{D, Result, Tensor};

use super::super::kernels::{map_rows_in_place, on_host};
use super::super::vector;

/// Which keys a query sees: causal, at most `window` back, inside its chunk, no padding.
#[derive(Debug, Clone, Default)]
pub(in crate::moe::backbone) struct AttentionMask {
    /// Query i sees keys j with i - window < j <= i.
    pub window: Option<usize>,
    /// Query i sees keys of its own chunk only (Llama 4).
    pub chunk: Option<usize>,
}

impl AttentionMask {
    /// The keys that query `i` of a sequence of `len` real tokens sees; none for a padding query whose
    /// window holds padding only. torch adds the smallest f32 to every score of such a row, which leaves a
    /// uniform mixture of all keys: [`ScoreBlock`] does the same, because the row is routed like any other.
    pub fn keys(&self, i: usize, len: usize) -> Range<usize> {
        let window_start = self.window.map_or(0, |w| (i + 1).saturating_sub(w));
        let chunk_start = self.chunk.map_or(0, |c| i - i % c.max(1));
        let end = (i + 1).min(len);
        window_start.max(chunk_start).min(end)..end
    }
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

    /// Raw scores `[…, keys]` to probabilities of the same shape; `scores` must be the only holder of its values.
    pub fn softmax(&self, scores: Tensor) -> Result<Tensor> {
        let width = scores.dim(D::Minus1)?;
        if on_host(&scores) {
            map_rows_in_place(&scores, width, |row, values| self.row(row, values))?;
            return Ok(scores);
        }
        self.composed(&scores, width)
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

    fn composed(&self, scores: &Tensor, width: usize) -> Result<Tensor> {
        let shape = scores.shape().clone();
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
    fn windows_chunks_and_padding_limit_the_keys() {
        let plain = AttentionMask::default();
        assert_eq!(plain.keys(3, 10), 0..4);
        assert_eq!(plain.keys(3, 2), 0..2);
        assert_eq!(AttentionMask { window: Some(2), chunk: None }.keys(3, 10), 2..4);
        assert_eq!(AttentionMask { window: None, chunk: Some(2) }.keys(3, 10), 2..4);
        assert_eq!(AttentionMask { window: None, chunk: Some(2) }.keys(4, 10), 4..5);
        assert!(AttentionMask { window: Some(1), chunk: None }.keys(3, 1).is_empty());
    }

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
                values(block.softmax(scores.copy().unwrap()).unwrap()),
                values(block.composed(&scores, 3).unwrap()),
            );
            assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-6), "{a:?} {b:?}");
        }
    }
}
