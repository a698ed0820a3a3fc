//! Feed-forward networks: what is dense in a dense model and an expert in a mixture.

use candle_core::{Result, Tensor};

use super::super::kernels::zip_in_place;
use super::super::vector::silu_gated;
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

    fn apply(self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Silu | Self::ClampedSwiGlu { .. } => x.silu(),
            Self::GeluTanh => x.gelu(),
            Self::Gelu => x.gelu_erf(),
            Self::Relu => x.relu(),
        }
    }

    /// `act(gate) * up`.
    fn gated(self, gate: Tensor, up: &Tensor) -> Result<Tensor> {
        match self {
            Self::Silu if gate.device().is_cpu() && gate.is_contiguous() => {
                zip_in_place(&gate, up, silu_gated)?;
                Ok(gate)
            }
            Self::ClampedSwiGlu { alpha, limit } => {
                let gate = gate.minimum(f64::from(limit))?;
                let up = (up.clamp(-limit, limit)? + 1.0)?;
                let sigmoid = ((gate.affine(-f64::from(alpha), 0.0)?.exp()? + 1.0)?).recip()?;
                up * (gate * sigmoid)?
            }
            other => other.apply(&gate)? * up,
        }
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

impl Mlp {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Gated { gate, up, down, activation } => {
                down.forward(&activation.gated(gate.forward(x)?, &up.forward(x)?)?)
            }
            Self::Plain { fc1, fc2, activation } => fc2.forward(&activation.apply(&fc1.forward(x)?)?),
        }
    }
}
