//! Arguments of `drift`.

use std::path::PathBuf;

use clap::Args;

/// Arguments of `drift`.
#[derive(Debug, Clone, Args)]
pub struct DriftArguments {
    /// Files of ids, as `tokens` takes them; rows may bring the messages that they were made of.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// The key of a field where it has no usual name, such as ids=prompt_and_answer; as often as needed.
    #[arg(long, value_name = "FIELD=KEY")]
    pub key: Vec<String>,
    /// Examples of each class that are shown.
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub examples: usize,
}
