//! Arguments of `hook`.

use clap::Args;

/// Arguments of `hook`.
#[derive(Debug, Clone, Args)]
pub struct HookArguments {
    /// transformers, trl, axolotl, llamafactory or llava.
    #[arg(value_name = "TRAINER")]
    pub trainer: String,
    /// The file that the batches go to.
    #[arg(long, value_name = "FILE", default_value = "fed.jsonl")]
    pub out: String,
    /// How many batches are written.
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub batches: usize,
}
