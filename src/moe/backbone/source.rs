//! Where a layer's weights come from: the checkpoint by the hub's names, or, for an MoE-LLaVA layer, the
//! MoE layers' tensors by DeepSpeed's names.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::block::FeedForward;
use super::device::Device;
use super::layers::{
    Activation, AttentionMask, HeadNorm, Linear, Mlp, MoeBlock, Norm, QueryScale, Routing, SharedExpert,
    Weight, WeightForm,
};
use super::layers::{Attention, AttentionKeys, Pairing};
use crate::moe::checkpoint::Checkpoint;
use crate::moe::config::Config;
use crate::moe::error::{MoeError, MoeResult};
use crate::moe::moe_llava::MoeConfig;
use crate::moe::rope::Rope;
use crate::moe::seed::Rng;

/// How a dense model becomes an MoE model when it is loaded.
#[derive(Debug, Clone)]
pub struct Conversion {
    pub moe: MoeConfig,
    /// Gates, and optionally experts and coefficients, by DeepSpeed's names.
    pub weights: Option<Checkpoint>,
    /// Whether experts are taken from `weights`; otherwise they are copies of the dense MLP.
    pub experts_from_weights: bool,
    /// Gates by layer `[E, H]` (from k-means); they win over everything.
    pub gates: BTreeMap<usize, Vec<f32>>,
    /// Seed of the gates and coefficients that come from nowhere else.
    pub seed: u64,
}

impl Conversion {
    /// Copied experts and gates initialised from `seed`.
    pub fn seeded(moe: MoeConfig, seed: u64) -> Self {
        Self { moe, weights: None, experts_from_weights: false, gates: BTreeMap::new(), seed }
    }

    /// Gates and, where the file has them, experts and coefficients from `weights`; the rest is drawn from `seed`.
    pub fn with_weights(moe: MoeConfig, weights: Checkpoint, seed: u64) -> Self {
        let has_experts = weights.names().any(|n| n.contains(".deepspeed_experts."));
        Self { weights: Some(weights), experts_from_weights: has_experts, ..Self::seeded(moe, seed) }
    }
}

/// The MoE-LLaVA part of a model: converted now, or saved converted.
#[derive(Debug, Clone)]
pub(super) enum Upcycled {
    No,
    /// The checkpoint holds the MoE layers.
    Saved(MoeConfig),
    Now(Conversion),
}

impl Upcycled {
    pub fn moe(&self) -> Option<&MoeConfig> {
        match self {
            Self::No => None,
            Self::Saved(moe) => Some(moe),
            Self::Now(conversion) => Some(&conversion.moe),
        }
    }
}

/// Weights and config of a model being built.
pub(super) struct WeightSource<'a> {
    pub config: &'a Config,
    pub checkpoint: &'a Checkpoint,
    pub device: &'a Device,
    pub upcycled: &'a Upcycled,
    /// Put before every tensor name (`language_model.` in multimodal checkpoints).
    pub root: String,
    /// Bytes of weights on the device so far.
    pub weight_bytes: &'a Cell<usize>,
}

