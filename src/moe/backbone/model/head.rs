//! Logits: the output matrix, which is large, read in pieces or kept.

use super::Model;
use crate::moe::backbone::array::Array;
use crate::moe::backbone::layers::{Linear, Weight, WeightForm};
use crate::moe::error::{MoeError, MoeResult};

/// Rows of the output matrix converted to f32 at a time.
const HEAD_ROWS: usize = 8192;
/// An output matrix up to this many elements (256 MiB) is kept once converted.
const HEAD_KEPT: usize = 1 << 26;

impl Model {
    /// Logits of rows `[n, H]`, `[n, vocab]`.
    pub(super) fn logits(&self, x: &Array) -> MoeResult<Vec<f32>> {
        let Some((_, name)) = &self.tail else {
            return Err(MoeError::Request("logits need all layers to be loaded".into()));
        };
        let (vocab, hidden) = (self.vocab_size(), self.hidden_size());
        let (on, multiplier) = (self.compute(), self.ends.logit_multiplier as f32);
        let part = |start: usize, count: usize| -> MoeResult<Vec<f32>> {
            let mut values = on.values(&on.linear(x, &self.head(name, start, count)?)?)?;
            if multiplier != 1.0 {
                values.iter_mut().for_each(|v| *v *= multiplier);
            }
            Ok(values)
        };
        if vocab * hidden <= HEAD_KEPT {
            return part(0, vocab);
        }
        let mut logits = vec![0f32; x.rows * vocab];
        for start in (0..vocab).step_by(HEAD_ROWS) {
            let count = HEAD_ROWS.min(vocab - start);
            let part = part(start, count)?;
            for (row, values) in logits.chunks_exact_mut(vocab).zip(part.chunks_exact(count)) {
                row.get_mut(start..start + count).unwrap_or_default().copy_from_slice(values);
            }
        }
        Ok(logits)
    }

    /// Rows `start..start + count` of the output matrix; kept when they are all of it.
    fn head(&self, name: &str, start: usize, count: usize) -> MoeResult<Linear> {
        if let Some(head) = self.kept_head.get() {
            return Ok(head.clone());
        }
        let whole = count == self.vocab_size();
        let bias = self.head_bias.as_ref();
        let head = self.compute().store(Weight {
            values: self.checkpoint.f32_rows(name, start, count)?,
            input: self.hidden_size(),
            out: count,
            form: if whole { WeightForm::OutIn } else { WeightForm::OutInOnce },
            bias: bias.map(|bias| bias.get(start..start + count).unwrap_or_default().to_vec()),
        })?;
        Ok(if whole { self.kept_head.get_or_init(|| head).clone() } else { head })
    }
}
