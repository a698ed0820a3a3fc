//! `maskscope encode`: texts on standard input to ids.

use std::io::BufRead;
use std::path::PathBuf;

use super::shared::{CommandOutcome, format, print, setup};
use crate::cli::{Format, SharedOptions};
use crate::error::{Error, Result};
use crate::report::{EncodeJson, encoding_text, json};
use crate::tokenizer::Loader;

pub fn run(shared: &SharedOptions, add_special_tokens: bool) -> Result<CommandOutcome> {
    let form = format(shared, &[Format::Text, Format::Json, Format::Jsonl])?;
    let setup = setup(shared)?;
    let tokenizer = &*setup.tokenizer;
    let mut texts = Vec::new();
    for (index, line) in std::io::stdin().lock().lines().enumerate() {
        let line = line.map_err(|e| Error::io("standard input", e))?;
        if line.trim().is_empty() {
            continue;
        }
        let path = PathBuf::from("standard input");
        let text =
            json::text_of_line(&line).map_err(|message| Error::Json { path, line: index + 1, message })?;
        let encoding = tokenizer.encode(&text, add_special_tokens)?;
        let offsets = match tokenizer.facts.loader {
            Loader::Fast => Some(tokenizer.char_offsets(&text, add_special_tokens)?),
            Loader::Slow => None,
        };
        if form == Format::Jsonl {
            // A line at a time, so that another program can ask and read in turn.
            let record = EncodeJson::new(tokenizer, &text, &encoding, offsets);
            print(|out| writeln!(out, "{}", json::to_line(&record, false)?))?;
        } else {
            texts.push((text, encoding, offsets));
        }
    }
    let records: Vec<EncodeJson> =
        texts.iter().map(|(t, e, o)| EncodeJson::new(tokenizer, t, e, o.clone())).collect();
    print(|out| match form {
        Format::Json => writeln!(out, "{}", json::to_line(&records, true)?),
        Format::Text => texts.iter().try_for_each(|(t, e, _)| encoding_text(out, tokenizer, t, e)),
        _ => Ok(()),
    })?;
    Ok(CommandOutcome::Clean)
}
