//! `maskscope hook`: lines of Python that write what a running trainer feeds.

use super::shared::{CommandOutcome, format, print};
use crate::cli::{HookArguments, OutputFormat, SharedOptions};
use crate::dumps::hook_lines;
use crate::error::Result;

pub fn run(shared: &SharedOptions, arguments: &HookArguments) -> Result<CommandOutcome> {
    format(shared, &[OutputFormat::Text])?;
    let lines = hook_lines(&arguments.trainer, &arguments.out, arguments.batches)?;
    print(|out| write!(out, "{lines}"))?;
    Ok(CommandOutcome::Clean)
}
