//! A matrix product with an optional bias: `x W^T + b`.

use candle_core::Tensor;

use crate::moe::backbone::gpu::PackedLinear;

/// A weight on its way from a file to a device.
#[derive(Debug)]
pub(in crate::moe::backbone) struct Weight {
    pub values: Vec<f32>,
    pub input: usize,
    pub out: usize,
    pub form: WeightForm,
    pub bias: Option<Vec<f32>>,
}

/// How the values of a [`Weight`] lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::moe::backbone) enum WeightForm {
    /// `[out, in]`, as torch's `nn.Linear` stores it.
    OutIn,
    /// The same, for one product only: it is not worth preparing.
    OutInOnce,
    /// `[in, out]`.
    InOut,
}

/// A weight where it is used.
#[derive(Debug, Clone)]
pub(in crate::moe::backbone) enum Linear {
    Candle {
        /// As `[in, out]`. On the CPU it lies that way in memory too where it is used more than once: gemm would
        /// otherwise turn it around in every product, on one thread.
        weight: Tensor,
        bias: Option<Tensor>,
    },
    Gpu(PackedLinear),
}

impl Linear {
    /// Bytes that it takes on its device.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Candle { weight, bias } => {
                (weight.elem_count() + bias.as_ref().map_or(0, Tensor::elem_count)) * size_of::<f32>()
            }
            Self::Gpu(packed) => packed.bytes,
        }
    }
}
