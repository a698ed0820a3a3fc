//! A matrix product with an optional bias.

use candle_core::{Result, Tensor};

use super::super::kernels::{map_rows_in_place, on_host, transposed};
use super::super::vector::add_scaled;

/// `x W^T + b`, or `x W + b` where the file stores the matrix input-first.
#[derive(Debug, Clone)]
pub(in crate::moe::backbone) struct Linear {
    /// As `[in, out]`. On the CPU it lies that way in memory too where it is used more than once: gemm would
    /// otherwise turn it around in every product, on one thread.
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    /// From a weight `[out, in]`, as torch's `nn.Linear` stores it.
    pub fn out_in(weight: &Tensor, bias: Option<Tensor>) -> Result<Self> {
        let weight = if on_host(weight) { transposed(weight)? } else { weight.t()? };
        Ok(Self { weight, bias })
    }

    /// The same for one product only: the weight stays as it lies.
    pub fn out_in_once(weight: &Tensor, bias: Option<Tensor>) -> Result<Self> {
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
            Some(bias) if on_host(&y) => {
                let bias: Vec<f32> = bias.to_vec1()?;
                map_rows_in_place(&y, bias.len(), |_, row| add_scaled(row, &bias, 1.0))?;
                Ok(y)
            }
            Some(bias) => y.broadcast_add(bias),
            None => Ok(y),
        }
    }
}
