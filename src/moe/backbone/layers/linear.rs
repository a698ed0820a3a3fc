//! A matrix product with an optional bias.

use candle_core::{Result, Tensor};

/// `x W^T + b`, or `x W + b` where the file stores the matrix input-first.
#[derive(Debug, Clone)]
pub(in crate::moe::backbone) struct Linear {
    /// As `[in, out]`, possibly a transposed view: gemm takes strides, so nothing is copied.
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    /// From a weight `[out, in]`, as torch's `nn.Linear` stores it.
    pub fn out_in(weight: &Tensor, bias: Option<Tensor>) -> Result<Self> {
        Ok(Self { weight: weight.t()?, bias })
    }

    /// From a weight `[in, out]`.
    pub fn in_out(weight: Tensor, bias: Option<Tensor>) -> Self {
        Self { weight, bias }
    }

    /// `[rows, in]` to `[rows, out]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = x.matmul(&self.weight)?;
        match &self.bias {
            Some(bias) => y.broadcast_add(bias),
            None => Ok(y),
        }
    }
}
