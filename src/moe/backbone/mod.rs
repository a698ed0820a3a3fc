//! The models: the only module of `moe` that names a tensor type. They are written once against [`compute`]; candle runs
//! them on the CPU, CUDA and Metal, kernels of our own on every other GPU ([`gpu`]).
//!
//! One file a model. Each says which tensors make a layer and which parts of [`layers`] they form; the
//! residual stream, batching, embeddings and logits are the same for all ([`model`]). Weights are
//! computed with in f32 whatever the file's dtype. Routing decisions are never taken here: logits go to
//! the host, to [`crate::moe::gating`] or [`crate::moe::router`].

mod agreement;
mod array;
mod block;
mod candle;
mod compute;
mod device;
mod family;
mod forward_context;
mod gpu;
mod layers;
mod model;
mod registry;
mod source;
mod stream;

mod deepseek_v2;
mod deepseek_v3;
mod gpt_oss;
mod granitemoe;
mod llama;
mod llama4;
mod minicpm;
mod mistral;
mod mixtral;
mod olmoe;
mod phi;
mod phimoe;
mod qwen;
mod qwen2;
mod qwen2_moe;
mod qwen3_moe;
mod stablelm;

pub use device::{Device, DeviceChoice, DeviceState, device_list};
pub(super) use family::Upcycling;
pub use forward_context::{LayerRouting, NoiseSource};
pub use layers::Gates;
pub use model::{Forward, ForwardOptions, InputRow, Model, ModelLoadOptions, WantedLogits};
pub use registry::is_dense;
pub(super) use registry::upcycling;
pub use source::Conversion;
pub(super) use source::{default_bias, default_linear, gate_rows};
pub use stream::for_each_feed_input;

use super::error::MoeError;

impl From<candle_core::Error> for MoeError {
    fn from(error: candle_core::Error) -> Self {
        Self::Compute { while_doing: "running the model".into(), message: error.to_string() }
    }
}
