//! Row-wise CPU kernels over candle tensors.
//!
//! candle's own broadcast operations walk strides element by element; norms, rotary and softmax over rows
//! take most of a small model's time that way. And its element-wise operations on large tensors run on threads of its
//! own, which spin after each one for a while: they take the processors from rayon's threads, where the products
//! and these kernels run.

use std::ops::Range;

use candle_core::{
    CpuStorage, CustomOp1, DType, Error, InplaceOp1, InplaceOp2, Layout, Result, Shape, Tensor,
};
use rayon::prelude::*;

use super::vector;

/// Below this many elements the work is done on the calling thread.
const PARALLEL_FROM: usize = 16 * 1024;

/// Applies `f(row index, row)` to a copy of each row of `width` elements; CPU only.
pub(super) fn map_rows(x: &Tensor, width: usize, f: impl Fn(usize, &mut [f32]) + Sync) -> Result<Tensor> {
    x.contiguous()?.apply_op1_no_bwd(&MapRows { width, f })
}

/// Applies `f(row index, row)` to each row of `width` elements where it stands; CPU only. The caller must be
/// the only holder of `x`.
pub(super) fn map_rows_in_place(
    x: &Tensor,
    width: usize,
    f: impl Fn(usize, &mut [f32]) + Sync,
) -> Result<()> {
    x.inplace_op1(&MapRows { width, f })
}

/// `f(a, b)` on pieces of two tensors of one shape, the result in `a`'s place; CPU only. The caller must be
/// the only holder of `a`.
pub(super) fn zip_in_place(a: &Tensor, b: &Tensor, f: impl Fn(&mut [f32], &[f32]) + Sync) -> Result<()> {
    a.inplace_op2(&b.contiguous()?, &Zip { f })
}

/// A contiguous matrix turned around, `[a, b]` to contiguous `[b, a]`; CPU only. candle's own copy of a transposed
/// view reads one value per cache line.
pub(super) fn transposed(x: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op1_no_bwd(&Transpose)
}

/// `a + b` of one shape, in `a`'s place; CPU only. The caller must be the only holder of `a`.
pub(super) fn add_in_place(a: Tensor, b: &Tensor) -> Result<Tensor> {
    if !a.is_contiguous() {
        return a + b;
    }
    zip_in_place(&a, b, |a, b| vector::add_scaled(a, b, 1.0))?;
    Ok(a)
}

fn f32_slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let CpuStorage::F32(values) = storage else {
        return Err(Error::UnsupportedDTypeForOp(DType::F32, "row kernel"));
    };
    part(layout).and_then(|range| values.get(range)).ok_or(Error::RequiresContiguous { op: "row kernel" })
}

fn f32_slice_mut<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    let CpuStorage::F32(values) = storage else {
        return Err(Error::UnsupportedDTypeForOp(DType::F32, "row kernel"));
    };
    part(layout).and_then(|range| values.get_mut(range)).ok_or(Error::RequiresContiguous { op: "row kernel" })
}

/// Where a contiguous tensor lies in its storage.
fn part(layout: &Layout) -> Option<Range<usize>> {
    layout.contiguous_offsets().map(|(start, end)| start..end)
}

struct MapRows<F> {
    width: usize,
    f: F,
}

impl<F: Fn(usize, &mut [f32]) + Sync> MapRows<F> {
    fn run(&self, values: &mut [f32]) {
        let width = self.width.max(1);
        if values.len() >= PARALLEL_FROM && rayon::current_num_threads() > 1 {
            // Few, large pieces: a piece is a whole number of rows.
            let rows = (PARALLEL_FROM / 4 / width).max(1);
            values.par_chunks_mut(rows * width).enumerate().for_each(|(piece, chunk)| {
                for (i, row) in chunk.chunks_mut(width).enumerate() {
                    (self.f)(piece * rows + i, row);
                }
            });
        } else {
            values.chunks_mut(width).enumerate().for_each(|(i, row)| (self.f)(i, row));
        }
    }
}

impl<F: Fn(usize, &mut [f32]) + Sync> CustomOp1 for MapRows<F> {
    fn name(&self) -> &'static str {
        "map-rows"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut out = f32_slice(storage, layout)?.to_vec();
        self.run(&mut out);
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }
}

impl<F: Fn(usize, &mut [f32]) + Sync> InplaceOp1 for MapRows<F> {
    fn name(&self) -> &'static str {
        "map-rows"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        self.run(f32_slice_mut(storage, layout)?);
        Ok(())
    }
}

struct Zip<F> {
    f: F,
}

impl<F: Fn(&mut [f32], &[f32]) + Sync> InplaceOp2 for Zip<F> {
    fn name(&self) -> &'static str {
        "zip"
    }

    fn cpu_fwd(
        &self,
        a: &mut CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> Result<()> {
        let (a, b) = (f32_slice_mut(a, a_layout)?, f32_slice(b, b_layout)?);
        if a.len() >= PARALLEL_FROM && rayon::current_num_threads() > 1 {
            let piece = PARALLEL_FROM / 4;
            a.par_chunks_mut(piece).zip(b.par_chunks(piece)).for_each(|(a, b)| (self.f)(a, b));
        } else {
            (self.f)(a, b);
        }
        Ok(())
    }
}

struct Transpose;

impl CustomOp1 for Transpose {
    fn name(&self) -> &'static str {
        "transpose"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        /// Side of a tile: 16 values are one cache line.
        const TILE: usize = 16;
        let (rows, columns) = layout.shape().dims2()?;
        let values = f32_slice(storage, layout)?;
        let mut out = vec![0f32; values.len()];
        let fill = |(band, out): (usize, &mut [f32])| {
            for (tile, part) in values.chunks(TILE * columns).enumerate() {
                for (c, out) in out.chunks_exact_mut(rows).enumerate() {
                    let column = part.iter().skip(band * TILE + c).step_by(columns);
                    out.iter_mut().skip(tile * TILE).zip(column).for_each(|(o, v)| *o = *v);
                }
            }
        };
        let band = (TILE * rows).max(1);
        // Matrices are turned while a model is loaded, outside rayon's pool: a small one is done sooner than a
        // thread of the pool is awake.
        if values.len() >= 16 * PARALLEL_FROM {
            out.par_chunks_mut(band).enumerate().for_each(fill);
        } else {
            out.chunks_mut(band).enumerate().for_each(fill);
        }
        Ok((CpuStorage::F32(out), (columns, rows).into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn a_transposed_matrix_is_the_transposed_view_copied() {
        for (rows, columns) in [(1, 1), (3, 50), (16, 16), (17, 33), (100, 7), (0, 4), (300, 200)] {
            let values: Vec<f32> = (0..rows * columns).map(|v| v as f32).collect();
            let x = Tensor::from_vec(values, (rows, columns), &Device::Cpu).unwrap();
            let (ours, theirs) = (transposed(&x).unwrap(), x.t().unwrap());
            assert_eq!(ours.to_vec2::<f32>().unwrap(), theirs.to_vec2::<f32>().unwrap());
            assert!(ours.is_contiguous());
        }
    }
}
