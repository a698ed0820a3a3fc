//! An MoE layer: logits on the device, decision on the host, then each expert once over all its
//! tokens.

use std::sync::Arc;

use super::{Linear, Mlp};
use crate::moe::backbone::array::Array;
use crate::moe::backbone::compute::{Beside, Compute, ExpertRows};
use crate::moe::backbone::forward_context::{ForwardContext, LayerRouting};
use crate::moe::error::{MoeError, MoeResult};
use crate::moe::gating::{GateConfig, Logits, gate};
use crate::moe::router::Router;

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

impl Gates {
    /// # Errors
    /// A k that a layer's experts do not allow.
    pub fn check(&self, layer: usize, experts: usize) -> MoeResult<()> {
        let k = self.top_k;
        if k == 0 || k > experts {
            return Err(MoeError::Request(format!("top_k is {k}, layer {layer} has {experts} experts")));
        }
        Ok(())
    }
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
    /// The model's own, where other gates have taken its place.
    pub replaced: Option<Routing>,
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
        gates.check(self.layer, self.experts.len())?;
        let own = self.replaced.get_or_insert_with(|| self.routing.clone());
        self.routing = match (gates.capacity, own.clone()) {
            (Some((factor, min)), _) => Routing::DeepSpeed(GateConfig::new(gates.top_k, factor, min)),
            (None, Routing::Transformers { router, .. }) => {
                Routing::Transformers { router, top_k: gates.top_k }
            }
            (None, Routing::DeepSpeed(config)) => {
                Routing::DeepSpeed(GateConfig { top_k: gates.top_k, ..config })
            }
        };
        Ok(())
    }

    /// `[T, H]` to `[T, H]`; the routing is recorded in `ctx`.
    pub fn forward(&self, x: &Array, ctx: &mut ForwardContext<'_>) -> MoeResult<Array> {
        let on = ctx.on;
        let logits = on.values(&on.linear(x, &self.gate)?)?;
        let view = Logits::new(&logits, self.experts.len())?;
        let decision = match &self.routing {
            Routing::DeepSpeed(config) => {
                let noise = ctx.noise_for(self.layer, view.tokens(), self.experts.len(), config.top_k)?;
                gate(&view, config, noise.as_noise())?
            }
            Routing::Transformers { router, top_k } => router.route(&view, *top_k)?,
        };
        let groups = self.experts.iter().zip(decision.dispatch());
        let groups = groups.map(|(mlp, rows)| ExpertRows { mlp, rows }).filter(|g| !g.rows.is_empty());
        let routed = on.experts(x, &groups.collect::<Vec<_>>(), decision.applied)?;
        let out = self.add_beside(on, x, routed)?;
        ctx.routings.push(LayerRouting { layer: self.layer, logits, decision });
        Ok(out)
    }

    fn add_beside(&self, on: &dyn Compute, x: &Array, routed: Array) -> MoeResult<Array> {
        match &self.shared_expert {
            SharedExpert::Nothing => Ok(routed),
            SharedExpert::Shared(mlp) => on.join(routed, &on.feed(mlp, x)?, &Beside::Sum),
            SharedExpert::GatedShared { mlp, gate } => {
                let gate = on.linear(x, gate)?;
                on.join(routed, &on.feed(mlp, x)?, &Beside::Gated(&gate))
            }
            SharedExpert::Residual { mlp, coefficient } => {
                let z = on.linear(x, coefficient)?;
                on.join(routed, &on.feed(mlp, x)?, &Beside::Softmax(&z))
            }
        }
    }
}
