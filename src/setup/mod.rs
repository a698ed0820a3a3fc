//! From what a user asks for to what labels a sample: tokenizer, overrides, template, rule, options.
//!
//! The command line and the screen both make a [`Request`] and get a [`Setup`] from [`resolve`]; neither knows
//! how the choice was made.

mod chat;
mod model;
mod overrides;
mod recipe;
mod request;
mod source;
mod stop;

pub use chat::{CHAT, ChatOptions, wants_chat};
pub use model::{ModelSource, SEEDED_PREFIX, layer_bytes};
pub use overrides::{OverrideEffect, TokenChoice, apply};
pub use recipe::{RECIPES, Recipe};
pub use request::{AUTO, NONE, Request, Setup, TRAINING_MAX_LENGTH, resolve};
pub use source::{SAMPLE_PREFIX, Watch, files_for, load_other_ways, load_tokenizer};
pub use stop::{StopTokens, stop_tokens};
