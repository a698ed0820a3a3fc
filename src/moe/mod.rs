//! Mixtures of experts: what a router does with the tokens of a conversation.
pub mod backbone;
pub mod checkpoint;
pub mod config;
pub mod convert;
pub mod error;
pub mod gating;
pub mod image;
pub mod kmeans;
pub mod moe_llava;
pub mod rope;
pub mod route;
pub mod router;
pub mod sample;
pub mod seed;

pub use error::{MoeError, MoeResult};

#[cfg(test)]
mod tests;
