//! A trainer's data path as a strategy: samples as its rows, its sequences as labels.
//!
//! Where a row becomes several sequences, the two sides of a preference row or the pieces of a long one, they stand one
//! behind the other, and notes say where each is.

use serde_json::{Map, Value};

use super::strategy_input::StrategyInput;
use super::trainers::{PreparedRow, Resources, Trainer};
use super::{IGNORE_INDEX, MaskError, Masked};
use crate::chat::{Body, Conversation, Sample};

/// The row of a data set that a conversation is.
pub(super) fn row_of(conversation: &Conversation) -> Map<String, Value> {
    let mut row = Map::new();
    row.insert("messages".into(), Value::Array(conversation.messages.clone()));
    row.extend(shared_columns(conversation));
    row
}

fn shared_columns(conversation: &Conversation) -> Map<String, Value> {
    let mut row = Map::new();
    if let Some(tools) = &conversation.tools {
        row.insert("tools".into(), Value::Array(tools.clone()));
    }
    if !conversation.kwargs.is_empty() {
        row.insert("chat_template_kwargs".into(), Value::Object(conversation.kwargs.clone()));
    }
    // verl has a column for the one variable.
    if let Some(flag) = conversation.kwargs.get("enable_thinking") {
        row.insert("enable_thinking".into(), flag.clone());
    }
    row
}

/// The row of a data set that a sample is, for a trainer; `None` for records that bring labels of their own.
pub(super) fn row_of_sample(sample: &Sample, trainer: Trainer) -> Option<Map<String, Value>> {
    let text = |pairs: &[(&str, &String)]| {
        pairs.iter().map(|(key, text)| (key.to_string(), Value::from(text.as_str()))).collect()
    };
    match &sample.body {
        Body::Turns | Body::Messages(_) => sample.conversation().map(|conversation| row_of(&conversation)),
        Body::PromptCompletion { conversation, prompt }
            if matches!(trainer, Trainer::TrlSft | Trainer::OpenRlhf | Trainer::TrlKto) =>
        {
            let (before, after) = conversation.messages.split_at_checked(*prompt)?;
            let mut row = shared_columns(conversation);
            row.insert("prompt".into(), Value::Array(before.to_vec()));
            row.insert("completion".into(), Value::Array(after.to_vec()));
            Some(row)
        }
        Body::PromptCompletion { conversation, .. } => Some(row_of(conversation)),
        Body::PromptCompletionText { prompt, completion } => Some(match trainer {
            Trainer::Torchtune => text(&[("input", prompt), ("output", completion)]),
            _ => text(&[("prompt", prompt), ("completion", completion)]),
        }),
        Body::Text(content) => Some(text(&[("text", content)])),
        Body::Preference(row) => Some(adapted(row, trainer)),
        Body::Pretokenised { .. } | Body::Segments(_) => None,
    }
}

/// The trainer that labels a preference row: the strategy's, where it takes such rows, else TRL's.
pub(super) fn of_preference(strategy: Option<Trainer>, row: &Map<String, Value>) -> Trainer {
    let paired = row.contains_key("chosen");
    match strategy {
        Some(trainer) if trainer.takes_preferences() && (paired || trainer == Trainer::TrlKto) => trainer,
        Some(Trainer::OpenRlhf) if paired => Trainer::OpenRlhfDpo,
        _ if paired => Trainer::TrlDpo,
        _ => Trainer::TrlKto,
    }
}

/// A preference row with the columns that a trainer reads.
fn adapted(row: &Map<String, Value>, trainer: Trainer) -> Map<String, Value> {
    let mut row = row.clone();
    if !matches!(trainer, Trainer::Swift | Trainer::Torchtune) {
        return row;
    }
    let whole = |side: &str| match (row.get("prompt"), row.get(side)) {
        (Some(Value::Array(prompt)), Some(Value::Array(answer))) => {
            Some(Value::Array([prompt.as_slice(), answer].concat()))
        }
        (_, answer) => answer.cloned(),
    };
    let (chosen, rejected) = (whole("chosen"), whole("rejected"));
    let names = match trainer {
        Trainer::Swift => ["messages", "rejected_messages"],
        _ => ["chosen", "rejected"],
    };
    for (name, side) in names.into_iter().zip([chosen, rejected]) {
        if let Some(side) = side {
            row.insert(name.into(), side);
        }
    }
    row.shift_remove("prompt");
    row
}

