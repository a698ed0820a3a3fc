//! The operations of a model as kernels.

use super::GpuBuffer;
use super::kernel::{self, Constants};
use super::machine::Machine;
use super::packed::{PackedFormat, PackedLinear, PackedPiece};
use crate::moe::backbone::array::{Array, elsewhere};
use crate::moe::backbone::compute::{Beside, Compute, ExpertRows, HeadPart, Scores};
use crate::moe::backbone::layers::{Activation, Linear, Norm, Pairing, Rotary, Weight, WeightForm};
use crate::moe::error::{MoeError, MoeResult};
use crate::moe::gating::Applied;

/// Dimensions of a head that the attention kernel has room for.
const HEAD_DIMS: usize = 1024;
/// Threads of a group of the kernels that go value by value.
const THREADS: usize = 256;

/// A GPU of the system.
#[derive(Debug)]
pub(in crate::moe::backbone) struct GpuCompute {
    pub(super) machine: Machine,
}

impl GpuCompute {
    fn new_array(&self, rows: usize, width: usize) -> MoeResult<Array> {
        Ok(Array::of_buffer(self.machine.buffer(rows * width)?, rows, width))
    }

    /// Groups in two directions: one has a limit.
    fn spread(&self, groups: usize) -> [u32; 3] {
        let row = (self.machine.groups as usize).clamp(1, 1 << 15);
        [groups.clamp(1, row) as u32, groups.div_ceil(row).max(1) as u32, 1]
    }

    /// Runs a kernel that has a thread for each of `count` values.
    fn each(
        &self,
        kernel: &kernel::Kernel,
        constants: Constants,
        parameters: &[u32],
        arrays: &[Option<&GpuBuffer>],
        count: usize,
    ) -> MoeResult<()> {
        let groups = self.spread(count.div_ceil(THREADS));
        let parameters: Vec<u32> = std::iter::once(count as u32).chain(parameters.iter().copied()).collect();
        self.machine.run(kernel, constants, &parameters, arrays, groups)
    }

    fn piece(
        &self,
        weight: &Weight,
        format: PackedFormat,
        first: usize,
        out: usize,
    ) -> MoeResult<PackedPiece> {
        let rows = weight.values.get(first * weight.input..(first + out) * weight.input).unwrap_or_default();
        let bias = weight.bias.as_ref().and_then(|bias| bias.get(first..first + out));
        Ok(PackedPiece {
            first,
            out,
            weight: self.machine.upload(&format.pack(rows))?,
            bias: bias.map(|bias| self.machine.upload_f32(bias)).transpose()?,
        })
    }

    fn gather_weighted(
        &self,
        x: &Array,
        rows: &GpuBuffer,
        weights: &GpuBuffer,
        n: usize,
    ) -> MoeResult<Array> {
        let y = self.new_array(n, x.width)?;
        let arrays = [Some(x.buffer()?), Some(rows), Some(weights), Some(y.buffer()?)];
        self.each(&kernel::GATHER, &[], &[x.width as u32], &arrays, n * x.width)?;
        Ok(y)
    }
}

impl Compute for GpuCompute {
    fn array(&self, values: Vec<f32>, width: usize) -> MoeResult<Array> {
        let rows = values.len() / width.max(1);
        Ok(Array::of_buffer(self.machine.upload_f32(&values)?, rows, width))
    }

    fn values(&self, x: &Array) -> MoeResult<Vec<f32>> {
        self.machine.download(x.buffer()?, x.rows * x.width)
    }

    fn store(&self, mut weight: Weight) -> MoeResult<Linear> {
        if weight.form == WeightForm::InOut {
            weight.values = turned(&weight.values, weight.input, weight.out);
            weight.form = WeightForm::OutIn;
        }
        let format = PackedFormat::of(&weight.values);
        // An even number of rows, so that a piece of 16-bit values starts at a word.
        let rows = (self.machine.largest / (weight.input.max(1) * format.size())).max(2) / 2 * 2;
        let pieces: Vec<PackedPiece> = (0..weight.out)
            .step_by(rows)
            .map(|first| self.piece(&weight, format, first, rows.min(weight.out - first)))
            .collect::<MoeResult<_>>()?;
        let bias = weight.bias.as_ref().map_or(0, Vec::len) * 4;
        Ok(Linear::Gpu(PackedLinear {
            pieces,
            format,
            input: weight.input,
            out: weight.out,
            bytes: weight.values.len() * format.size() + bias,
        }))
    }

