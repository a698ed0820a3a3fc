//! The CPU: candle's products, and kernels of our own for everything that goes row by row.

use candle_core::cpu::erf::erf_f32;
use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::common;
use super::host_attention::attend;
use super::kernels::{add_in_place, map_rows, map_rows_in_place, transposed, zip_in_place};
use super::vector::{self, add_scaled};
use crate::moe::backbone::array::{Array, elsewhere};
use crate::moe::backbone::compute::{Beside, Compute, ExpertRows, HeadPart, Scores};
use crate::moe::backbone::layers::{Activation, Linear, Mlp, Norm, Rotary, Weight, WeightForm};
use crate::moe::error::MoeResult;
use crate::moe::gating::Applied;

/// Values that an activation takes at a time.
const PIECE: usize = 1024;
/// Rows of one expert that are worked on at a time: enough to pay for packing its weights, few enough to share one busy
/// expert out.
const ROWS: usize = 256;

/// The CPU.
#[derive(Debug)]
pub(in crate::moe::backbone) struct Host;

impl Compute for Host {
    fn array(&self, values: Vec<f32>, width: usize) -> MoeResult<Array> {
        common::array(values, width, &Device::Cpu)
    }

    fn values(&self, x: &Array) -> MoeResult<Vec<f32>> {
        common::values(x)
    }

    fn store(&self, weight: Weight) -> MoeResult<Linear> {
        let Weight { values, input, out, form, bias } = weight;
        let tensor = |values, shape| Tensor::from_vec(values, shape, &Device::Cpu);
        let weight = match form {
            WeightForm::OutIn => transposed(&tensor(values, (out, input))?)?,
            WeightForm::OutInOnce => tensor(values, (out, input))?.t()?,
            WeightForm::InOut => tensor(values, (input, out))?,
        };
        let bias = bias.map(|bias| Tensor::from_vec(bias, out, &Device::Cpu)).transpose()?;
        Ok(Linear::Candle { weight, bias })
    }

    fn linear(&self, x: &Array, linear: &Linear) -> MoeResult<Array> {
        let Linear::Candle { weight, bias } = linear else { return Err(elsewhere()) };
        let y = x.tensor()?.matmul(weight)?;
        if let Some(bias) = bias {
            let bias: Vec<f32> = bias.to_vec1()?;
            map_rows_in_place(&y, bias.len(), |_, row| add_scaled(row, &bias, 1.0))?;
        }
        Array::of_tensor(y)
    }

    fn norm(&self, x: &Array, norm: &Norm) -> MoeResult<Array> {
        Array::of_tensor(map_rows(x.tensor()?, norm.width(), |_, row| norm_row(norm, row))?)
    }

    fn rotate(&self, x: Array, heads: usize, start: usize, rotary: &Rotary) -> MoeResult<Array> {
        let (width, seq) = (x.width / heads.max(1), rotary.seq.max(1));
        let turned = map_rows(x.tensor()?, width, |at, values| {
            rotary.row((at / heads) % seq, values.get_mut(start..).unwrap_or_default());
        })?;
        Array::of_tensor(turned)
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
        Array::of_tensor(add_in_place(y, x.tensor()?)?)
    }

    fn activate(&self, x: Array, activation: Activation) -> MoeResult<Array> {
        let x = x.into_tensor()?.contiguous()?;
        // Rows mean nothing here: a piece is as good as a row.
        map_rows_in_place(&x, PIECE, |_, values| match activation {
            Activation::Silu | Activation::ClampedSwiGlu { .. } => vector::silu(values),
            Activation::GeluTanh => vector::gelu_tanh(values),
            Activation::Gelu => values.iter_mut().for_each(|v| *v *= normal_cdf(*v)),
            Activation::Relu => values.iter_mut().for_each(|v| *v = v.max(0.0)),
        })?;
        Array::of_tensor(x)
    }

