//! What to load of a model, and where to.

use crate::moe::backbone::device::DeviceChoice;
use crate::moe::backbone::source::Conversion;

/// What to load.
#[derive(Debug, Clone, Default)]
pub struct ModelLoadOptions {
    /// Only the layers `0..k` (and neither the final norm nor the head, unless k is all of them).
    pub layers: Option<usize>,
    pub device: DeviceChoice,
    /// For a dense model: make it an MoE model while loading.
    pub conversion: Option<Conversion>,
}
