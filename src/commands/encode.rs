//! `maskscope encode`: texts on standard input to ids.

use std::io::{BufRead, Read};
use std::path::PathBuf;

use super::shared::{CommandOutcome, format, print, setup};
use crate::cli::{OutputFormat, SharedOptions};
use crate::error::{Error, Result};
use crate::guard;
use crate::report::{EncodeJson, encoding_text, json};
use crate::tokenizer::Loader;

/// Bytes of a line, and of everything that is kept until the end of the input.
const MOST_LINE: u64 = 64 << 20;
const MOST_KEPT: usize = 64 << 20;

pub fn run(shared: &SharedOptions, add_special_tokens: bool) -> Result<CommandOutcome> {
    let form = format(shared, &[OutputFormat::Text, OutputFormat::Json, OutputFormat::Jsonl])?;
    let setup = setup(shared)?;
    let tokenizer = &*setup.tokenizer;
    let mut texts = Vec::new();
    let mut kept = 0;
    let mut input = std::io::stdin().lock();
    for index in 0.. {
        let Some(line) = next_line(&mut input, index)? else { break };
        if line.trim().is_empty() {
            continue;
        }
        let path = PathBuf::from("standard input");
        let text = text_of_line(&line).map_err(|message| Error::Json { path, line: index + 1, message })?;
        let limit = guard::time_for(text.len());
        let _watched = guard::watch(|| format!("standard input, line {}", index + 1), 2 * limit);
        let (encoding, offsets) = guard::within(limit, || {
            let encoding = tokenizer.encode(&text, add_special_tokens)?;
            let offsets = match tokenizer.facts.loader {
                Loader::Fast => Some(tokenizer.char_offsets(&text, add_special_tokens)?),
                Loader::Slow => None,
            };
            Ok::<_, Error>((encoding, offsets))
        })?;
        if form == OutputFormat::Jsonl {
            // A line at a time, so that another program can ask and read in turn.
            let record = EncodeJson::new(tokenizer, &text, &encoding, offsets);
            print(|out| writeln!(out, "{}", json::to_line(&record, false)?))?;
        } else {
            kept += 256 + text.len() + encoding.len() * 64;
            if kept > MOST_KEPT {
                let message =
                    format!("too much for one document behind line {}; --format jsonl has no end", index + 1);
                return Err(Error::format("standard input", message));
            }
            texts.push((text, encoding, offsets));
        }
    }
    let records: Vec<EncodeJson> =
        texts.iter().map(|(t, e, o)| EncodeJson::new(tokenizer, t, e, o.clone())).collect();
    print(|out| match form {
        OutputFormat::Json => writeln!(out, "{}", json::to_line(&records, true)?),
        OutputFormat::Text => texts.iter().try_for_each(|(t, e, _)| encoding_text(out, tokenizer, t, e)),
        _ => Ok(()),
    })?;
    Ok(CommandOutcome::Clean)
}

/// The text that a line stands for: what begins as JSON is JSON, so that a broken line of a file is not taken for a
/// text; any other line is the text itself.
fn text_of_line(line: &str) -> Result<String, String> {
    match line.trim_start().starts_with(['"', '{']) {
        true => json::text_of_line(line),
        false => {
            let text = line.strip_suffix('\n').unwrap_or(line);
            Ok(text.strip_suffix('\r').unwrap_or(text).to_string())
        }
    }
}

/// The next line; `None` at the end of the input.
fn next_line(input: &mut impl BufRead, index: usize) -> Result<Option<String>> {
    let mut line = Vec::new();
    let read =
        input.take(MOST_LINE).read_until(b'\n', &mut line).map_err(|e| Error::io("standard input", e))?;
    let broken = |message: String| Error::Json { path: "standard input".into(), line: index + 1, message };
    if read as u64 == MOST_LINE {
        return Err(broken(format!("a line of more than {MOST_LINE} bytes")));
    }
    let line = String::from_utf8(line).map_err(|e| broken(format!("not UTF-8: {}", e.utf8_error())))?;
    Ok((read > 0).then_some(line))
}
