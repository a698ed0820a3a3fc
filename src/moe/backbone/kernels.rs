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
