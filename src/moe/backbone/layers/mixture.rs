//! A mixture of experts: logits on the device, decision on the host, then each expert once over all its
//! tokens.

use std::sync::Arc;

use candle_core::{D, Result, Tensor};

use super::super::vector::add_scaled;
use super::{Linear, Mlp};
use crate::moe::backbone::Gates;
use crate::moe::backbone::pass::{LayerRouting, Pass};
use crate::moe::error::{MoeError, MoeResult};
use crate::moe::gating::{Applied, Decision, GateConfig, Logits, gate};
use crate::moe::router::Router;

/// Who decides.
#[derive(Debug, Clone)]
pub(in crate::moe::backbone) enum Routing {
    DeepSpeed(GateConfig),
    Transformers { router: Router, top_k: usize },
}

/// What is added to the experts' output.
#[derive(Debug)]
pub(in crate::moe::backbone) enum Beside {
    Nothing,
    /// `+ shared(x)`.
    Shared(Mlp),
    /// `+ sigmoid(gate x) * shared(x)` (Qwen2-MoE).
    GatedShared {
        mlp: Mlp,
        gate: Linear,
    },
    /// DeepSpeed's residual MoE: `c0 * experts + c1 * mlp(x)`, c = softmax(coefficient(x)).
    Residual {
        mlp: Arc<Mlp>,
        coefficient: Linear,
    },
}

/// The feed-forward part of an MoE layer.
#[derive(Debug)]
pub(in crate::moe::backbone) struct Mixture {
    pub layer: usize,
    pub gate: Linear,
    pub routing: Routing,
    /// Freshly upcycled experts share one set of weights.
    pub experts: Vec<Arc<Mlp>>,
    pub beside: Beside,
}

impl Mixture {
    /// Choices of a token.
    pub fn top_k(&self) -> usize {
        match &self.routing {
            Routing::DeepSpeed(config) => config.top_k,
            Routing::Transformers { top_k, .. } => *top_k,
        }
    }

    /// Another k, and DeepSpeed's gate where a capacity is asked for.
    pub fn regate(&mut self, gates: &Gates) -> MoeResult<()> {
        let experts = self.experts.len();
        if gates.top_k == 0 || gates.top_k > experts {
            let (k, layer) = (gates.top_k, self.layer);
            return Err(MoeError::Request(format!("top_k is {k}, layer {layer} has {experts} experts")));
        }
        match (gates.capacity, &mut self.routing) {
            (Some((factor, min)), routing) => {
                *routing = Routing::DeepSpeed(GateConfig::new(gates.top_k, factor, min));
            }
            (None, Routing::Transformers { top_k, .. }) => *top_k = gates.top_k,
            (None, Routing::DeepSpeed(config)) => config.top_k = gates.top_k,
        }
        Ok(())
    }

    /// `[T, H]` to `[T, H]`; the routing is recorded in `pass`.
    pub fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> MoeResult<Tensor> {
        let logits: Vec<f32> = self.gate.forward(x)?.flatten_all()?.to_vec1()?;
        let view = Logits::new(&logits, self.experts.len())?;
        let decision = match &self.routing {
            Routing::DeepSpeed(config) => {
                let noise = pass.noise_for(self.layer, view.tokens(), self.experts.len(), config.top_k)?;
                gate(&view, config, noise.as_noise())?
            }
            Routing::Transformers { router, top_k } => router.route(&view, *top_k)?,
        };
        let routed = self.experts_output(x, &decision)?;
        let out = self.add_beside(x, routed)?;
        pass.routings.push(LayerRouting { layer: self.layer, logits, decision });
        Ok(out)
    }

    fn experts_output(&self, x: &Tensor, decision: &Decision) -> Result<Tensor> {
        let on_host = x.device().is_cpu();
        let (rows, width) = x.dims2()?;
        let mut host = vec![0f32; if on_host { rows * width } else { 0 }];
        let mut sum: Option<Tensor> = None;
        for (expert, group) in self.experts.iter().zip(decision.dispatch()) {
            if group.is_empty() {
                continue;
            }
            let (tokens, weights): (Vec<u32>, Vec<f32>) = group.into_iter().unzip();
            let ids = Tensor::from_slice(&tokens, tokens.len(), x.device())?;
            let mut input = x.index_select(&ids, 0)?;
            let column = Tensor::from_slice(&weights, (weights.len(), 1), x.device())?;
            if decision.applied == Applied::Input {
                input = input.broadcast_mul(&column)?;
            }
            let output = expert.forward(&input)?;
            if on_host {
                let scale = |w: f32| if decision.applied == Applied::Input { 1.0 } else { w };
                let output: Vec<f32> = output.flatten_all()?.to_vec1()?;
                for ((row, &token), &w) in output.chunks_exact(width).zip(&tokens).zip(&weights) {
                    let at = token as usize * width;
                    add_scaled(host.get_mut(at..at + width).unwrap_or_default(), row, scale(w));
                }
            } else {
                let weighted = match decision.applied {
                    Applied::Input => output,
                    Applied::Output => output.broadcast_mul(&column)?,
                };
                let so_far = sum.take().map_or_else(|| x.zeros_like(), Ok)?;
                sum = Some(so_far.index_add(&ids, &weighted, 0)?);
            }
        }
        if on_host {
            return Tensor::from_vec(host, (rows, width), x.device());
        }
        sum.map_or_else(|| x.zeros_like(), Ok)
    }

    fn add_beside(&self, x: &Tensor, routed: Tensor) -> Result<Tensor> {
        match &self.beside {
            Beside::Nothing => Ok(routed),
            Beside::Shared(mlp) => routed + mlp.forward(x)?,
            Beside::GatedShared { mlp, gate } => {
                let open = ((gate.forward(x)?.neg()?.exp()? + 1.0)?).recip()?;
                routed + mlp.forward(x)?.broadcast_mul(&open)?
            }
            Beside::Residual { mlp, coefficient } => {
                let z = coefficient.forward(x)?;
                let e = z.broadcast_sub(&z.max_keepdim(D::Minus1)?)?.exp()?;
                let c = e.broadcast_div(&e.sum_keepdim(D::Minus1)?)?;
                let (c0, c1) = (c.narrow(D::Minus1, 0, 1)?, c.narrow(D::Minus1, 1, 1)?);
                routed.broadcast_mul(&c0)? + mlp.forward(x)?.broadcast_mul(&c1)?
            }
        }
    }
}
