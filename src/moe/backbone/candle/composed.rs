//! candle's other devices (CUDA, Metal): every operation put together from candle's.

use candle_core::{D, Device, Result, Tensor};

use super::common;
use super::composed_attention::attend;
use crate::moe::backbone::array::{Array, elsewhere};
use crate::moe::backbone::compute::{Beside, Compute, ExpertRows, HeadPart, Scores};
use crate::moe::backbone::layers::{Activation, Linear, Norm, Pairing, Rotary, Weight, WeightForm};
use crate::moe::error::MoeResult;
use crate::moe::gating::Applied;

/// A device of candle.
#[derive(Debug)]
pub(in crate::moe::backbone) struct Composed {
    pub device: Device,
}

impl Compute for Composed {
    fn array(&self, values: Vec<f32>, width: usize) -> MoeResult<Array> {
        common::array(values, width, &self.device)
    }

    fn values(&self, x: &Array) -> MoeResult<Vec<f32>> {
        common::values(x)
    }

    fn store(&self, weight: Weight) -> MoeResult<Linear> {
        let Weight { values, input, out, form, bias } = weight;
        let weight = match form {
            WeightForm::OutIn | WeightForm::OutInOnce => {
                Tensor::from_vec(values, (out, input), &self.device)?.t()?
            }
            WeightForm::InOut => Tensor::from_vec(values, (input, out), &self.device)?,
        };
        let bias = bias.map(|bias| Tensor::from_vec(bias, out, &self.device)).transpose()?;
        Ok(Linear::Candle { weight, bias })
    }

    fn linear(&self, x: &Array, linear: &Linear) -> MoeResult<Array> {
        let Linear::Candle { weight, bias } = linear else { return Err(elsewhere()) };
        let y = x.tensor()?.matmul(weight)?;
        Array::of_tensor(match bias {
            Some(bias) => y.broadcast_add(bias)?,
            None => y,
        })
    }

    fn norm(&self, x: &Array, norm: &Norm) -> MoeResult<Array> {
        let rows = x.tensor()?.reshape(((), norm.width()))?;
        Array::of_tensor(normalised(&rows, norm)?.reshape((x.rows, x.width))?)
    }

    fn rotate(&self, x: Array, heads: usize, start: usize, rotary: &Rotary) -> MoeResult<Array> {
        Array::of_tensor(rotated(x.tensor()?, heads, start, rotary)?)
    }

    fn clamp(&self, x: Array, limit: f64) -> MoeResult<Array> {
        common::clamp(&x, limit)
    }

    fn scale_positions(&self, x: Array, factors: Vec<f32>) -> MoeResult<Array> {
        common::scale_positions(&x, factors)
    }

    fn attend(&self, scores: &Scores<'_>) -> MoeResult<Array> {
        attend(scores)
    }

