//! Prefix difference: an answer is what rendering one message more adds. One file a trainer's way of it:
//!
//! * [`mod@text_offsets`]: positions in the text, all answers or the last;
//! * [`mod@token_counts`]: counts of tokens, never verified;
//! * [`mod@prompt_completion`]: everything after the prompt of the last message.
//!
//! All of them fail where a template renders history differently from a prefix (Qwen3 strips thoughts),
//! where the generation prompt holds text that a stored answer lacks, and where tokens merge at the seam.

mod prompt_completion;
mod text_offsets;
mod token_counts;

pub use prompt_completion::{completion_only, prompt_completion};
pub use text_offsets::{Turns, text_offsets};
pub use token_counts::token_counts;
