//! What candle does on every device in the same way.

use candle_core::{D, Device, Tensor};

use crate::moe::backbone::array::Array;
use crate::moe::backbone::compute::{Beside, HeadPart};
use crate::moe::error::MoeResult;

pub(super) fn array(values: Vec<f32>, width: usize, device: &Device) -> MoeResult<Array> {
    let rows = values.len() / width.max(1);
    Array::of_tensor(Tensor::from_vec(values, (rows, width), device)?)
}

pub(super) fn values(x: &Array) -> MoeResult<Vec<f32>> {
    Ok(x.tensor()?.flatten_all()?.to_vec1()?)
}

pub(super) fn clamp(x: &Array, limit: f64) -> MoeResult<Array> {
    Array::of_tensor(x.tensor()?.clamp(-limit, limit)?)
}

pub(super) fn scale_positions(x: &Array, factors: Vec<f32>) -> MoeResult<Array> {
    let (tensor, seq) = (x.tensor()?, factors.len());
    let factors = Tensor::from_vec(factors, (1, seq, 1), tensor.device())?;
    let scaled = tensor.reshape(((), seq, x.width))?.broadcast_mul(&factors)?;
    Array::of_tensor(scaled.reshape((x.rows, x.width))?)
}

pub(super) fn regroup(heads: usize, parts: &[HeadPart<'_>]) -> MoeResult<Array> {
    let mut rows = 0;
    let mut pieces = Vec::with_capacity(parts.len());
    for part in parts {
        rows = part.array.rows;
        let by_head = part.array.tensor()?.reshape((rows, part.heads, ()))?;
        let piece = by_head.narrow(D::Minus1, part.start, part.width)?;
        pieces.push(piece.broadcast_as((rows, heads, part.width))?);
    }
    let whole =
        if let [one] = pieces.as_slice() { one.contiguous()? } else { Tensor::cat(&pieces, D::Minus1)? };
    let width = whole.dim(D::Minus1)? * heads;
    Array::of_tensor(whole.reshape((rows, width))?)
}

pub(super) fn gather(x: &Array, rows: &[u32]) -> MoeResult<Array> {
    let tensor = x.tensor()?;
    let rows = Tensor::from_slice(rows, rows.len(), tensor.device())?;
    Array::of_tensor(tensor.index_select(&rows, 0)?)
}

pub(super) fn join(routed: &Array, beside: &Array, how: &Beside<'_>) -> MoeResult<Array> {
    let (routed, beside) = (routed.tensor()?, beside.tensor()?);
    Array::of_tensor(match how {
        Beside::Sum => (routed + beside)?,
        Beside::Gated(gate) => {
            let open = ((gate.tensor()?.neg()?.exp()? + 1.0)?).recip()?;
            (routed + beside.broadcast_mul(&open)?)?
        }
        Beside::Softmax(z) => {
            let z = z.tensor()?;
            let e = z.broadcast_sub(&z.max_keepdim(D::Minus1)?)?.exp()?;
            let c = e.broadcast_div(&e.sum_keepdim(D::Minus1)?)?;
            let (c0, c1) = (c.narrow(D::Minus1, 0, 1)?, c.narrow(D::Minus1, 1, 1)?);
            (routed.broadcast_mul(&c0)? + beside.broadcast_mul(&c1)?)?
        }
    })
}

/// gpt-oss's activation, see [`crate::moe::backbone::layers::Activation::ClampedSwiGlu`].
pub(super) fn clamped_swiglu(gate: &Tensor, up: &Tensor, alpha: f32, limit: f32) -> MoeResult<Tensor> {
    let gate = gate.minimum(f64::from(limit))?;
    let up = (up.clamp(-limit, limit)? + 1.0)?;
    let sigmoid = ((gate.affine(-f64::from(alpha), 0.0)?.exp()? + 1.0)?).recip()?;
    Ok((up * (gate * sigmoid)?)?)
}

/// A tensor `[B * S, heads * dim]` as contiguous `[B, heads, S, dim]`.
pub(super) fn by_head(x: &Array, seq: usize, heads: usize) -> MoeResult<Tensor> {
    let tensor = x.tensor()?.reshape(((), seq, heads, x.width / heads.max(1)))?;
    Ok(tensor.transpose(1, 2)?.contiguous()?)
}
