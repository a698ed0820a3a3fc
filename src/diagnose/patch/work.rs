//! What making a patch of a repository works on, and what comes of it.

use std::path::PathBuf;

use super::pieces::Patch;
use super::places::Places;
use super::proof::ScriptCall;
use super::request::RepositoryPatchRequest;
use crate::repository::{Checkout, Reading};
use crate::tokenizer::Role;

/// The diff, and what could not be placed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RepositoryPatch {
    /// For `git apply` or `patch -p1`, from the root of the repository.
    pub diff: String,
    /// Files that it changes.
    pub files: Vec<PathBuf>,
    /// Pieces without a place and promises that are not kept, in sentences. Where there are any, the work is not done.
    pub missing: Vec<String>,
    /// What was chosen and what was shown.
    pub notes: Vec<String>,
}

/// How the version's samples are labelled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LabelSource {
    /// By a function of the repository.
    Existing(String),
    /// By the patch's own.
    Own,
}

/// What the lines behind the script's own must do.
#[derive(Debug, Clone, Default)]
pub(super) struct TokenWork {
    /// The script loads another class, or none.
    pub(super) loads: bool,
    /// Roles that the script leaves otherwise than the set-up has them.
    pub(super) roles: Vec<Role>,
}

/// A patch in the making.
pub(super) struct PatchWork<'a> {
    pub(super) checkout: &'a Checkout,
    pub(super) reading: &'a Reading,
    pub(super) places: Places<'a>,
    pub(super) patch: &'a Patch,
    pub(super) request: &'a RepositoryPatchRequest<'a>,
    pub(super) call: ScriptCall,
}