    fn regroup(&self, heads: usize, parts: &[HeadPart<'_>]) -> MoeResult<Array> {
        common::regroup(heads, parts)
    }

    fn add(&self, y: Array, multiplier: f64, x: &Array) -> MoeResult<Array> {
        let y = y.into_tensor()?;
        let y = if multiplier == 1.0 { y } else { (y * multiplier)? };
        Array::of_tensor((y + x.tensor()?)?)
    }

    fn activate(&self, x: Array, activation: Activation) -> MoeResult<Array> {
        let x = x.tensor()?;
        Array::of_tensor(match activation {
            Activation::Silu | Activation::ClampedSwiGlu { .. } => x.silu()?,
            Activation::GeluTanh => x.gelu()?,
            Activation::Gelu => x.gelu_erf()?,
            Activation::Relu => x.relu()?,
        })
    }

    fn gated(&self, gate: Array, up: &Array, activation: Activation) -> MoeResult<Array> {
        Array::of_tensor(match activation {
            Activation::ClampedSwiGlu { alpha, limit } => {
                common::clamped_swiglu(gate.tensor()?, up.tensor()?, alpha, limit)?
            }
            other => (self.activate(gate, other)?.into_tensor()? * up.tensor()?)?,
        })
    }

    fn gather(&self, x: &Array, rows: &[u32]) -> MoeResult<Array> {
        common::gather(x, rows)
    }

    /// One expert after the other, each over all its rows.
    fn experts(&self, x: &Array, groups: &[ExpertRows<'_>], applied: Applied) -> MoeResult<Array> {
        let tensor = x.tensor()?;
        let mut sum = tensor.zeros_like()?;
        for group in groups {
            let (tokens, weights): (Vec<u32>, Vec<f32>) = group.rows.iter().copied().unzip();
            let ids = Tensor::from_slice(&tokens, tokens.len(), tensor.device())?;
            let column = Tensor::from_slice(&weights, (weights.len(), 1), tensor.device())?;
            let input = tensor.index_select(&ids, 0)?;
            let output = match applied {
                Applied::Input => {
                    self.feed(group.mlp, &Array::of_tensor(input.broadcast_mul(&column)?)?)?.into_tensor()?
                }
                Applied::Output => {
                    self.feed(group.mlp, &Array::of_tensor(input)?)?.into_tensor()?.broadcast_mul(&column)?
                }
            };
            sum = sum.index_add(&ids, &output, 0)?;
        }
        Array::of_tensor(sum)
    }

    fn join(&self, routed: Array, beside: &Array, how: &Beside<'_>) -> MoeResult<Array> {
        common::join(&routed, beside, how)
    }

    #[cfg(feature = "cuda")]
    fn hardware(&self) -> Option<String> {
        let stream = self.device.as_cuda_device().ok()?.cuda_stream();
        let context = stream.context();
        let gibibytes = |bytes: usize| bytes as f64 / f64::from(1 << 30);
        let memory = context.mem_get_info().map_or(String::new(), |(free, total)| {
            format!(", {:.1} of {:.1} GiB used", gibibytes(total.saturating_sub(free)), gibibytes(total))
        });
        Some(format!("{}{memory}", context.name().ok()?))
    }
}

/// Rows of the norm's width.
fn normalised(rows: &Tensor, norm: &Norm) -> Result<Tensor> {
    let width = norm.width();
    let unit = |rows: &Tensor, eps: f32| -> Result<Tensor> {
        let mean_square = rows.sqr()?.mean_keepdim(D::Minus1)?;
        rows.broadcast_div(&(mean_square + f64::from(eps))?.sqrt()?)
    };
    let vector = |values: &[f32]| Tensor::from_slice(values, width, rows.device());
    match norm {
        Norm::Rms { weight, eps } => unit(rows, *eps)?.broadcast_mul(&vector(weight)?),
        Norm::L2 { eps, .. } => unit(rows, *eps),
        Norm::Layer { weight, bias, eps } => {
            let centred = rows.broadcast_sub(&rows.mean_keepdim(D::Minus1)?)?;
            unit(&centred, *eps)?.broadcast_mul(&vector(weight)?)?.broadcast_add(&vector(bias)?)
        }
    }
}

fn rotated(x: &Tensor, heads: usize, start: usize, rotary: &Rotary) -> Result<Tensor> {
    let (rows, width) = x.dims2()?;
    let (seq, head_dim) = (rotary.seq, width / heads.max(1));
    let x = x.reshape((rows / seq.max(1), seq, heads, head_dim))?;
    let (dim, half) = (rotary.table.dim / 2 * 2, rotary.table.dim / 2);
    let angles = |values: &[f32]| {
        Tensor::from_slice(values.get(..seq * half).unwrap_or_default(), (1, seq, 1, half), x.device())
    };
    let (cos, sin) = (angles(&rotary.table.cos)?, angles(&rotary.table.sin)?);
    let turned = x.narrow(D::Minus1, start, dim)?;
    let (a, b) = match rotary.pairing {
        Pairing::Halves => (turned.narrow(D::Minus1, 0, half)?, turned.narrow(D::Minus1, half, half)?),
        Pairing::Neighbours => {
            let pairs = turned.reshape((rows / seq.max(1), seq, heads, half, 2))?;
            (pairs.narrow(4, 0, 1)?.squeeze(4)?, pairs.narrow(4, 1, 1)?.squeeze(4)?)
        }
    };
    let first = (a.broadcast_mul(&cos)? - b.broadcast_mul(&sin)?)?;
    let second = (b.broadcast_mul(&cos)? + a.broadcast_mul(&sin)?)?;
    let turned = match rotary.pairing {
        Pairing::Halves => Tensor::cat(&[first, second], D::Minus1)?,
        Pairing::Neighbours => {
            Tensor::stack(&[first, second], 4)?.reshape((rows / seq.max(1), seq, heads, dim))?
        }
    };
    let before = x.narrow(D::Minus1, 0, start)?;
    let rest = x.narrow(D::Minus1, start + dim, head_dim - start - dim)?;
    Tensor::cat(&[before, turned, rest], D::Minus1)?.reshape((rows, width))
}
