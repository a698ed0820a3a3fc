//! Mixtures of experts: what a router does with the tokens of a conversation.
pub mod checkpoint;
pub mod error;
pub mod gating;
pub mod router;

pub use error::{MoeError, MoeResult};
