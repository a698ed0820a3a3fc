//! Arguments of `doctor`.

use clap::Args;

/// Arguments of `doctor`.
#[derive(Debug, Clone, Args)]
pub struct DoctorArguments {
    /// Also show the checks that found nothing and those that were skipped.
    #[arg(long)]
    pub all: bool,
    /// Try combinations of rule, start, offsets, pad and sep2 for the smallest change that works.
    #[arg(long)]
    pub fix_search: bool,
}
