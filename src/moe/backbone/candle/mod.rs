//! The operations of [`super::compute::Compute`] in candle: on the CPU with row kernels of our own, on its other
//! devices put together from candle's operations.

mod common;
mod composed;
mod composed_attention;
mod host;
mod host_attention;
mod kernels;
mod softmax;
#[cfg(test)]
mod tests;
mod vector;

pub(super) use composed::Composed;
pub(super) use host::Host;