    fn linear(&self, x: &Array, linear: &Linear) -> MoeResult<Array> {
        let Linear::Gpu(packed) = linear else { return Err(elsewhere()) };
        let y = self.new_array(x.rows, packed.out)?;
        // Tiles of 64 rows, but of 16 where there are few: an expert often has a handful of tokens.
        let each: usize = if x.rows <= 32 { 1 } else { 4 };
        let constants: Constants = match (packed.format, each) {
            (PackedFormat::F32, 1) => &[("FORMAT", 0), ("EACH", 1)],
            (PackedFormat::F16, 1) => &[("FORMAT", 1), ("EACH", 1)],
            (PackedFormat::Bf16, 1) => &[("FORMAT", 2), ("EACH", 1)],
            (PackedFormat::F32, _) => &[("FORMAT", 0), ("EACH", 4)],
            (PackedFormat::F16, _) => &[("FORMAT", 1), ("EACH", 4)],
            (PackedFormat::Bf16, _) => &[("FORMAT", 2), ("EACH", 4)],
        };
        for piece in &packed.pieces {
            let parameters = [
                x.rows as u32,
                packed.input as u32,
                piece.out as u32,
                packed.out as u32,
                piece.first as u32,
                u32::from(piece.bias.is_some()),
            ];
            let arrays = [Some(x.buffer()?), Some(&piece.weight), piece.bias.as_ref(), Some(y.buffer()?)];
            let groups = [piece.out.div_ceil(64) as u32, x.rows.div_ceil(16 * each) as u32, 1];
            self.machine.run(&kernel::LINEAR, constants, &parameters, &arrays, groups)?;
        }
        Ok(y)
    }

    fn norm(&self, x: &Array, norm: &Norm) -> MoeResult<Array> {
        let y = self.new_array(x.rows, x.width)?;
        let width = norm.width();
        let runs = x.rows * x.width / width.max(1);
        let (kernel, weight, eps, weighted) = match norm {
            Norm::Rms { weight, eps } => (&kernel::RMS_NORM, weight.clone(), *eps, 1),
            Norm::L2 { eps, .. } => (&kernel::RMS_NORM, Vec::new(), *eps, 0),
            Norm::Layer { weight, bias, eps } => {
                (&kernel::LAYER_NORM, [weight.as_slice(), bias].concat(), *eps, 1)
            }
        };
        let weight = self.machine.upload_f32(&weight)?;
        let parameters = [runs as u32, width as u32, eps.to_bits(), weighted];
        let arrays = [Some(x.buffer()?), Some(&weight), Some(y.buffer()?)];
        self.machine.run(kernel, &[], &parameters, &arrays, self.spread(runs))?;
        Ok(y)
    }

    fn rotate(&self, x: Array, heads: usize, start: usize, rotary: &Rotary) -> MoeResult<Array> {
        let half = rotary.table.dim / 2;
        if half == 0 {
            return Ok(x);
        }
        let angles = match rotary.on_device.get() {
            Some(angles) => angles.clone(),
            None => {
                let angles = self.array([rotary.table.cos.as_slice(), &rotary.table.sin].concat(), half)?;
                rotary.on_device.get_or_init(|| angles).clone()
            }
        };
        let parameters = [
            x.rows as u32,
            rotary.seq as u32,
            heads as u32,
            (x.width / heads.max(1)) as u32,
            start as u32,
            half as u32,
            u32::from(rotary.pairing == Pairing::Neighbours),
        ];
        let groups = self.spread((x.rows * heads * half).div_ceil(THREADS));
        let arrays = [Some(angles.buffer()?), Some(x.buffer()?)];
        self.machine.run(&kernel::ROTARY, &[], &parameters, &arrays, groups)?;
        Ok(x)
    }

