//! From what a user asks for to what labels a sample: tokenizer, overrides, labelling.
//!
//! The command line and the screen both make a [`Request`] and get a [`Setup`] from [`resolve()`]; neither knows
//! how the choice was made.

mod by_rows;
mod chat;
mod choice;
mod file;
mod model;
mod overrides;
mod recipe;
mod repository;
mod request;
mod resolve;
mod source;
mod stop;

pub use crate::samples::SAMPLE_PREFIX;
pub use by_rows::{by_rows, has_own_template};
pub use choice::{AUTO, CHAT, LabelChoice, NONE, RecipeChoice, TemplateChoice};
pub use file::{FLAGS, KEYS, PATHS, SetupFile};
pub use model::{
    ConversionRequest, GateInit, LoadStep, ModelKind, ModelRequest, ModelSource, load_model, token_ids,
    vocab_size,
};
pub use overrides::{OverrideEffect, TokenChoice, apply};
pub use recipe::{RECIPES, Recipe};
pub use repository::RepositoryRequest;
pub use request::{ChatOptions, Request};
pub use resolve::{LlavaSetup, Setup, TRAINING_MAX_LENGTH, resolve};
pub use source::{DownloadWatch, files_for, load_other_ways, load_tokenizer};
pub use stop::{StopTokens, stop_tokens};
