//! What a device does for a model. A model is written once, against [`Compute`]; the CPU ([`super::candle::Host`]),
//! candle's other devices ([`super::candle::Composed`]) and every GPU of the system ([`super::gpu::GpuCompute`])
//! implement it.

use crate::moe::backbone::array::Array;
use crate::moe::backbone::layers::{Activation, AttentionMask, Linear, Mlp, Norm, Rotary, Weight};
use crate::moe::error::MoeResult;
use crate::moe::gating::Applied;

/// Scaled dot-product attention: queries `[B * S, heads * dim]`, keys and values possibly with fewer heads.
#[derive(Debug)]
pub(in crate::moe::backbone) struct Scores<'a> {
    pub visible: &'a AttentionMask,
    /// Factor on the scores.
    pub scale: f32,
    /// One more logit a head that takes probability but has no value (gpt-oss).
    pub sinks: Option<&'a [f32]>,
    /// Real tokens of each sequence.
    pub lens: &'a [usize],
    /// Positions of each sequence, padding included.
    pub seq: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub q: Array,
    pub k: Array,
    pub v: Array,
}

/// A piece of every head of an array, see [`Compute::regroup`].
#[derive(Debug)]
pub(in crate::moe::backbone) struct HeadPart<'a> {
    pub array: &'a Array,
    /// Heads of the array: as many as the result has, or 1 for values that all heads share.
    pub heads: usize,
    /// First value of a head.
    pub start: usize,
    /// Values of a head.
    pub width: usize,
}

/// How the output of a network beside the experts joins theirs.
#[derive(Debug)]
pub(in crate::moe::backbone) enum Beside<'a> {
    /// `routed + beside`.
    Sum,
    /// `routed + sigmoid(gate) * beside`, gate `[T, 1]`.
    Gated(&'a Array),
    /// `c0 * routed + c1 * beside`, c = softmax of `[T, 2]`.
    Softmax(&'a Array),
}

/// One expert with its tokens and their weights.
#[derive(Debug)]
pub(in crate::moe::backbone) struct ExpertRows<'a> {
    pub mlp: &'a Mlp,
    pub rows: Vec<(u32, f32)>,
}

/// The operations of a device. Arrays that are taken by value may be overwritten: their caller is the only holder.
pub(in crate::moe::backbone) trait Compute: std::fmt::Debug + Send + Sync {
    /// Values of the host as an array.
    fn array(&self, values: Vec<f32>, width: usize) -> MoeResult<Array>;

    /// The values of an array on the host, row by row.
    fn values(&self, x: &Array) -> MoeResult<Vec<f32>>;

    /// A weight, ready to be used.
    fn store(&self, weight: Weight) -> MoeResult<Linear>;

    /// `x W^T + b`.
    fn linear(&self, x: &Array, linear: &Linear) -> MoeResult<Array>;

    /// Normalises every run of [`Norm::width`] values.
    fn norm(&self, x: &Array, norm: &Norm) -> MoeResult<Array>;

    /// Rotates, of each of `heads` heads of a row, the values from `start` on; row r is at position r mod S.
    fn rotate(&self, x: Array, heads: usize, start: usize, rotary: &Rotary) -> MoeResult<Array>;

    /// Every value within ±`limit`.
    fn clamp(&self, x: Array, limit: f64) -> MoeResult<Array>;

    /// Every row times the factor of its position; row r is at position r mod `factors.len()`.
    fn scale_positions(&self, x: Array, factors: Vec<f32>) -> MoeResult<Array>;

    /// Attention, to `[B * S, heads * value_dim]`.
    fn attend(&self, scores: &Scores<'_>) -> MoeResult<Array>;

    /// Puts every head together from pieces of other arrays.
    fn regroup(&self, heads: usize, parts: &[HeadPart<'_>]) -> MoeResult<Array>;

    /// `y * multiplier + x`.
    fn add(&self, y: Array, multiplier: f64, x: &Array) -> MoeResult<Array>;

    /// `act(x)`.
    fn activate(&self, x: Array, activation: Activation) -> MoeResult<Array>;

    /// `act(gate) * up`.
    fn gated(&self, gate: Array, up: &Array, activation: Activation) -> MoeResult<Array>;

    /// Some rows of an array.
    fn gather(&self, x: &Array, rows: &[u32]) -> MoeResult<Array>;

    /// Every expert once over all its rows, and each token's sum.
    fn experts(&self, x: &Array, groups: &[ExpertRows<'_>], applied: Applied) -> MoeResult<Array>;

    /// Joins the output of the experts with that of a network beside them.
    fn join(&self, routed: Array, beside: &Array, how: &Beside<'_>) -> MoeResult<Array>;

    /// A feed-forward network.
    fn feed(&self, mlp: &Mlp, x: &Array) -> MoeResult<Array> {
        match mlp {
            Mlp::Gated { gate, up, down, activation } => {
                let (gate, up) = (self.linear(x, gate)?, self.linear(x, up)?);
                self.linear(&self.gated(gate, &up, *activation)?, down)
            }
            Mlp::Plain { fc1, fc2, activation } => {
                self.linear(&self.activate(self.linear(x, fc1)?, *activation)?, fc2)
            }
        }
    }

    /// Does the work of a layer where it is done best.
    fn layer(&self, work: &mut (dyn FnMut() + Send)) {
        work();
    }

    /// Waits for what was started; a device that failed says so here at the latest.
    fn finish(&self) -> MoeResult<()> {
        Ok(())
    }

    /// What the device calls itself, and how much of its memory is taken where it says so.
    fn hardware(&self) -> Option<String> {
        None
    }
}