    fn clamp(&self, x: Array, limit: f64) -> MoeResult<Array> {
        let count = x.rows * x.width;
        self.each(&kernel::CLAMP, &[], &[(limit as f32).to_bits()], &[Some(x.buffer()?)], count)?;
        Ok(x)
    }

    fn scale_positions(&self, x: Array, factors: Vec<f32>) -> MoeResult<Array> {
        let parameters = [x.width as u32, factors.len() as u32];
        let factors = self.machine.upload_f32(&factors)?;
        let arrays = [Some(&factors), Some(x.buffer()?)];
        self.each(&kernel::SCALE_POSITIONS, &[], &parameters, &arrays, x.rows * x.width)?;
        Ok(x)
    }

    fn attend(&self, scores: &Scores<'_>) -> MoeResult<Array> {
        let (heads, kv_heads, seq) = (scores.heads.max(1), scores.kv_heads.max(1), scores.seq.max(1));
        let (rows, dim, value_dim) = (scores.q.rows, scores.q.width / heads, scores.v.width / kv_heads);
        if dim > HEAD_DIMS || value_dim > HEAD_DIMS {
            let message = format!("heads of {dim} and {value_dim} dimensions, the kernel takes {HEAD_DIMS}");
            return Err(MoeError::Compute { while_doing: "attention".into(), message });
        }
        let out = self.new_array(rows, heads * value_dim)?;
        let lens: Vec<u32> = scores.lens.iter().map(|&len| len as u32).collect();
        let lens = self.machine.upload_u32(&lens)?;
        let sinks = scores.sinks.map(|sinks| self.machine.upload_f32(sinks)).transpose()?;
        // A window wider than any sequence is none.
        let bound = |limit: Option<usize>| limit.map_or(0, |n| u32::try_from(n.max(1)).unwrap_or(0));
        let parameters = [
            seq as u32,
            heads as u32,
            kv_heads as u32,
            dim as u32,
            value_dim as u32,
            bound(scores.visible.window),
            bound(scores.visible.chunk),
            scores.scale.to_bits(),
            u32::from(sinks.is_some()),
        ];
        let arrays = [
            Some(scores.q.buffer()?),
            Some(scores.k.buffer()?),
            Some(scores.v.buffer()?),
            Some(&lens),
            sinks.as_ref(),
            Some(out.buffer()?),
        ];
        let groups = [seq as u32, heads as u32, (rows / seq) as u32];
        self.machine.run(&kernel::ATTENTION, &[], &parameters, &arrays, groups)?;
        Ok(out)
    }

