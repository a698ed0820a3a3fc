//! Normalisation over the last dimension, in f32.

/// RMS norm (with or without weight) or layer norm.
#[derive(Debug, Clone)]
pub(in crate::moe::backbone) enum Norm {
    /// `x / sqrt(mean(x²) + eps) * weight`.
    Rms { weight: Vec<f32>, eps: f32 },
    /// The same without a weight (Llama 4's query-key norm).
    L2 { width: usize, eps: f32 },
    /// `(x - mean) / sqrt(var + eps) * weight + bias`.
    Layer { weight: Vec<f32>, bias: Vec<f32>, eps: f32 },
}

impl Norm {
    /// Every run of so many elements of a row is normalised by itself.
    pub fn width(&self) -> usize {
        match self {
            Self::Rms { weight, .. } | Self::Layer { weight, .. } => weight.len(),
            Self::L2 { width, .. } => *width,
        }
    }
}