impl<'a> WeightSource<'a> {
    /// A tensor on the host.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> MoeResult<Vec<f32>> {
        self.checkpoint.f32(&self.name(name), shape)
    }

    /// The name in the file.
    pub fn name(&self, name: &str) -> String {
        format!("{}{name}", self.root)
    }

    pub fn has(&self, name: &str) -> bool {
        self.checkpoint.contains(&self.name(name))
    }

    /// A vector on the host.
    pub fn vector(&self, name: &str, len: usize) -> MoeResult<Vec<f32>> {
        self.checkpoint.f32(&self.name(name), &[len])
    }

    /// `name.weight [out, in]` and, if asked for, `name.bias`.
    pub fn linear(&self, name: &str, out: usize, input: usize, bias: bool) -> MoeResult<Linear> {
        self.linear_from(self.checkpoint, &self.name(name), (out, input), bias)
    }

    fn linear_from(
        &self,
        file: &Checkpoint,
        name: &str,
        (out, input): (usize, usize),
        bias: bool,
    ) -> MoeResult<Linear> {
        let values = file.f32(&format!("{name}.weight"), &[out, input])?;
        let bias = if bias { Some(file.f32(&format!("{name}.bias"), &[out])?) } else { None };
        self.store(values, (out, input), WeightForm::OutIn, bias)
    }

    /// One expert's slice of a fused tensor `[E, rows, columns]`, row-major on the host.
    pub fn slice(&self, name: &str, expert: usize, shape: [usize; 3]) -> MoeResult<Vec<f32>> {
        let name = self.name(name);
        self.checkpoint.expect_shape(&name, &shape)?;
        self.checkpoint.f32_rows(&name, expert, 1)
    }

    /// A weight to the device.
    pub fn store(
        &self,
        values: Vec<f32>,
        (out, input): (usize, usize),
        form: WeightForm,
        bias: Option<Vec<f32>>,
    ) -> MoeResult<Linear> {
        let linear = self.device.compute().store(Weight { values, input, out, form, bias })?;
        self.weight_bytes.set(self.weight_bytes.get() + linear.bytes());
        Ok(linear)
    }

    pub fn rms(&self, name: &str, width: usize, eps: f64) -> MoeResult<Norm> {
        Ok(Norm::Rms { weight: self.vector(&format!("{name}.weight"), width)?, eps: eps as f32 })
    }

    pub fn layer_norm(&self, name: &str, width: usize, eps: f64) -> MoeResult<Norm> {
        let weight = self.vector(&format!("{name}.weight"), width)?;
        Ok(Norm::Layer { weight, bias: self.vector(&format!("{name}.bias"), width)?, eps: eps as f32 })
    }

    /// `hidden_act`.
    pub fn activation(&self) -> MoeResult<Activation> {
        let name = self.config.text("hidden_act")?.unwrap_or("silu");
        Activation::parse(name).ok_or_else(|| {
            let known = "silu, gelu_new, gelu_pytorch_tanh, gelu, relu";
            self.config.error("hidden_act", format!("{name:?} is not known here ({known})"))
        })
    }

    /// hidden_size, heads and key heads, checked against each other.
    pub fn heads(&self) -> MoeResult<(usize, usize, usize)> {
        let hidden = self.config.size("hidden_size")?;
        let heads = self.config.size("num_attention_heads")?;
        let kv_heads = self.config.opt_size("num_key_value_heads")?.unwrap_or(heads);
        if !heads.is_multiple_of(kv_heads) {
            let message = format!("{kv_heads} does not divide num_attention_heads {heads}");
            return Err(self.config.error("num_key_value_heads", message));
        }
        Ok((hidden, heads, kv_heads))
    }

    /// Llama's attention below `prefix`: `{q,k,v}_proj` and `output`, with or without biases.
    pub fn attention(
        &self,
        prefix: &str,
        output: &str,
        qkv_bias: bool,
        o_bias: bool,
    ) -> MoeResult<Attention> {
        let (hidden, num_heads, num_kv_heads) = self.heads()?;
        let head_dim = self.config.head_dim()?;
        let (q, kv) = (num_heads * head_dim, num_kv_heads * head_dim);
        Ok(Attention {
            projections: AttentionKeys {
                q: self.linear(&format!("{prefix}.q_proj"), q, hidden, qkv_bias)?,
                k: self.linear(&format!("{prefix}.k_proj"), kv, hidden, qkv_bias)?,
                v: self.linear(&format!("{prefix}.v_proj"), kv, hidden, qkv_bias)?,
                o: self.linear(&format!("{prefix}.{output}"), hidden, q, o_bias)?,
            },
            num_heads,
            num_kv_heads,
            head_dim,
            scale: (head_dim as f32).sqrt().recip(),
            rope: Some((Rope::read(self.config, 1.0)?, Pairing::Halves)),
            norm: HeadNorm::None,
            visible: AttentionMask::default(),
            sinks: None,
            clip_qkv: None,
            query_scale: QueryScale::None,
        })
    }

    /// `{gate,up,down}_proj` below `prefix`, with biases iff `mlp_bias`.
    pub fn gated_mlp(&self, prefix: &str, intermediate: usize) -> MoeResult<Mlp> {
        self.gated_mlp_named(prefix, intermediate, ["gate_proj", "up_proj", "down_proj"])
    }

    /// A gated MLP with other names, in the order gate, up, down.
    pub fn gated_mlp_named(&self, prefix: &str, intermediate: usize, names: [&str; 3]) -> MoeResult<Mlp> {
        let hidden = self.config.size("hidden_size")?;
        let [gate, up, down] = names;
        let bias = self.config.flag_or("mlp_bias", false)?;
        Ok(Mlp::Gated {
            gate: self.linear(&format!("{prefix}.{gate}"), intermediate, hidden, bias)?,
            up: self.linear(&format!("{prefix}.{up}"), intermediate, hidden, bias)?,
            down: self.linear(&format!("{prefix}.{down}"), hidden, intermediate, bias)?,
            activation: self.activation()?,
        })
    }

    /// `num_experts_per_tok`, checked against the number of experts.
    pub fn top_k(&self, num_experts: usize) -> MoeResult<usize> {
        let k = self.config.size("num_experts_per_tok")?;
        if k > num_experts {
            let message = format!("is {k}, the layer has {num_experts} experts");
            return Err(self.config.error("num_experts_per_tok", message));
        }
        Ok(k)
    }

    /// The number of experts under its usual keys, within a sane range.
    pub fn num_experts(&self) -> MoeResult<usize> {
        let keys = ["num_local_experts", "num_experts", "n_routed_experts"];
        let n = self.config.size_of(&keys)?;
        if n > 4096 {
            return Err(self.config.error(&keys.join(" or "), format!("is {n}, more than 4096")));
        }
        Ok(n)
    }

    /// The feed-forward part of a backbone that MoE-LLaVA can convert: `mlp` builds the dense network
    /// from a source and a prefix.
    pub fn feed_forward(
        &self,
        layer: usize,
        prefix: &str,
        mlp: impl Fn(&WeightSource<'_>, &str) -> MoeResult<Mlp>,
    ) -> MoeResult<FeedForward> {
        let Some((moe, num_experts)) = self.upcycled.moe().and_then(|m| Some((m, m.experts_of(layer)?)))
        else {
            return Ok(FeedForward::Dense(mlp(self, prefix)?));
        };
        let shared_expert = if moe.use_residual {
            let dense = match self.upcycled {
                Upcycled::Saved(_) => mlp(self, &format!("{prefix}.mlp"))?,
                _ => mlp(self, prefix)?,
            };
            SharedExpert::Residual { mlp: Arc::new(dense), coefficient: self.coefficient(layer, prefix)? }
        } else {
            SharedExpert::Nothing
        };
        Ok(FeedForward::moe(MoeBlock {
            layer,
            gate: self.gate(layer, prefix, num_experts)?,
            routing: Routing::DeepSpeed(moe.gate()),
            replaced: None,
            experts: self.experts(prefix, num_experts, mlp)?,
            shared_expert,
        }))
    }

    fn experts(
        &self,
        prefix: &str,
        num_experts: usize,
        mlp: impl Fn(&WeightSource<'_>, &str) -> MoeResult<Mlp>,
    ) -> MoeResult<Vec<Arc<Mlp>>> {
        let name = |e: usize| format!("{prefix}.deepspeed_moe.experts.deepspeed_experts.{e}");
        let from_file = |source: &WeightSource<'_>| {
            (0..num_experts).map(|e| Ok(Arc::new(mlp(source, &name(e))?))).collect::<MoeResult<Vec<_>>>()
        };
        match self.upcycled {
            Upcycled::Now(Conversion { weights: Some(file), experts_from_weights: true, .. }) => {
                from_file(&WeightSource { checkpoint: file, root: String::new(), ..*self })
            }
            Upcycled::Now(_) | Upcycled::No => {
                let shared = Arc::new(mlp(self, prefix)?);
                Ok((0..num_experts).map(|_| Arc::clone(&shared)).collect())
            }
            Upcycled::Saved(_) => from_file(self),
        }
    }

    /// `wg`, bias-free `[E, H]`; a file with more rows gives its first E.
    fn gate(&self, layer: usize, prefix: &str, num_experts: usize) -> MoeResult<Linear> {
        let hidden = self.config.size("hidden_size")?;
        let name = format!("{prefix}.deepspeed_moe.gate.wg.weight");
        let values = match self.upcycled {
            Upcycled::Now(c) if c.gates.contains_key(&layer) => {
                c.gates.get(&layer).filter(|g| g.len() == num_experts * hidden).cloned().ok_or_else(|| {
                    MoeError::Request(format!("the gate of layer {layer} is not [{num_experts}, {hidden}]"))
                })?
            }
            Upcycled::Now(Conversion { weights: Some(file), .. }) => {
                gate_rows(file, &name, num_experts, hidden)?
            }
            Upcycled::Now(c) => default_linear(num_experts, hidden, &mut Rng::new(c.seed).fork(layer as u64)),
            _ => gate_rows(self.checkpoint, &self.name(&name), num_experts, hidden)?,
        };
        self.store(values, (num_experts, hidden), WeightForm::OutIn, None)
    }

    fn coefficient(&self, layer: usize, prefix: &str) -> MoeResult<Linear> {
        let hidden = self.config.size("hidden_size")?;
        let name = format!("{prefix}.coefficient");
        match self.upcycled {
            Upcycled::Now(Conversion { weights: Some(file), .. })
                if file.contains(&format!("{name}.weight")) =>
            {
                self.linear_from(file, &name, (2, hidden), true)
            }
            Upcycled::Now(c) => {
                // A stream of its own, so that the gates do not depend on use_residual.
                let mut rng = Rng::new(c.seed).fork(layer as u64).fork(1);
                let weight = default_linear(2, hidden, &mut rng);
                self.store(weight, (2, hidden), WeightForm::OutIn, Some(default_bias(2, hidden, &mut rng)))
            }
            _ => self.linear(&name, 2, hidden, true),
        }
    }
}

