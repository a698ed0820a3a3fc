//! `maskscope strategies`: one sample, every mask strategy on it, and where they differ.

use rayon::prelude::*;

use super::shared::{CommandOutcome, conversations, format, paint, print, setup};
use crate::chat::Sample;
use crate::cli::{OutputFormat, SharedOptions};
use crate::error::{Error, Result};
use crate::masks::MaskError;
use crate::masks::compare::StrategyComparison;
use crate::report::{StrategiesJson, json, strategies_text};
use crate::setup::{CHAT, Setup, TemplateChoice};

/// Works on every sample, or on the one that `only` names.
pub fn run(shared: &SharedOptions, only: Option<&str>) -> Result<CommandOutcome> {
    let form = format(shared, &[OutputFormat::Text, OutputFormat::Json, OutputFormat::Jsonl])?;
    let (request, _) = shared.request()?;
    if request.repository.is_some() {
        return functions(shared, form, only);
    }
    let setup = match (request.wants_chat(), &request.template) {
        (true, _) => setup(shared)?,
        (false, TemplateChoice::Auto) => {
            setup(&SharedOptions { template: Some(CHAT.to_string()), ..shared.clone() })?
        }
        (false, other) => {
            return Err(Error::Usage(format!(
                "strategies work on chat templates: take --template {CHAT}, or a .jinja file, in place of {other}"
            )));
        }
    };
    let samples = chosen(shared, only)?;
    let Some(method) = setup.chat() else { return Ok(CommandOutcome::Clean) };
    let tokenizer = &*setup.tokenizer;
    let compared: Compared = samples
        .par_iter()
        .filter_map(|sample| {
            let conversation = method.with_kwargs(sample.conversation()?.into_owned());
            let compared = StrategyComparison::new(method, tokenizer, &conversation, &mut |_, _| true);
            Some((sample.id.clone(), compared.transpose()?))
        })
        .collect();
    let left_out = samples.len() - compared.len();
    if left_out > 0 {
        super::shared::say(&format!("note: {left_out} samples are no conversations and are left out"));
    }
    show(shared, form, &setup, &compared)?;
    Ok(CommandOutcome::Clean)
}

/// Samples with what came of them, by id.
type Compared = Vec<(String, std::result::Result<StrategyComparison, MaskError>)>;

/// With `--repo`: the repository's functions and the built-in rules on its template.
fn functions(shared: &SharedOptions, form: OutputFormat, only: Option<&str>) -> Result<CommandOutcome> {
    let setup = setup(shared)?;
    let samples = chosen(shared, only)?;
    let Some(repository) = setup.repository() else { return Ok(CommandOutcome::Clean) };
    let compare =
        |sample: &Sample| (sample.id.clone(), repository.compared(sample).map(|(comparison, _)| comparison));
    let compared: Compared = samples.par_iter().map(compare).collect();
    show(shared, form, &setup, &compared)?;
    Ok(CommandOutcome::Clean)
}

/// All samples, or the one that is named.
fn chosen(shared: &SharedOptions, only: Option<&str>) -> Result<Vec<Sample>> {
    let mut samples = conversations(shared)?;
    if let Some(only) = only {
        samples.retain(|sample| sample.id == only);
        if samples.is_empty() {
            return Err(Error::Usage(format!("--sample {only}: no sample has this id")));
        }
    }
    Ok(samples)
}

fn show(shared: &SharedOptions, form: OutputFormat, setup: &Setup, compared: &Compared) -> Result<()> {
    let (tokenizer, name) = (&*setup.tokenizer, setup.template_name());
    print(|out| match form {
        OutputFormat::Text => compared.iter().try_for_each(|(id, compared)| {
            strategies_text(out, tokenizer, name, id, compared.as_ref(), paint(shared))
        }),
        form => {
            let all: Vec<StrategiesJson> = compared
                .iter()
                .map(|(id, compared)| StrategiesJson::new(tokenizer, name, id, compared.as_ref()))
                .collect();
            if form == OutputFormat::Json {
                return writeln!(out, "{}", json::to_line(&all, true)?);
            }
            all.iter().try_for_each(|one| writeln!(out, "{}", json::to_line(one, false)?))
        }
    })
}
