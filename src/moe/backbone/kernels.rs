//! Row-wise CPU kernels over candle tensors.
//!
//! candle's own broadcast operations walk strides element by element; norms, rotary and softmax over rows
//! take most of a small model's time that way. On other devices the callers compose candle operations.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, DType, Error, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

/// Below this many elements the work is done on the calling thread.
const PARALLEL_FROM: usize = 16 * 1024;

/// Applies `f(row index, row)` to a copy of each row of `width` elements; CPU only.
pub(super) fn map_rows(x: &Tensor, width: usize, f: impl Fn(usize, &mut [f32]) + Sync) -> Result<Tensor> {
    x.contiguous()?.apply_op1_no_bwd(&MapRows { width, f })
}

/// `f(a, b)` element by element over two tensors of one shape; CPU only.
pub(super) fn zip(a: &Tensor, b: &Tensor, f: impl Fn(f32, f32) -> f32 + Sync) -> Result<Tensor> {
    a.contiguous()?.apply_op2_no_bwd(&b.contiguous()?, &Zip { f })
}

/// e^x without a call and without branches, so that loops over it vectorise: split x = n ln 2 + r, a
/// polynomial of degree 6 for e^r, n into the exponent bits. Within 2e-7 of the exact value, relative;
/// x below -87 gives 1e-38 instead of less.
#[inline]
pub(super) fn exp(x: f32) -> f32 {
    /// 1.5 * 2^23: adding it rounds to a whole number, which then stands in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    // ln 2 in two parts, the first exact in a product with any n.
    let r = x - n * 0.693_359_4 - n * -2.121_944_4e-4;
    let mut p = 1.0 / 720.0;
    for c in [1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        p = p * r + c;
    }
    let exponent = shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127);
    p * f32::from_bits(exponent << 23)
}

fn f32_slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let CpuStorage::F32(values) = storage else {
        return Err(Error::UnsupportedDTypeForOp(DType::F32, "row kernel"));
    };
    layout
        .contiguous_offsets()
        .and_then(|(start, end)| values.get(start..end))
        .ok_or(Error::RequiresContiguous { op: "row kernel" })
}

struct MapRows<F> {
    width: usize,
    f: F,
}

impl<F: Fn(usize, &mut [f32]) + Sync> CustomOp1 for MapRows<F> {
    fn name(&self) -> &'static str {
        "map-rows"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut out = f32_slice(storage, layout)?.to_vec();
        let width = self.width.max(1);
        if out.len() >= PARALLEL_FROM {
            // Few, large pieces: a piece is a whole number of rows.
            let rows = (PARALLEL_FROM / 4 / width).max(1);
            out.par_chunks_mut(rows * width).enumerate().for_each(|(piece, chunk)| {
                for (i, row) in chunk.chunks_mut(width).enumerate() {
                    (self.f)(piece * rows + i, row);
                }
            });
        } else {
            out.chunks_mut(width).enumerate().for_each(|(i, row)| (self.f)(i, row));
        }
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }
}

struct Zip<F> {
    f: F,
}

impl<F: Fn(f32, f32) -> f32 + Sync> CustomOp2 for Zip<F> {
    fn name(&self) -> &'static str {
        "zip"
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (a, b) = (f32_slice(a, a_layout)?, f32_slice(b, b_layout)?);
        let out = if a.len() >= PARALLEL_FROM {
            a.par_iter().zip(b).with_min_len(PARALLEL_FROM / 4).map(|(&x, &y)| (self.f)(x, y)).collect()
        } else {
            a.iter().zip(b).map(|(&x, &y)| (self.f)(x, y)).collect()
        };
        Ok((CpuStorage::F32(out), a_layout.shape().clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_close_to_the_exact_one() {
        for i in -8700..8800 {
            let x = i as f32 / 100.0;
            let exact = f64::from(x).exp();
            assert!((f64::from(exp(x)) - exact).abs() <= exact * 3e-7, "{x}");
        }
        assert!(exp(f32::NEG_INFINITY) < 1e-37 && exp(-1000.0) < 1e-37);
    }
}