/// The first `num_experts` rows of a gate.
pub(in crate::moe) fn gate_rows(
    file: &Checkpoint,
    name: &str,
    num_experts: usize,
    hidden: usize,
) -> MoeResult<Vec<f32>> {
    match file.info(name)?.shape.as_slice() {
        [rows, columns] if *rows >= num_experts && *columns == hidden => file.f32_rows(name, 0, num_experts),
        shape => {
            let message = format!("has shape {shape:?}, the gate needs [{num_experts} or more, {hidden}]");
            Err(file.error(name, message))
        }
    }
}

/// torch's default for `nn.Linear`: U(-1/sqrt(in), 1/sqrt(in)) (from our own generator).
pub(in crate::moe) fn default_linear(out: usize, input: usize, rng: &mut Rng) -> Vec<f32> {
    uniform(out * input, input, rng)
}

/// The default bias of an `nn.Linear`, the same distribution.
pub(in crate::moe) fn default_bias(out: usize, input: usize, rng: &mut Rng) -> Vec<f32> {
    uniform(out, input, rng)
}

fn uniform(n: usize, fan_in: usize, rng: &mut Rng) -> Vec<f32> {
    let bound = 1.0 / (fan_in.max(1) as f32).sqrt();
    (0..n).map(|_| (rng.uniform() * 2.0 - 1.0) * bound).collect()
}
