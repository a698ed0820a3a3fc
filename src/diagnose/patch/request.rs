//! What a patch of a repository is made for.

use std::path::{Path, PathBuf};

use super::tokens::TokenLines;
use crate::chat::Sample;
use crate::setup::{LlavaSetup, Request};
use crate::tokenizer::LoadOptions;

/// Samples that a patch is compared on, beside the embedded ones.
const COMPARED: usize = 100;

/// What a patch of a repository is made for.
#[derive(Debug, Clone)]
pub struct RepositoryPatchRequest<'a> {
    pub root: &'a Path,
    pub setup: &'a LlavaSetup,
    pub tokens: &'a TokenLines,
    /// How the set-up's tokenizer was loaded.
    pub load: LoadOptions,
    /// The model's name or path, which a condition for stage 1 looks for.
    pub model_name: String,
    pub script_arguments: Vec<(String, String)>,
    /// A new function even where one of the repository does the same.
    pub own_function: bool,
    /// Samples to compare on, beside the embedded ones.
    pub samples: &'a [Sample],
}

impl<'a> RepositoryPatchRequest<'a> {
    /// As a user's request has it. `model_name` wins over the name of the tokenizer.
    pub fn new(
        root: &'a Path,
        request: &Request,
        setup: &'a LlavaSetup,
        tokens: &'a TokenLines,
        samples: &'a [Sample],
        model_name: Option<String>,
    ) -> Self {
        let name = || folder_of(&request.tokenizer).unwrap_or_else(|| request.tokenizer.clone());
        Self {
            root,
            setup,
            tokens,
            load: request.load,
            model_name: model_name.unwrap_or_else(name),
            script_arguments: Vec::new(),
            own_function: false,
            samples: samples.get(..COMPARED).unwrap_or(samples),
        }
    }
}

/// A folder goes by its name, also where it was called "." on the command line; a file by that of its folder.
fn folder_of(tokenizer: &str) -> Option<String> {
    let path = std::path::absolute(tokenizer).ok().filter(|path| path.exists())?;
    let folder = if path.is_file() { path.parent()?.to_path_buf() } else { path };
    Some(folder.components().collect::<PathBuf>().display().to_string())
}
