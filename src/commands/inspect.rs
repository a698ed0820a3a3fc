//! `maskscope inspect`: labels of every sample.

use rayon::prelude::*;

use super::shared::{CommandOutcome, conversations, format, outcome, paint, print, setup};
use crate::cli::{Format, SharedOptions};
use crate::error::Result;
use crate::labels::{Inspection, StatusCounts};
use crate::report::{SampleJson, json, sample_text, samples_page, samples_picture, summary_line};

pub fn run(shared: &SharedOptions, check: bool) -> Result<CommandOutcome> {
    let form = format(shared, &[Format::Text, Format::Json, Format::Jsonl, Format::Html, Format::Svg])?;
    let samples = conversations(shared)?;
    let setup = setup(shared)?;
    let inspections: Vec<Inspection> = samples.par_iter().map(|s| setup.inspect(s)).collect();
    let counts = StatusCounts::of(&inspections);
    print(|out| {
        match form {
            Format::Json => {
                let all: Vec<SampleJson> = inspections.iter().map(SampleJson::from).collect();
                writeln!(out, "{}", json::to_line(&all, true)?)?;
            }
            Format::Jsonl => {
                for inspection in &inspections {
                    writeln!(out, "{}", json::to_line(&SampleJson::from(inspection), false)?)?;
                }
            }
            Format::Html => write!(out, "{}", samples_page(&setup, &inspections))?,
            Format::Svg => write!(out, "{}", samples_picture(&setup, &inspections))?,
            _ => {
                for (sample, inspection) in samples.iter().zip(&inspections) {
                    sample_text(out, &setup, sample, inspection, paint(shared))?;
                }
                writeln!(out, "{}", summary_line(&counts))?;
            }
        }
        Ok(())
    })?;
    Ok(if check { outcome(&counts) } else { CommandOutcome::Clean })
}