    fn gated(&self, gate: Array, up: &Array, activation: Activation) -> MoeResult<Array> {
        match activation {
            Activation::Silu => {
                let gate = gate.into_tensor()?.contiguous()?;
                zip_in_place(&gate, up.tensor()?, vector::silu_gated)?;
                Array::of_tensor(gate)
            }
            Activation::ClampedSwiGlu { alpha, limit } => {
                Array::of_tensor(common::clamped_swiglu(gate.tensor()?, up.tensor()?, alpha, limit)?)
            }
            other => Array::of_tensor((self.activate(gate, other)?.into_tensor()? * up.tensor()?)?),
        }
    }

    fn gather(&self, x: &Array, rows: &[u32]) -> MoeResult<Array> {
        common::gather(x, rows)
    }

    /// Experts side by side, each on [`ROWS`] of its rows at a time; then every token sums its own, in the order
    /// of the experts.
    fn experts(&self, x: &Array, groups: &[ExpertRows<'_>], applied: Applied) -> MoeResult<Array> {
        let parts: Vec<(&Mlp, &[(u32, f32)])> = groups
            .iter()
            .flat_map(|group| group.rows.chunks(ROWS).map(move |part| (group.mlp, part)))
            .collect();
        let outputs: Vec<Vec<f32>> = parts
            .par_iter()
            .map(|(mlp, part)| self.values(&self.feed(mlp, &expert_input(x, part, applied)?)?))
            .collect::<MoeResult<_>>()?;
        let (tokens, width) = (x.rows, x.width);
        let mut served: Vec<Vec<(f32, &[f32])>> = vec![Vec::new(); tokens];
        for ((_, part), output) in parts.iter().zip(&outputs) {
            for (&(token, weight), row) in part.iter().zip(output.chunks_exact(width)) {
                let weight = if applied == Applied::Input { 1.0 } else { weight };
                served.get_mut(token as usize).into_iter().for_each(|rows| rows.push((weight, row)));
            }
        }
        let mut sum = vec![0f32; tokens * width];
        sum.par_chunks_mut(width.max(1)).zip(&served).with_min_len(64).for_each(|(sum, rows)| {
            rows.iter().for_each(|(weight, row)| add_scaled(sum, row, *weight));
        });
        self.array(sum, width)
    }

    fn join(&self, routed: Array, beside: &Array, how: &Beside<'_>) -> MoeResult<Array> {
        common::join(&routed, beside, how)
    }

    /// Inside rayon's pool, where a parallel step costs no sleep and no wake of this thread.
    fn layer(&self, work: &mut (dyn FnMut() + Send)) {
        rayon::scope(|_| work());
    }
}

fn expert_input(x: &Array, part: &[(u32, f32)], applied: Applied) -> MoeResult<Array> {
    let x = x.tensor()?;
    let ids = Tensor::from_iter(part.iter().map(|&(token, _)| token), x.device())?;
    let mut input = x.index_select(&ids, 0)?;
    if applied == Applied::Input {
        let weights: Vec<f32> = part.iter().map(|&(_, w)| w).collect();
        input = input.broadcast_mul(&Tensor::from_vec(weights, (part.len(), 1), x.device())?)?;
    }
    Array::of_tensor(input)
}

fn norm_row(norm: &Norm, row: &mut [f32]) {
    let n = row.len() as f32;
    match norm {
        Norm::Rms { weight, eps } => {
            let scale = 1.0 / (vector::sum_of_squares(row) / n + eps).sqrt();
            vector::scale_by(row, scale, weight);
        }
        Norm::L2 { eps, .. } => {
            let scale = 1.0 / (vector::sum_of_squares(row) / n + eps).sqrt();
            row.iter_mut().for_each(|v| *v *= scale);
        }
        Norm::Layer { weight, bias, eps } => vector::layer_norm(row, weight, bias, *eps),
    }
}

/// The share of a standard normal distribution below `x`.
fn normal_cdf(x: f32) -> f32 {
    (erf_f32(x * std::f32::consts::FRAC_1_SQRT_2) + 1.0) / 2.0
}
