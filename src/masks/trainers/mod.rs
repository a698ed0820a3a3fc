//! The data paths of today's trainers: from one row of a data set to the sequences that the model is fed.
//!
//! A mask strategy of [`crate::masks`] answers one question, which tokens of a rendered conversation are supervised. A
//! trainer does more with a row: it chooses the columns, adds eos, tokenises pieces by themselves, truncates, drops,
//! weighs, splits and packs. Each file here reproduces one trainer's code for that, bugs included, and names the release.
//!
//! ```text
//! Trainer::construct(resources, options) ──> RowPreparer ── prepare(row) ──> PreparedRow { sequences }
//! ```
//!
//! What a trainer works out once per data set (a template swap, probes of the template) happens in `construct`, so an
//! error there is an error of the whole run.

pub mod arrow;
pub mod columns;
pub mod nanochat;
pub mod openrlhf;
pub mod options;
pub mod python_json;
mod qwen3_coder;
pub mod renderers;
pub mod resources;
pub mod sequence;
pub mod swift;
pub mod torchtune;
pub mod trainer;
pub mod trl_dpo;
pub mod trl_kto;
pub mod trl_packing;
pub mod trl_sft;
mod trl_templates;
pub mod verl;
pub mod xtuner;

pub use options::TrainerOptions;
pub use resources::Resources;
pub use sequence::{AnswerSide, PreparedRow, RowPreparer, TrainingSequence, runs};
pub use trainer::Trainer;
