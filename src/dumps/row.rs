//! A row of a dump by the meaning of its fields, made of what a file has under its keys.
//!
//! A row of a file may be a batch: lists of ids are then rows of their own. Rows of two answers (`chosen_…`,
//! `rejected_…`) become two, each behind the prompt that they share.

use std::collections::BTreeMap;

use serde_json::Value;

use super::cell::{DumpCell, Numbers, is_shallow};
use super::keys::{Field, Keys};
use crate::error::{Error, Result};

/// Tokens of the longest row that is read: the longest contexts of today have ten million.
pub const MOST_TOKENS: usize = 16 << 20;

/// Where a row stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowPlace {
    pub file: String,
    /// Row of the file, from 0.
    pub row: u64,
    /// Row of the batch, where the file has batches.
    pub part: Option<usize>,
    /// `chosen` or `rejected`, where the row has two answers.
    pub side: Option<&'static str>,
}

impl RowPlace {
    /// Short, for lists.
    pub fn name(&self) -> String {
        let part = self.part.map_or(String::new(), |part| format!(".{part}"));
        let side = self.side.map_or(String::new(), |side| format!(" {side}"));
        format!("{}{part}{side}", self.row)
    }
}

/// A row as a file has it.
#[derive(Debug, Clone, Default)]
pub struct RawRow {
    pub place: RowPlace,
    pub cells: Vec<(String, DumpCell)>,
    /// What is no array: messages.
    pub values: BTreeMap<String, Value>,
}

/// A mask over tokens, under the name it has in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct RowMask {
    pub key: String,
    pub values: Vec<f32>,
}

/// A number a token, or a list of numbers a token.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenValues {
    pub key: String,
    /// `[tokens, …]`.
    pub shape: Vec<usize>,
    pub values: Vec<i64>,
}

/// A row of a dump.
#[derive(Debug, Clone, Default)]
pub struct DumpRow {
    pub place: RowPlace,
    /// What the row calls itself, else its place.
    pub id: String,
    pub ids: Vec<i64>,
    /// As many as ids, or fewer where the file has fewer: see [`super::convention`].
    pub labels: Option<RowLabels>,
    pub mask: Option<RowMask>,
    pub attention_mask: Option<Vec<i64>>,
    pub position_ids: Option<Vec<i64>>,
    /// Starts of documents as the file says them, by lengths, by starts, or by numbers.
    pub documents: Option<(Field, Vec<i64>)>,
    pub logprobs: Option<RowMask>,
    pub server_logprobs: Option<RowMask>,
    pub experts: Option<TokenValues>,
    /// Where the answer begins, of a row whose prompt and answer stood apart.
    pub prompt_len: Option<usize>,
    pub messages: Option<Value>,
    pub text: Option<String>,
    /// What does not fit together in the file.
    pub faults: Vec<String>,
}

/// Labels under the name they have in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowLabels {
    pub key: String,
    pub values: Vec<i64>,
}

/// The rows that a row of a file is.
///
/// # Errors
/// Ids that are no whole numbers, and a row without ids.
pub fn split_batches(raw: RawRow, keys: &Keys) -> Result<Vec<DumpRow>> {
    let sides = ["chosen", "rejected"];
    let prefix_of =
        |key: &str| sides.iter().find(|side| key.strip_prefix(**side).is_some_and(|k| k.starts_with('_')));
    if !raw.cells.iter().any(|(key, _)| prefix_of(key).is_some()) {
        return split(raw, keys);
    }
    let mut rows = Vec::new();
    for side in sides {
        let cells = raw.cells.iter().filter_map(|(key, cell)| {
            let own = key.strip_prefix(side).and_then(|key| key.strip_prefix('_'));
            let shared = prefix_of(key).is_none();
            // An answer stands apart from its prompt only where the prompt is there.
            let apart =
                raw.cells.iter().any(|(key, _)| matches!(keys.field(key), Some((Field::PromptIds, _))));
            let name = match own {
                Some("input_ids") if apart => Some("response_ids".to_string()),
                // The mask of an answer beside its prompt says what is padding: all of the answer is supervised.
                Some("attention_mask") if apart => None,
                Some(own) => Some(own.to_string()),
                None => shared.then(|| key.clone()),
            };
            Some((name?, cell.clone()))
        });
        let place = RowPlace { side: Some(side), ..raw.place.clone() };
        let part = RawRow { place, cells: cells.collect(), values: raw.values.clone() };
        rows.extend(split(part, keys)?);
    }
    Ok(rows)
}

