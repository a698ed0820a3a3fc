//! Feed-forward networks: the MLP of a dense model and an expert of an MoE layer.

use super::Linear;

/// The non-linearity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::moe::backbone) enum Activation {
    Silu,
    /// gelu_new: the tanh approximation.
    GeluTanh,
    Gelu,
    Relu,
    /// gpt-oss: gate ≤ limit, up within ±limit, `(up + 1) * gate * sigmoid(alpha * gate)`.
    ClampedSwiGlu {
        alpha: f32,
        limit: f32,
    },
}

impl Activation {
    /// `hidden_act` of a config.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "silu" | "swish" => Self::Silu,
            "gelu_new" | "gelu_pytorch_tanh" | "gelu_fast" => Self::GeluTanh,
            "gelu" => Self::Gelu,
            "relu" => Self::Relu,
            _ => return None,
        })
    }
}

/// One network `[rows, H]` to `[rows, H]`.
#[derive(Debug, Clone)]
pub(in crate::moe::backbone) enum Mlp {
    /// `down(act(gate x) * up x)`.
    Gated { gate: Linear, up: Linear, down: Linear, activation: Activation },
    /// `fc2(act(fc1 x))`.
    Plain { fc1: Linear, fc2: Linear, activation: Activation },
}
