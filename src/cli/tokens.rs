//! Arguments of `tokens`: what a trainer really fed.

use std::path::PathBuf;

use clap::Args;

use crate::error::{Error, Result};

/// Arguments of `tokens`.
#[derive(Debug, Clone, Args)]
pub struct TokensArguments {
    /// Files of ids with labels or masks: JSON lines, Parquet, Arrow, safetensors, .npy, .npz, or a folder that
    /// datasets.save_to_disk wrote; - for standard input.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// The key of a field where it has no usual name, such as labels=my_labels; as often as needed.
    #[arg(long, value_name = "FIELD=KEY")]
    pub key: Vec<String>,
    /// Rows that text output shows token by token, or all.
    #[arg(long, value_name = "N", default_value = "3")]
    pub rows: String,
    /// Only this row, by its number from 0.
    #[arg(long, value_name = "N")]
    pub row: Option<usize>,
    /// Another dump to compare with, row by row: what another version of a trainer fed.
    #[arg(long, value_name = "FILE")]
    pub against: Vec<PathBuf>,
    /// Beside each row what this program makes of the same messages: those of --data, else those that the row's text says.
    #[arg(long)]
    pub explain: bool,
    /// Also show the checks that found nothing and those that were skipped.
    #[arg(long)]
    pub all: bool,
}

impl TokensArguments {
    /// Rows that are shown.
    ///
    /// # Errors
    /// Neither a number nor `all`.
    pub fn shown(&self) -> Result<usize> {
        match self.rows.as_str() {
            "all" => Ok(usize::MAX),
            number => number
                .parse()
                .map_err(|_| Error::Usage(format!("--rows {number}: expected a number, or all"))),
        }
    }
}
