//! What a class is built from: files, configuration, and what the user fixes.

use crate::tokenizer::config::InitArguments;
use crate::tokenizer::files::FileSet;
use crate::tokenizer::release::Release;

/// The files of a tokenizer and the arguments of its class.
#[derive(Debug)]
pub struct ClassInput<'a> {
    pub files: &'a FileSet,
    pub arguments: &'a InitArguments,
    /// `None` for classes without that argument.
    pub legacy: Option<bool>,
    pub release: Release,
}

impl<'a> ClassInput<'a> {
    /// For a converter of 4.x under 5.x.
    pub fn v5(files: &'a FileSet, arguments: &'a InitArguments) -> Self {
        Self { files, arguments, legacy: None, release: Release::V5 }
    }
}
