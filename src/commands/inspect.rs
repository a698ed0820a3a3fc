//! `maskscope inspect`: labels of every sample.

use rayon::prelude::*;

use super::shared::{CommandOutcome, conversations, format, outcome, paint, print, setup_for_data};
use crate::chat::Sample;
use crate::cli::{OutputFormat, SharedOptions};
use crate::error::Result;
use crate::labels::{Inspection, StatusCounts};
use crate::report::{SampleJson, json, sample_text, samples_page, samples_picture, summary_line};
use crate::setup::Setup;

pub fn run(shared: &SharedOptions, check: bool) -> Result<CommandOutcome> {
    let form = format(
        shared,
        &[OutputFormat::Text, OutputFormat::Json, OutputFormat::Jsonl, OutputFormat::Html, OutputFormat::Svg],
    )?;
    let samples = conversations(shared)?;
    let setup = setup_for_data(shared, shared.data.as_deref())?;
    let inspections: Vec<Inspection> = samples.par_iter().map(|s| setup.inspect(s)).collect();
    let counts = StatusCounts::of(&inspections);
    print(|out| {
        match form {
            OutputFormat::Json => {
                let all: Vec<SampleJson> =
                    samples.iter().zip(&inspections).map(|pair| row(&setup, pair)).collect();
                writeln!(out, "{}", json::to_line(&all, true)?)?;
            }
            OutputFormat::Jsonl => {
                for pair in samples.iter().zip(&inspections) {
                    writeln!(out, "{}", json::to_line(&row(&setup, pair), false)?)?;
                }
            }
            OutputFormat::Html => write!(out, "{}", samples_page(&setup, &inspections))?,
            OutputFormat::Svg => write!(out, "{}", samples_picture(&setup, &inspections))?,
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

fn row<'i>(setup: &Setup, (sample, inspection): (&Sample, &'i Inspection)) -> SampleJson<'i> {
    SampleJson::from(inspection).with_account(setup, sample, inspection)
}
