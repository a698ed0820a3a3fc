//! Values on some device: what goes from one operation of [`super::compute::Compute`] to the next.

use candle_core::Tensor;

use super::gpu::GpuBuffer;
use crate::moe::error::{MoeError, MoeResult};

/// A matrix of f32, row-major, on one device.
#[derive(Debug, Clone)]
pub(in crate::moe::backbone) struct Array {
    pub rows: usize,
    pub width: usize,
    pub values: ArrayValues,
}

/// Where the values of an [`Array`] are.
#[derive(Debug, Clone)]
pub(in crate::moe::backbone) enum ArrayValues {
    Candle(Tensor),
    Gpu(GpuBuffer),
}

impl Array {
    /// A tensor `[rows, width]`.
    pub fn of_tensor(tensor: Tensor) -> MoeResult<Self> {
        let (rows, width) = tensor.dims2()?;
        Ok(Self { rows, width, values: ArrayValues::Candle(tensor) })
    }

    pub fn of_buffer(buffer: GpuBuffer, rows: usize, width: usize) -> Self {
        Self { rows, width, values: ArrayValues::Gpu(buffer) }
    }

    pub fn tensor(&self) -> MoeResult<&Tensor> {
        match &self.values {
            ArrayValues::Candle(tensor) => Ok(tensor),
            ArrayValues::Gpu(_) => Err(elsewhere()),
        }
    }

    pub fn into_tensor(self) -> MoeResult<Tensor> {
        match self.values {
            ArrayValues::Candle(tensor) => Ok(tensor),
            ArrayValues::Gpu(_) => Err(elsewhere()),
        }
    }

    pub fn buffer(&self) -> MoeResult<&GpuBuffer> {
        match &self.values {
            ArrayValues::Gpu(buffer) => Ok(buffer),
            ArrayValues::Candle(_) => Err(elsewhere()),
        }
    }
}

/// Values of another device than the one that is asked to work on them.
pub(in crate::moe::backbone) fn elsewhere() -> MoeError {
    MoeError::Compute {
        while_doing: "running the model".into(),
        message: "the values are on another device".into(),
    }
}
