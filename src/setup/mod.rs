//! From what a user asks for to what labels a sample: tokenizer, overrides, template, rule, options.

mod overrides;

pub use overrides::{OverrideEffect, TokenChoice, apply};