fn split(raw: RawRow, keys: &Keys) -> Result<Vec<DumpRow>> {
    let is_ids = |key: &str| matches!(keys.field(key), Some((Field::Ids | Field::ResponseIds, _)));
    let batch = raw.cells.iter().find_map(|(key, cell)| match cell {
        DumpCell::Nested(rows) if is_ids(key) => Some(rows.len()),
        _ => None,
    });
    let Some(count) = batch else { return Ok(vec![assemble(raw, keys)?]) };
    let mut parts: Vec<RawRow> = (0..count)
        .map(|part| RawRow {
            place: RowPlace { part: Some(part), ..raw.place.clone() },
            cells: Vec::new(),
            values: raw.values.clone(),
        })
        .collect();
    for (key, cell) in raw.cells {
        match cell {
            DumpCell::Nested(rows) if rows.len() == count => {
                for (part, cell) in parts.iter_mut().zip(rows) {
                    part.cells.push((key.clone(), cell));
                }
            }
            // A field of the whole batch: `cu_seqlens` of a batch of one row.
            cell if count == 1 => {
                parts.iter_mut().for_each(|part| part.cells.push((key.clone(), cell.clone())));
            }
            _ => {}
        }
    }
    parts.into_iter().map(|part| assemble(part, keys)).collect()
}

/// The cells of a row by their fields; of two keys for one field the better name wins.
fn assemble(raw: RawRow, keys: &Keys) -> Result<DumpRow> {
    let mut fields: BTreeMap<Field, (usize, String, DumpCell)> = BTreeMap::new();
    let mut named: Vec<&str> = Vec::new();
    for (key, cell) in &raw.cells {
        named.push(key);
        let Some((field, rank)) = keys.field(key).filter(|_| !cell.is_empty() && is_shallow(cell)) else {
            continue;
        };
        if fields.get(&field).is_none_or(|(known, ..)| rank < *known) {
            fields.insert(field, (rank, key.clone(), cell.clone()));
        }
    }
    let mut taken = Taken { fields, row: DumpRow { place: raw.place, ..DumpRow::default() } };
    taken.ids(keys, &named)?;
    taken.rest()?;
    let messages =
        raw.values.into_iter().find(|(key, _)| matches!(keys.field(key), Some((Field::Messages, _))));
    taken.row.messages = messages.map(|(_, value)| value);
    Ok(taken.row)
}

struct Taken {
    fields: BTreeMap<Field, (usize, String, DumpCell)>,
    row: DumpRow,
}

impl Taken {
    fn take(&mut self, field: Field) -> Option<(String, DumpCell)> {
        self.fields.remove(&field).map(|(_, key, cell)| (key, cell))
    }

    fn error(&self, message: String) -> Error {
        let place = &self.row.place;
        Error::format(&place.file, format!("row {}: {message}", place.name()))
    }

    fn ints(&mut self, field: Field) -> Result<Option<(String, Vec<i64>)>> {
        let Some((key, cell)) = self.take(field) else { return Ok(None) };
        match cell.flattened().and_then(Numbers::ints) {
            Some(values) => Ok(Some((key, values))),
            None => Err(self.error(format!("{key:?} holds what are no whole numbers"))),
        }
    }

    fn floats(&mut self, field: Field) -> Option<RowMask> {
        let (key, cell) = self.take(field)?;
        Some(RowMask { key, values: cell.flattened()?.floats() })
    }

    /// The ids, those of a prompt and its answer put together.
    fn ids(&mut self, keys: &Keys, named: &[&str]) -> Result<()> {
        if let Some((_, ids)) = self.ints(Field::Ids)? {
            self.row.ids = ids;
        } else if let Some((_, answer)) = self.ints(Field::ResponseIds)? {
            let mut ids = self.ints(Field::PromptIds)?.map(|(_, ids)| ids).unwrap_or_default();
            let attended = self.ints(Field::PromptMask)?.map(|(_, mask)| mask);
            if let Some(mask) = attended.filter(|mask| mask.len() == ids.len()) {
                // Prompts of a batch are padded on their left.
                ids = ids.iter().zip(&mask).filter(|(_, seen)| **seen != 0).map(|(id, _)| *id).collect();
            }
            self.row.prompt_len = Some(ids.len());
            ids.extend(answer);
            self.row.ids = ids;
        } else {
            let known = keys.ids().join(", ");
            let there = if named.is_empty() { "nothing".to_string() } else { named.join(", ") };
            return Err(self.error(format!(
                "no ids: it has {there}, and ids are looked for under {known}; --key ids=NAME names another key"
            )));
        }
        match self.row.ids.len() {
            n if n > MOST_TOKENS => Err(self.error(format!("{n} tokens ({MOST_TOKENS} are the most)"))),
            _ => Ok(()),
        }
    }

