//! The parts that models are put together from.

mod attention;
mod latent_attention;
mod linear;
mod mlp;
mod moe_block;
mod norm;
mod rotary;
mod softmax;

pub(super) use attention::{Attention, AttentionKeys, HeadNorm, QueryScale};
pub(super) use latent_attention::LatentAttention;
pub(super) use linear::Linear;
pub(super) use mlp::{Activation, Mlp};
pub use moe_block::Gates;
pub(super) use moe_block::{MoeBlock, Routing, SharedExpert};
pub(super) use norm::Norm;
pub(super) use rotary::{Pairing, Rotary};
pub(super) use softmax::AttentionMask;
