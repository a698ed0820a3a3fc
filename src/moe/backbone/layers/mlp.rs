//! Feed-forward networks: the MLP of a dense model and an expert of an MoE layer.

use candle_core::cpu::erf::erf_f32;
use candle_core::{Result, Tensor};

use super::super::kernels::{map_rows_in_place, on_host, zip_in_place};
use super::super::vector;
use super::Linear;

/// Values that an activation takes at a time.
const PIECE: usize = 1024;

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

    /// `act(x)`; `x` has no other holder.
    fn apply(self, x: Tensor) -> Result<Tensor> {
        if on_host(&x) && x.is_contiguous() {
            // Rows mean nothing here: a piece is as good as a row.
            map_rows_in_place(&x, PIECE, |_, values| match self {
                Self::Silu | Self::ClampedSwiGlu { .. } => vector::silu(values),
                Self::GeluTanh => vector::gelu_tanh(values),
                Self::Gelu => values.iter_mut().for_each(|v| *v *= normal_cdf(*v)),
                Self::Relu => values.iter_mut().for_each(|v| *v = v.max(0.0)),
            })?;
            return Ok(x);
        }
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
            Self::Silu if on_host(&gate) && gate.is_contiguous() => {
                zip_in_place(&gate, up, vector::silu_gated)?;
                Ok(gate)
            }
            Self::ClampedSwiGlu { alpha, limit } => {
                let gate = gate.minimum(f64::from(limit))?;
                let up = (up.clamp(-limit, limit)? + 1.0)?;
                let sigmoid = ((gate.affine(-f64::from(alpha), 0.0)?.exp()? + 1.0)?).recip()?;
                up * (gate * sigmoid)?
            }
            other => other.apply(gate)? * up,
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
            Self::Plain { fc1, fc2, activation } => fc2.forward(&activation.apply(fc1.forward(x)?)?),
        }
    }
}

/// The share of a standard normal distribution below `x`.
fn normal_cdf(x: f32) -> f32 {
    (erf_f32(x * std::f32::consts::FRAC_1_SQRT_2) + 1.0) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn activations_agree_with_candle() {
        let values: Vec<f32> = (-600..600).map(|v| v as f32 / 50.0).collect();
        let x = Tensor::from_vec(values, (3, 400), &Device::Cpu).unwrap();
        for (ours, theirs) in [
            (Activation::Silu, x.silu()),
            (Activation::GeluTanh, x.gelu()),
            (Activation::Gelu, x.gelu_erf()),
            (Activation::Relu, x.relu()),
        ] {
            let values = |t: Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let (a, b) = (values(ours.apply(x.copy().unwrap()).unwrap()), values(theirs.unwrap()));
            assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 2e-6), "{ours:?}");
        }
    }
}
