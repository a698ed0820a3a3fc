//! Options that take the label function out of a training repository.

use std::path::PathBuf;

use clap::Args;

use crate::error::{Error, Result};
use crate::setup::RepositoryRequest;

/// `--repo` and what goes with it.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Label function of a repository")]
pub struct RepositoryArgs {
    /// Checkout of a training repository: its own label function is read and run, in a sandbox.
    /// `compare` takes two.
    #[arg(long, global = true, value_name = "DIR")]
    pub repo: Vec<PathBuf>,
    /// Key of the repository's conversation template; without a value the version of maskscope.
    #[arg(short = 'V', long, global = true, value_name = "KEY", num_args = 0..=1, default_missing_value = "", action = clap::ArgAction::Append)]
    pub version: Vec<String>,
    /// This function in place of what the dispatch chooses: FILE:NAME or FILE:CLASS.NAME.
    #[arg(long, global = true, value_name = "FILE:NAME")]
    pub function: Vec<String>,
    /// Name or path of the model, for conditions on it in the repository's code.
    #[arg(long, global = true, value_name = "NAME")]
    pub model_name: Option<String>,
    /// An argument of the training script that a condition on the tokenizer asks for, such as model_type=phi-2.
    #[arg(long, global = true, value_name = "NAME=VALUE")]
    pub script_arg: Vec<String>,
    /// Lines that make the tokenizer ready, in place of the repository's own.
    #[arg(long, global = true, value_name = "FILE")]
    pub setup_code: Option<PathBuf>,
}

/// The value of a side: its own, or the one that was given for both.
pub fn own<T: Clone>(values: &[T], side: usize) -> Option<T> {
    values.get(side).or(values.last()).cloned()
}

impl RepositoryArgs {
    /// What is asked of the repository of a side of `compare` (elsewhere there is one side, 0); `None` without `--repo`.
    ///
    /// # Errors
    /// A `--script-arg` without a value.
    pub fn request(
        &self,
        side: usize,
        image_tokens: Option<usize>,
        transformers: Option<&str>,
    ) -> Result<Option<RepositoryRequest>> {
        let Some(repo) = own(&self.repo, side) else { return Ok(None) };
        let mut request = RepositoryRequest::new(repo);
        request.version = own(&self.version, side).filter(|version| !version.is_empty());
        request.function = own(&self.function, side);
        request.model_name = self.model_name.clone();
        request.setup_code = self.setup_code.clone();
        request.image_tokens = image_tokens;
        request.transformers = transformers.map(String::from);
        request.script_arguments = self.script_arguments()?;
        Ok(Some(request))
    }

    /// Names and values of `--script-arg`.
    ///
    /// # Errors
    /// One without a value.
    pub fn script_arguments(&self) -> Result<Vec<(String, String)>> {
        let pair = |argument: &String| {
            let bad = || Error::Usage(format!("--script-arg {argument}: write NAME=VALUE"));
            let (name, value) = argument.split_once('=').ok_or_else(bad)?;
            Ok((name.to_string(), value.to_string()))
        };
        self.script_arg.iter().map(pair).collect()
    }
}
