//! Logits: the output matrix, which is large, read in pieces or kept.

use candle_core::Tensor;

use super::Model;
use super::forward::host;
use crate::moe::backbone::layers::Linear;
use crate::moe::error::{MoeError, MoeResult};

/// Rows of the output matrix converted to f32 at a time.
const HEAD_ROWS: usize = 8192;
/// An output matrix up to this many elements (256 MiB) is kept once converted.
const HEAD_KEPT: usize = 1 << 26;

impl Model {
    /// Logits of rows `[n, H]`, `[n, vocab]`.
    pub(super) fn logits(&self, x: &Tensor) -> MoeResult<Vec<f32>> {
        let Some((_, name)) = &self.tail else {
            return Err(MoeError::Request("logits need all layers to be loaded".into()));
        };
        let (vocab, hidden) = (self.vocab_size(), self.hidden_size());
        let multiplier = self.ends.logit_multiplier;
        let finish = |t: Tensor| if multiplier == 1.0 { Ok(t) } else { t * multiplier };
        if vocab * hidden <= HEAD_KEPT {
            return host(&finish(self.head(name, 0, vocab)?.forward(x)?)?);
        }
        let n = x.dim(0)?;
        let mut logits = vec![0f32; n * vocab];
        for start in (0..vocab).step_by(HEAD_ROWS) {
            let count = HEAD_ROWS.min(vocab - start);
            let part = host(&finish(self.head(name, start, count)?.forward(x)?)?)?;
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
        let weight = self.checkpoint.f32_rows(name, start, count)?;
        let weight = Tensor::from_vec(weight, (count, self.hidden_size()), &self.device.inner)?;
        let bias = match &self.head_bias {
            Some(bias) => {
                let part = bias.get(start..start + count).unwrap_or_default();
                Some(Tensor::from_slice(part, count, &self.device.inner)?)
            }
            None => None,
        };
        if count == self.vocab_size() {
            let head = Linear::out_in(&weight, bias)?;
            return Ok(self.kept_head.get_or_init(|| head).clone());
        }
        Ok(Linear::out_in_once(&weight, bias)?)
    }
}
