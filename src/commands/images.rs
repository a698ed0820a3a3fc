//! `maskscope images`: from the placeholders in a sample's text to image tokens, and what truncation leaves of them.

use rayon::prelude::*;
use serde_json::Value;

use super::shared::{CommandOutcome, conversations, format, print, setup};
use crate::cli::{ImagesArguments, OutputFormat, SharedOptions};
use crate::error::{Error, Result};
use crate::labels::{IGNORE_INDEX, Inspection};
use crate::masks::image_tokens::{ImageExpansion, Placeholders};
use crate::masks::image_tokens::{ImageProcessor, ImageSize};
use crate::report::{ImagesJson, images_text, json};
use crate::setup::Setup;
use crate::tokenizer::IMAGE_TOKEN_INDEX;

/// Sizes go to the images of a sample in order, the last one to all that are left.
pub fn run(shared: &SharedOptions, arguments: &ImagesArguments) -> Result<CommandOutcome> {
    let form = format(shared, &[OutputFormat::Text, OutputFormat::Json, OutputFormat::Jsonl])?;
    let sizes = arguments.sizes()?;
    let setup = setup(shared)?;
    let (processor, placeholder) = processor(&setup)?;
    let ledgers = match &shared.data {
        None => Vec::new(),
        Some(_) => {
            let samples = conversations(shared)?;
            let inspections: Vec<Inspection> = samples.par_iter().map(|s| setup.inspect(s)).collect();
            let ledger =
                |inspection: &Inspection| -> Result<(String, std::result::Result<ImageExpansion, String>)> {
                    Ok((inspection.id.clone(), ledger(&setup, &processor, &placeholder, &sizes, inspection)?))
                };
            inspections.iter().map(ledger).collect::<Result<_>>()?
        }
    };
    let counts: Vec<_> = sizes.iter().map(|size| (*size, processor.count(*size))).collect();
    let report = ImagesJson::new(&placeholder, &counts, &ledgers);
    print(|out| match form {
        OutputFormat::Text => images_text(out, &report),
        form => writeln!(out, "{}", json::to_line(&report, form == OutputFormat::Json)?),
    })?;
    Ok(CommandOutcome::Clean)
}

/// The processor beside the tokenizer, and the token that its template writes for an image.
fn processor(setup: &Setup) -> Result<(ImageProcessor, String)> {
    let files = &setup.base.files;
    let config = |name: &str| Ok::<Value, Error>(files.json(name)?.unwrap_or(Value::Null));
    let (processor, preprocessor, model) =
        (config("processor_config.json")?, config("preprocessor_config.json")?, config("config.json")?);
    if processor.is_null() && preprocessor.is_null() {
        return Err(Error::Usage(format!(
            "{}: neither processor_config.json nor preprocessor_config.json lies beside the tokenizer, so there is no \
             telling how many tokens an image takes",
            files.label()
        )));
    }
    let rule = ImageProcessor::from_configs(&processor, &preprocessor, &model)
        .map_err(|e| Error::Usage(e.to_string()))?;
    let tokenizer_config = config("tokenizer_config.json")?;
    let named =
        [&processor, &tokenizer_config].into_iter().find_map(|config| config.get("image_token")?.as_str());
    let token = named.unwrap_or(rule.placeholder()).to_string();
    Ok((rule, token))
}

/// The images of one sample; the inner error is the trainer's, which gives no ids.
fn ledger(
    setup: &Setup,
    processor: &ImageProcessor,
    placeholder: &str,
    sizes: &[ImageSize],
    inspection: &Inspection,
) -> Result<std::result::Result<ImageExpansion, String>> {
    let labelled = match &inspection.result {
        Ok(labelled) => labelled,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let id = setup.tokenizer.token_to_id(placeholder).map(i64::from);
    let is_image = |found: &i64| *found == IMAGE_TOKEN_INDEX || Some(*found) == id;
    let positions: Vec<usize> = labelled
        .input_ids
        .iter()
        .enumerate()
        .filter(|(_, found)| is_image(found))
        .map(|(at, _)| at)
        .collect();
    let learned: Vec<bool> = labelled.labels.iter().map(|label| *label != IGNORE_INDEX).collect();
    let size_of = |index: usize| sizes.get(index).or(sizes.last()).copied();
    let images: Vec<ImageSize> = (0..positions.len()).filter_map(size_of).collect();
    let text = Placeholders { positions: &positions, len: labelled.input_ids.len(), supervised: &learned };
    let cap = Some(setup.model_max_length());
    ImageExpansion::new(&text, &images, processor, cap).map(Ok).map_err(|e| Error::Usage(e.to_string()))
}
