//! The parts that models are put together from.

mod attention;
mod latent_attention;
mod linear;
mod mask;
mod mlp;
mod moe_block;
mod norm;
mod rotary;

pub(super) use attention::{Attention, AttentionKeys, HeadNorm, QueryScale};
pub(super) use latent_attention::LatentAttention;
pub(super) use linear::{Linear, Weight, WeightForm};
pub(super) use mask::AttentionMask;
pub(super) use mlp::{Activation, Mlp};
pub use moe_block::Gates;
pub(super) use moe_block::{MoeBlock, Routing, SharedExpert};
pub(super) use norm::Norm;
pub(super) use rotary::{Pairing, Rotary};