    fn rest(&mut self) -> Result<()> {
        let tokens = self.row.ids.len();
        let fitting = |values: &Vec<i64>| values.len() == tokens;
        self.row.labels = self.ints(Field::Labels)?.map(|(key, values)| RowLabels { key, values });
        self.row.mask = match self.floats(Field::Mask) {
            Some(mask) => Some(mask),
            None => self.floats(Field::ResponseMask),
        };
        for field in [Field::AttentionMask, Field::PositionIds] {
            // Four-dimensional masks, and positions of several axes (`[3, tokens]`), are no row of numbers.
            let axes = self.fields.get(&field).map(|(.., cell)| cell.shape()).unwrap_or_default();
            if axes.len() > 1 && axes.last() == Some(&tokens) && field == Field::PositionIds {
                self.first_axis(field);
            }
            let Some((key, values)) = self.ints(field)? else { continue };
            if !fitting(&values) {
                self.row.faults.push(format!("{key} has {} numbers for {tokens} ids", values.len()));
                continue;
            }
            match field {
                Field::AttentionMask => self.row.attention_mask = Some(values),
                _ => self.row.position_ids = Some(values),
            }
        }
        for field in [Field::CuSeqLens, Field::SeqLens, Field::DocumentIds] {
            if let Some((_, values)) = self.ints(field)? {
                self.row.documents = self.row.documents.take().or(Some((field, values)));
            }
        }
        self.row.logprobs = self.floats(Field::LogProbs);
        self.row.server_logprobs = self.floats(Field::ServerLogProbs);
        if let Some((key, cell)) = self.take(Field::RoutedExperts) {
            let shape = cell.shape();
            let values = cell.flattened().and_then(Numbers::ints);
            self.row.experts = values.map(|values| TokenValues { key, shape, values });
        }
        if let Some((_, DumpCell::Text(text))) = self.take(Field::Text) {
            self.row.text = Some(text);
        }
        self.row.id = match self.take(Field::Id) {
            Some((_, DumpCell::Text(id))) => id,
            Some((_, DumpCell::Number(id))) => id.to_string(),
            _ => self.row.place.name(),
        };
        Ok(())
    }

    /// Of positions with several axes the first, which counts as plain positions do.
    fn first_axis(&mut self, field: Field) {
        if let Some((_, _, cell)) = self.fields.get_mut(&field)
            && let DumpCell::Nested(axes) = cell
            && let Some(first) = axes.first().cloned()
        {
            *cell = first;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(json: &str) -> Result<Vec<DumpRow>> {
        let cells: BTreeMap<String, DumpCell> = serde_json::from_str(json).expect("JSON");
        split_batches(RawRow { cells: cells.into_iter().collect(), ..RawRow::default() }, &Keys::default())
    }

    #[test]
    fn a_batch_is_as_many_rows() {
        let all = rows(r#"{"input_ids": [[1, 2], [3, 4]], "labels": [[-100, 2], [-100, 4]], "n": 7}"#)
            .expect("rows");
        let ids: Vec<&[i64]> = all.iter().map(|row| row.ids.as_slice()).collect();
        assert_eq!(ids, [[1, 2], [3, 4]]);
        assert_eq!(all[1].labels.as_ref().map(|l| l.values.as_slice()), Some(&[-100, 4][..]));
        assert_eq!((all[1].place.part, all[1].id.as_str()), (Some(1), "0.1"));
    }

    #[test]
    fn prompt_and_answer_are_put_together_without_the_padding_on_the_left() {
        let json = r#"{"prompt_ids": [0, 0, 5], "prompt_mask": [0, 0, 1], "completion_ids": [6, 7], "completion_mask": [1, 1]}"#;
        let row = rows(json).expect("a row").remove(0);
        assert_eq!((row.ids, row.prompt_len), (vec![5, 6, 7], Some(1)));
        assert_eq!(row.mask.map(|mask| mask.values), Some(vec![1.0, 1.0]));
    }

    #[test]
    fn two_answers_are_two_rows() {
        let json = r#"{"prompt_input_ids": [1], "chosen_input_ids": [2, 3], "rejected_input_ids": [4]}"#;
        let all = rows(json).expect("rows");
        let told: Vec<_> = all.iter().map(|row| (row.ids.as_slice(), row.place.side)).collect();
        assert_eq!(told, [(&[1, 2, 3][..], Some("chosen")), (&[1, 4][..], Some("rejected"))]);
    }

    #[test]
    fn a_row_without_ids_says_what_it_has() {
        let error = rows(r#"{"words": [1]}"#).expect_err("no ids").to_string();
        assert!(error.contains("it has words") && error.contains("--key ids=NAME"), "{error}");
        assert!(rows(r#"{"input_ids": [0.5]}"#).is_err());
    }
}
