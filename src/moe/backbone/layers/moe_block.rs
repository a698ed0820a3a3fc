//! An MoE layer: logits on the device, decision on the host, then each expert once over all its
//! tokens.

use std::sync::Arc;

use candle_core::{D, Result, Tensor};
use rayon::prelude::*;

use super::super::kernels::on_host;
use super::super::vector::add_scaled;
use super::{Linear, Mlp};
use crate::moe::backbone::forward_context::{ForwardContext, LayerRouting};
use crate::moe::error::{MoeError, MoeResult};
use crate::moe::gating::{Applied, Decision, GateConfig, Logits, gate};
use crate::moe::router::Router;

/// Rows of one expert that are worked on at a time on the CPU: enough to pay for packing its weights, few enough to
/// share one busy expert out.
const ROWS: usize = 256;

/// Who decides.
#[derive(Debug, Clone)]
pub(in crate::moe::backbone) enum Routing {
    DeepSpeed(GateConfig),
    Transformers { router: Router, top_k: usize },
}

/// Gates that replace those of a model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gates {
    pub top_k: usize,
    /// DeepSpeed's gate with this capacity factor and smallest capacity; `None` keeps the model's own router.
    pub capacity: Option<(f64, usize)>,
}

/// What is added to the experts' output.
#[derive(Debug)]
pub(in crate::moe::backbone) enum SharedExpert {
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
pub(in crate::moe::backbone) struct MoeBlock {
    pub layer: usize,
    pub gate: Linear,
    pub routing: Routing,
    /// Freshly upcycled experts share one set of weights.
    pub experts: Vec<Arc<Mlp>>,
    pub shared_expert: SharedExpert,
}

impl MoeBlock {
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

    /// `[T, H]` to `[T, H]`; the routing is recorded in `ctx`.
    pub fn forward(&self, x: &Tensor, ctx: &mut ForwardContext<'_>) -> MoeResult<Tensor> {
        let logits: Vec<f32> = self.gate.forward(x)?.flatten_all()?.to_vec1()?;
        let view = Logits::new(&logits, self.experts.len())?;
        let decision = match &self.routing {
            Routing::DeepSpeed(config) => {
                let noise = ctx.noise_for(self.layer, view.tokens(), self.experts.len(), config.top_k)?;
                gate(&view, config, noise.as_noise())?
            }
            Routing::Transformers { router, top_k } => router.route(&view, *top_k)?,
        };
        let routed = self.experts_output(x, &decision)?;
        let out = self.add_beside(x, routed)?;
        ctx.routings.push(LayerRouting { layer: self.layer, logits, decision });
        Ok(out)
    }

    fn experts_output(&self, x: &Tensor, decision: &Decision) -> Result<Tensor> {
        let groups = self.experts.iter().map(Arc::as_ref).zip(decision.dispatch());
        let groups = groups.filter(|(_, group)| !group.is_empty());
        if on_host(x) {
            self.experts_on_host(x, groups.collect(), decision.applied)
        } else {
            experts_on_device(x, groups, decision.applied)
        }
    }

    /// Experts side by side, each on [`ROWS`] of its rows at a time; then every token sums its own, in the order
    /// of the experts.
    fn experts_on_host(
        &self,
        x: &Tensor,
        groups: Vec<(&Mlp, Vec<(u32, f32)>)>,
        applied: Applied,
    ) -> Result<Tensor> {
        let (tokens, width) = x.dims2()?;
        let parts: Vec<(&Mlp, &[(u32, f32)])> =
            groups.iter().flat_map(|(mlp, group)| group.chunks(ROWS).map(move |part| (*mlp, part))).collect();
        let outputs: Vec<Vec<f32>> = parts
            .par_iter()
            .map(|(mlp, part)| {
                let ids = Tensor::from_iter(part.iter().map(|&(token, _)| token), x.device())?;
                let mut input = x.index_select(&ids, 0)?;
                if applied == Applied::Input {
                    let weights: Vec<f32> = part.iter().map(|&(_, w)| w).collect();
                    input = input.broadcast_mul(&Tensor::from_vec(weights, (part.len(), 1), x.device())?)?;
                }
                mlp.forward(&input)?.flatten_all()?.to_vec1()
            })
            .collect::<Result<_>>()?;
        let mut served: Vec<Vec<(f32, &[f32])>> = vec![Vec::new(); tokens];
        for ((_, part), output) in parts.iter().zip(&outputs) {
            for (&(token, weight), row) in part.iter().zip(output.chunks_exact(width)) {
                let weight = if applied == Applied::Input { 1.0 } else { weight };
                served.get_mut(token as usize).into_iter().for_each(|rows| rows.push((weight, row)));
            }
        }
        let mut sum = vec![0f32; tokens * width];
        sum.par_chunks_mut(width.max(1)).zip(&served).with_min_len(64).for_each(|(sum, rows)| {
            rows.iter().for_each(|(weight, row)| add_scaled(sum, row, *weight));
        });
        Tensor::from_vec(sum, (tokens, width), x.device())
    }

    fn add_beside(&self, x: &Tensor, routed: Tensor) -> Result<Tensor> {
        match &self.shared_expert {
            SharedExpert::Nothing => Ok(routed),
            SharedExpert::Shared(mlp) => routed + mlp.forward(x)?,
            SharedExpert::GatedShared { mlp, gate } => {
                let open = ((gate.forward(x)?.neg()?.exp()? + 1.0)?).recip()?;
                routed + mlp.forward(x)?.broadcast_mul(&open)?
            }
            SharedExpert::Residual { mlp, coefficient } => {
                let z = coefficient.forward(x)?;
                let e = z.broadcast_sub(&z.max_keepdim(D::Minus1)?)?.exp()?;
                let c = e.broadcast_div(&e.sum_keepdim(D::Minus1)?)?;
                let (c0, c1) = (c.narrow(D::Minus1, 0, 1)?, c.narrow(D::Minus1, 1, 1)?);
                routed.broadcast_mul(&c0)? + mlp.forward(x)?.broadcast_mul(&c1)?
            }
        }
    }
}

/// Elsewhere: one expert after the other, each over all its rows.
fn experts_on_device<'a>(
    x: &Tensor,
    groups: impl Iterator<Item = (&'a Mlp, Vec<(u32, f32)>)>,
    applied: Applied,
) -> Result<Tensor> {
    let mut sum = x.zeros_like()?;
    for (mlp, group) in groups {
        let (tokens, weights): (Vec<u32>, Vec<f32>) = group.into_iter().unzip();
        let ids = Tensor::from_slice(&tokens, tokens.len(), x.device())?;
        let column = Tensor::from_slice(&weights, (weights.len(), 1), x.device())?;
        let input = x.index_select(&ids, 0)?;
        let output = match applied {
            Applied::Input => mlp.forward(&input.broadcast_mul(&column)?)?,
            Applied::Output => mlp.forward(&input)?.broadcast_mul(&column)?,
        };
        sum = sum.index_add(&ids, &output, 0)?;
    }
    Ok(sum)
}
