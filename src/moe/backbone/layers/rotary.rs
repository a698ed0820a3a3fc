//! Rotation of queries and keys by position.

use candle_core::{D, Result, Tensor};

use super::super::kernels::{map_rows, on_host};
use crate::moe::rope::RopeTable;

/// Which two dimensions turn together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::moe::backbone) enum Pairing {
    /// i and i + dim/2 ("rotate_half"), most models.
    Halves,
    /// 2i and 2i + 1 (DeepSeek, Llama 4). The order of the result differs between releases, but queries
    /// and keys agree, so the attention does not see it.
    Neighbours,
}

/// The angles of one forward call.
#[derive(Debug, Clone)]
pub(in crate::moe::backbone) struct Rotary {
    table: RopeTable,
    pairing: Pairing,
}

impl Rotary {
    pub fn new(table: RopeTable, pairing: Pairing) -> Self {
        Self { table, pairing }
    }

    /// Rotates the first `dim` of every head of `x: [B, S, heads, head_dim]`; the rest passes.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (_, seq, heads, head_dim) = x.dims4()?;
        if on_host(x) {
            return map_rows(x, head_dim, |row, values| self.row((row / heads) % seq, values));
        }
        self.composed(x)
    }

    fn row(&self, position: usize, row: &mut [f32]) {
        let half = self.table.dim / 2;
        let range = position * half..(position + 1) * half;
        let cos = self.table.cos.get(range.clone()).unwrap_or_default();
        let sin = self.table.sin.get(range).unwrap_or_default();
        let Some(rotated) = row.get_mut(..half * 2) else { return };
        let turn = |a: &mut f32, b: &mut f32, c: f32, s: f32| (*a, *b) = (*a * c - *b * s, *b * c + *a * s);
        match self.pairing {
            Pairing::Halves => {
                let (first, second) = rotated.split_at_mut(half);
                for (((a, b), c), s) in first.iter_mut().zip(second).zip(cos).zip(sin) {
                    turn(a, b, *c, *s);
                }
            }
            Pairing::Neighbours => {
                for ((pair, c), s) in rotated.chunks_exact_mut(2).zip(cos).zip(sin) {
                    if let [a, b] = pair {
                        turn(a, b, *c, *s);
                    }
                }
            }
        }
    }

    fn composed(&self, x: &Tensor) -> Result<Tensor> {
        let (batch, seq, heads, head_dim) = x.dims4()?;
        let (dim, half) = (self.table.dim, self.table.dim / 2);
        let angles = |values: &[f32]| {
            Tensor::from_slice(values.get(..seq * half).unwrap_or_default(), (1, seq, 1, half), x.device())
        };
        let (cos, sin) = (angles(&self.table.cos)?, angles(&self.table.sin)?);
        let turned = x.narrow(D::Minus1, 0, dim)?;
        let (a, b) = match self.pairing {
            Pairing::Halves => (turned.narrow(D::Minus1, 0, half)?, turned.narrow(D::Minus1, half, half)?),
            Pairing::Neighbours => {
                let pairs = turned.reshape((batch, seq, heads, half, 2))?;
                (pairs.narrow(4, 0, 1)?.squeeze(4)?, pairs.narrow(4, 1, 1)?.squeeze(4)?)
            }
        };
        let first = (a.broadcast_mul(&cos)? - b.broadcast_mul(&sin)?)?;
        let second = (b.broadcast_mul(&cos)? + a.broadcast_mul(&sin)?)?;
        let turned = match self.pairing {
            Pairing::Halves => Tensor::cat(&[first, second], D::Minus1)?,
            Pairing::Neighbours => Tensor::stack(&[first, second], 4)?.reshape((batch, seq, heads, dim))?,
        };
        let rest = x.narrow(D::Minus1, dim, head_dim - dim)?;
        Tensor::cat(&[turned, rest], D::Minus1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn the_kernel_and_the_composition_agree() {
        let table = RopeTable { cos: vec![1.0, 1.0, 0.5, 0.9], sin: vec![0.0, 0.0, 0.8, 0.4], dim: 4 };
        let values: Vec<f32> = (0..20).map(|v| v as f32).collect();
        let x = Tensor::from_vec(values, (1, 2, 2, 5), &Device::Cpu).unwrap();
        for pairing in [Pairing::Halves, Pairing::Neighbours] {
            let rotary = Rotary::new(table.clone(), pairing);
            let values = |t: Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            assert_eq!(values(rotary.forward(&x).unwrap()), values(rotary.composed(&x).unwrap()));
        }
    }
}
