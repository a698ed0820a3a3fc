//! `maskscope special`: the special-token table and what the overrides change.

use super::shared::{CommandOutcome, format, paint, print, setup};
use crate::cli::{OutputFormat, SharedOptions};
use crate::error::Result;
use crate::report::{SpecialJson, json, special_text};

pub fn run(shared: &SharedOptions) -> Result<CommandOutcome> {
    let form = format(shared, &[OutputFormat::Text, OutputFormat::Json, OutputFormat::Jsonl])?;
    let setup = setup(shared)?;
    print(|out| match form {
        OutputFormat::Text => special_text(out, &setup, paint(shared)),
        form => writeln!(out, "{}", json::to_line(&SpecialJson::from(&setup), form == OutputFormat::Json)?),
    })?;
    Ok(CommandOutcome::Clean)
}
