//! The operations of [`super::compute::Compute`] on any GPU of the system, through wgpu (Vulkan, Metal, DX12): kernels
//! of our own in WGSL, one file each below `kernels/`. The system's loader is opened at run time, so the program starts
//! everywhere; what is missing or fails is a reason in words.

mod adapters;
mod buffer;
mod compute;
mod kernel;
mod machine;
mod open;
mod packed;
#[cfg(test)]
mod tests;

pub(super) use adapters::{adapters, preferred};
pub(super) use buffer::GpuBuffer;
pub(super) use compute::GpuCompute;
pub(super) use open::open;
pub(super) use packed::PackedLinear;
