//! MoE (mixture of experts): which experts the tokens of a conversation go to, and how a dense model becomes a
//! mixture the way MoE-LLaVA does it.
//!
//! ```text
//! config.json ── config ─┬─ moe_llava (layers, experts, gate)        image (positions it takes)
//!                        └─ rope                                          │
//! *.safetensors ─ checkpoint ──► backbone          ◄── InputRow ──── positions
//!                                  │ logits [T, E] on the host
//!                                  ▼
//!                    gating (DeepSpeed) · router (transformers)   pure f32, no tensors
//!                                  │ Decision: idx, weights, slots, capacity, exp_counts, l_aux
//!                                  ▼
//!                    route (calls, JSON rows) · dump · token_route · statistics · convert (a folder on disk)
//! ```
//!
//! How to use it:
//!
//! - **Route samples**: [`config::Config::open`], [`checkpoint::Checkpoint::open`],
//!   [`backbone::Model::load`], then [`route::route`]. For a dense model, put a
//!   [`backbone::Conversion`] (from [`moe_llava::MoeRequest`] through [`moe_llava::MoeConfig::new`]) into
//!   [`backbone::ModelLoadOptions`]; a MoE-LLaVA checkpoint and a MoE model of transformers need none.
//!   `--moe-weights` is [`backbone::Conversion::with_weights`], `--router-init default` is
//!   [`backbone::Conversion::seeded`], `--router-init kmeans` fills its `gates` from
//!   [`kmeans::kmeans_gates`]. `--dump` is `dump::Dump::write`.
//! - **Inputs**: [`positions::Positions`] of ids (with −200 for an image) or of bytes, then its `input_rows`.
//! - **No model at hand**: [`sample::load`], which reads bytes, or [`seeded::seeded`] for any backbone.
//! - **Convert**: [`convert::convert`].
//! - **Only the numbers**: [`gating::gate`], [`router::Router::route`], [`router::load_balancing_loss`].
//!
//! The device is chosen at run time ([`backbone::DeviceChoice`]); when it is missing or fails,
//! [`backbone::Device::fallback`] says why the CPU is used. Noise is off unless asked for: DeepSpeed
//! itself samples, so two Python runs differ and ours is one of the possible ones.

pub mod backbone;
pub mod checkpoint;
pub mod config;
pub mod convert;
pub mod dump;
pub mod error;
pub mod gating;
pub mod image;
pub mod kmeans;
pub mod moe_llava;
pub mod positions;
pub mod rope;
pub mod route;
pub mod router;
pub mod sample;
pub mod seed;
pub mod seeded;
pub mod statistics;
pub mod token_route;

pub use error::{MoeError, MoeResult};

#[cfg(test)]
mod tests;
