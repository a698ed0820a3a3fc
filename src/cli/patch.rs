//! Arguments of `patch` and `onboard`: where the code for the training repository goes.

use std::path::PathBuf;

use clap::Args;

/// Where a patch goes.
#[derive(Debug, Clone, Args)]
pub struct PatchArguments {
    /// Name of the template and function in the patch.
    #[arg(long, default_value = "backbone")]
    pub name: String,
    /// Write one file a piece into this folder instead of printing; with --repo the diff as well.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print a unified diff against this training repository (for git apply, or patch -p1).
    #[arg(long, value_name = "DIR")]
    pub repo: Option<PathBuf>,
    /// With --repo: write a label function even where one of the repository labels every sample alike.
    #[arg(long, requires = "repo")]
    pub own_function: bool,
}
