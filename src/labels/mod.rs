//! Which tokens of a conversation are supervised, and how the training code counts them.
//!
//! One sample goes: turns → [`multimodal`] rewriting → prompt (by the template) → ids ([`encode`]) → a rule
//! ([`rules`]) that counts rounds in a [`round_counter`] and masks. Whatever the Python code would raise on the way is
//! a [`PythonError`] in the result.

#[cfg(feature = "internals")]
mod collate;
mod encode;
mod inspect;
pub mod multimodal;
mod options;
mod outcome;
mod round_counter;
mod rule;
mod rule_choice;
pub mod rules;
mod status;

pub use crate::python::PythonError;
#[cfg(feature = "internals")]
pub use collate::{CollatedBatch, collate};
pub use encode::{PromptIds, image_ids, piece_len, text_ids};
pub use inspect::inspect;
pub use options::PromptOptions;
pub use outcome::*;
pub use rule::Rule;
pub use rule_choice::RuleChoice;
pub use status::{SampleStatus, StatusCounts, StatusKind, TokenLabel};
