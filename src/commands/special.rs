//! `maskscope special`: the special-token table and what the overrides change.

use super::shared::{CommandOutcome, format, paint, print, setup};
use crate::cli::{Format, SharedOptions};
use crate::error::Result;
use crate::report::{SpecialJson, json, special_text};

pub fn run(shared: &SharedOptions) -> Result<CommandOutcome> {
    let form = format(shared, &[Format::Text, Format::Json, Format::Jsonl])?;
    let setup = setup(shared)?;
    print(|out| match form {
        Format::Text => special_text(out, &setup, paint(shared)),
        form => writeln!(out, "{}", json::to_line(&SpecialJson::from(&setup), form == Format::Json)?),
    })?;
    Ok(CommandOutcome::Clean)
}
