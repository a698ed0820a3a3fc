//! `maskscope drift`: ids that are tokenized twice, and where they part.

use super::shared::{CommandOutcome, conversations, format, paint, print, say};
use super::tokens::setup_for_ids;
use crate::chat::Conversation;
use crate::cli::{DriftArguments, OutputFormat, SharedOptions};
use crate::dumps::{Drift, DriftCounts, DumpRows, DumpSetup, Keys};
use crate::error::{Error, Result};
use crate::report::{DriftJson, DriftRowJson, drift_text, json};

pub fn run(shared: &SharedOptions, arguments: &DriftArguments) -> Result<CommandOutcome> {
    let form = format(shared, &[OutputFormat::Text, OutputFormat::Json, OutputFormat::Jsonl])?;
    let keys = Keys::parse(&arguments.key)?;
    let setup = setup_for_ids(shared)?;
    let dumped = DumpSetup::new(&setup);
    let samples = match &shared.data {
        Some(_) => conversations(shared)?,
        None => Vec::new(),
    };
    let rows = DumpRows::open(&arguments.files, &keys)?;
    rows.notes.iter().for_each(|note| say(&format!("note: {note}")));
    let mut counts = DriftCounts::default();
    let mut before: Option<(String, Vec<i64>)> = None;
    let mut failed = None;
    print(|out| {
        for (number, row) in rows.enumerate() {
            let row = match row {
                Ok(row) => row,
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            };
            let own = row
                .messages
                .as_ref()
                .and_then(serde_json::Value::as_array)
                .map(|messages| Conversation { messages: messages.clone(), ..Conversation::default() });
            let given = samples.get(number).and_then(|sample| Some(sample.conversation()?.into_owned()));
            let conversation = given.or(own);
            // Steps of one conversation stand under each other and have one id.
            let step = before.as_ref().filter(|(id, _)| *id == row.id).map(|(_, ids)| ids.as_slice());
            let (compared, drifts): (_, Vec<Drift>) = dumped.drifts(&row, conversation.as_ref(), step);
            if form == OutputFormat::Jsonl {
                let line = DriftRowJson { row: number, id: &row.id, against: &compared, drifts: &drifts };
                writeln!(out, "{}", json::to_line(&line, false)?)?;
            }
            counts.add(&row, &compared, drifts, arguments.examples);
            before = Some((row.id, row.ids));
        }
        match form {
            _ if failed.is_some() => Ok(()),
            OutputFormat::Text => drift_text(out, &setup.tokenizer, &counts, paint(shared)),
            OutputFormat::Jsonl => Ok(()),
            _ => writeln!(out, "{}", json::to_line(&DriftJson::from(&counts), true)?),
        }
    })?;
    match failed {
        Some(error) => Err(error),
        None if counts.rows == 0 => Err(Error::Usage("there is no row in what was named".to_string())),
        None if counts.harmful > 0 => Ok(CommandOutcome::Found),
        None => Ok(CommandOutcome::Clean),
    }
}