/// Labels of a row by a trainer.
pub(super) fn label(
    trainer: Trainer,
    given: &StrategyInput,
    row: &Map<String, Value>,
) -> Result<Masked, MaskError> {
    if trainer.takes_preferences_alone() && !["chosen", "rejected"].iter().all(|key| row.contains_key(*key)) {
        return Err(MaskError::Unfit(format!("{} takes rows with chosen and rejected", trainer.name())));
    }
    // A trainer with a format of its own does without a chat template; one that needs it says so.
    let chat = (given.chat)();
    let template = chat.as_ref().ok().map(|chat| chat.template);
    if let (Err(error), true) = (chat, trainer.needs_template() && row_has_messages(row)) {
        return Err(error);
    }
    let resources = Resources {
        encoder: given.encoder,
        special_tokens: given.special_tokens,
        template,
        clock: template.map(crate::chat::jinja::ChatTemplate::clock).unwrap_or_default(),
    };
    let mut options = given.settings.options.clone();
    if let Some(length) = given.settings.max_length {
        for key in ["max_length", "max_seq_len", "max_tokens"] {
            options.entry(key).or_insert(length.into());
        }
    }
    if given.settings.train_on_inputs {
        options.entry("train_on_input").or_insert(true.into());
    }
    let prepared = trainer.construct(resources, &options, row)?.prepare(row)?;
    masked(prepared)
}

fn row_has_messages(row: &Map<String, Value>) -> bool {
    ["messages", "prompt", "chosen"].iter().any(|key| row.get(*key).is_some_and(Value::is_array))
}

/// All sequences of a row, one behind the other.
fn masked(prepared: PreparedRow) -> Result<Masked, MaskError> {
    if let Some(reason) = prepared.dropped {
        return Err(MaskError::Dropped(reason));
    }
    if prepared.sequences.is_empty() {
        return Err(MaskError::Dropped("the row is longer than it may be".into()));
    }
    let mut masked = Masked::default();
    let count = prepared.sequences.len();
    for (index, sequence) in prepared.sequences.into_iter().enumerate() {
        let start = masked.input_ids.len();
        let labels = sequence.input_ids.iter().zip(&sequence.targets);
        masked.labels.extend(labels.map(|(id, target)| if *target { i64::from(*id) } else { IGNORE_INDEX }));
        masked.input_ids.extend(&sequence.input_ids);
        masked.labels.resize(masked.input_ids.len(), IGNORE_INDEX);
        let end = masked.input_ids.len();
        match sequence.side {
            Some(side) => {
                masked.note(start..end, format!("the {} side, a sequence of its own", side.name()));
            }
            None if count > 1 => {
                masked.note(start..end, format!("piece {} of {count}, a sequence of its own", index + 1));
            }
            None => {}
        }
        if let Some(weights) = &sequence.weights {
            let odd = weights.iter().filter(|weight| ![0.0, 1.0].contains(*weight)).count();
            if odd > 0 {
                let most = weights.iter().copied().fold(0.0, f64::max);
                masked.note(start..end, format!("{odd} tokens weigh something else than 1, {most} at most"));
            }
        }
    }
    for note in prepared.notes {
        masked.note(0..0, note);
    }
    Ok(masked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::masks::trainers::{AnswerSide, TrainingSequence};

    #[test]
    fn sides_stand_one_behind_the_other() {
        let side = |side| TrainingSequence {
            side: Some(side),
            ..TrainingSequence::new(vec![5, 6], vec![false, true])
        };
        let sequences = vec![side(AnswerSide::Chosen), side(AnswerSide::Rejected)];
        let both = masked(PreparedRow { sequences, ..PreparedRow::default() }).unwrap();
        assert_eq!(both.labels, [IGNORE_INDEX, 6, IGNORE_INDEX, 6]);
        let ranges: Vec<_> = both.notes.iter().map(|note| note.tokens.clone()).collect();
        assert_eq!(ranges, [0..2, 2..4]);
        assert!(masked(PreparedRow::dropped("long")).is_err());
    }
}