    fn regroup(&self, heads: usize, parts: &[HeadPart<'_>]) -> MoeResult<Array> {
        let rows = parts.first().map_or(0, |part| part.array.rows);
        let dim: usize = parts.iter().map(|part| part.width).sum();
        let y = self.new_array(rows, heads * dim)?;
        let mut start = 0;
        for part in parts {
            let parameters = [
                heads as u32,
                part.width as u32,
                part.heads as u32,
                (part.array.width / part.heads.max(1)) as u32,
                part.start as u32,
                dim as u32,
                start as u32,
            ];
            let arrays = [Some(part.array.buffer()?), Some(y.buffer()?)];
            self.each(&kernel::REGROUP, &[], &parameters, &arrays, rows * heads * part.width)?;
            start += part.width;
        }
        Ok(y)
    }

    fn add(&self, y: Array, multiplier: f64, x: &Array) -> MoeResult<Array> {
        let arrays = [Some(x.buffer()?), Some(y.buffer()?)];
        self.each(&kernel::ADD, &[], &[(multiplier as f32).to_bits()], &arrays, y.rows * y.width)?;
        Ok(y)
    }

    fn activate(&self, x: Array, activation: Activation) -> MoeResult<Array> {
        let constants: Constants = match activation {
            Activation::Silu | Activation::ClampedSwiGlu { .. } => &[("KIND", 0)],
            Activation::GeluTanh => &[("KIND", 1)],
            Activation::Gelu => &[("KIND", 2)],
            Activation::Relu => &[("KIND", 3)],
        };
        self.each(&kernel::ACTIVATE, constants, &[], &[Some(x.buffer()?)], x.rows * x.width)?;
        Ok(x)
    }

    fn gated(&self, gate: Array, up: &Array, activation: Activation) -> MoeResult<Array> {
        let (constants, alpha, limit): (Constants, f32, f32) = match activation {
            Activation::Silu => (&[("KIND", 0)], 0.0, 0.0),
            Activation::GeluTanh => (&[("KIND", 1)], 0.0, 0.0),
            Activation::Gelu => (&[("KIND", 2)], 0.0, 0.0),
            Activation::Relu => (&[("KIND", 3)], 0.0, 0.0),
            Activation::ClampedSwiGlu { alpha, limit } => (&[("KIND", 4)], alpha, limit),
        };
        let arrays = [Some(up.buffer()?), Some(gate.buffer()?)];
        let parameters = [alpha.to_bits(), limit.to_bits()];
        self.each(&kernel::GATED, constants, &parameters, &arrays, gate.rows * gate.width)?;
        Ok(gate)
    }

    fn gather(&self, x: &Array, rows: &[u32]) -> MoeResult<Array> {
        let weights = self.machine.upload_f32(&vec![1.0; rows.len()])?;
        self.gather_weighted(x, &self.machine.upload_u32(rows)?, &weights, rows.len())
    }

    /// One expert after the other, each over all its rows.
    fn experts(&self, x: &Array, groups: &[ExpertRows<'_>], applied: Applied) -> MoeResult<Array> {
        // A new buffer is zero.
        let sum = self.new_array(x.rows, x.width)?;
        for group in groups {
            let n = group.rows.len();
            let (rows, weights): (Vec<u32>, Vec<f32>) = group.rows.iter().copied().unzip();
            let rows = self.machine.upload_u32(&rows)?;
            let ones = self.machine.upload_f32(&vec![1.0; n])?;
            let weights = self.machine.upload_f32(&weights)?;
            let (before, behind) = match applied {
                Applied::Input => (&weights, &ones),
                Applied::Output => (&ones, &weights),
            };
            let y = self.feed(group.mlp, &self.gather_weighted(x, &rows, before, n)?)?;
            let arrays = [Some(y.buffer()?), Some(&rows), Some(behind), Some(sum.buffer()?)];
            self.each(&kernel::SCATTER, &[], &[x.width as u32], &arrays, n * x.width)?;
        }
        Ok(sum)
    }

    fn join(&self, routed: Array, beside: &Array, how: &Beside<'_>) -> MoeResult<Array> {
        let (constants, z): (Constants, Option<&Array>) = match how {
            Beside::Sum => (&[("HOW", 0)], None),
            Beside::Gated(gate) => (&[("HOW", 1)], Some(gate)),
            Beside::Softmax(z) => (&[("HOW", 2)], Some(z)),
        };
        let arrays = [Some(beside.buffer()?), z.map(Array::buffer).transpose()?, Some(routed.buffer()?)];
        let parameters = [routed.width as u32];
        self.each(&kernel::JOIN, constants, &parameters, &arrays, routed.rows * routed.width)?;
        Ok(routed)
    }

    fn finish(&self) -> MoeResult<()> {
        self.machine.wait()
    }

    fn hardware(&self) -> Option<String> {
        let used = self.machine.used() as f64 / f64::from(1 << 30);
        Some(format!("{}, {used:.1} GiB used", self.machine.title))
    }
}

/// A matrix `[rows, columns]` turned around.
fn turned(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut out = vec![0.0; values.len()];
    for (r, row) in values.chunks_exact(columns.max(1)).enumerate() {
        for (to, v) in out.iter_mut().skip(r).step_by(rows.max(1)).zip(row) {
            *to = *v;
        }
    }
    out
}
