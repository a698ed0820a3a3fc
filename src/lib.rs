//! maskscope shows what a Hugging Face tokenizer really does to a conversation, and which tokens a
//! fine-tuning run will learn from.
#![deny(unsafe_code)]
#![warn(missing_debug_implementations)]

pub mod chat;
pub mod error;
pub mod labels;
pub mod python;
pub mod samples;
pub mod setup;
pub mod text;
pub mod tokenizer;

pub use error::{Error, Result};
