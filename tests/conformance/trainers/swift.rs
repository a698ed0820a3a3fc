//! ms-swift's templates, loss scales, truncation, preference rows and packs.

use maskscope::masks::MaskError;
use maskscope::masks::trainers::swift::{SwiftOptions, SwiftTemplate, packed};
use maskscope::masks::trainers::{RowPreparer, TrainerOptions, TrainingSequence};
use serde_json::{Map, Value, json};

use super::{Case, as_messages, check, result};

/// A preference row in swift's keys.
fn preference(mut row: Map<String, Value>) -> Map<String, Value> {
    let mut take = |key: &str| match row.shift_remove(key) {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    };
    let (prompt, chosen, rejected) = (take("prompt"), take("chosen"), take("rejected"));
    row.insert("messages".into(), Value::Array([prompt.clone(), chosen].concat()));
    row.insert("rejected_messages".into(), Value::Array([prompt, rejected].concat()));
    row
}

fn insert_weights(sequence: &TrainingSequence, found: &mut Map<String, Value>) {
    if let Some(weights) = &sequence.weights {
        found.insert("weights".into(), json!(weights));
    }
}

fn keys(sequence: &TrainingSequence) -> Map<String, Value> {
    let mut found = super::sequence(sequence);
    insert_weights(sequence, &mut found);
    found
}

fn pack(case: &Case, template: &SwiftTemplate) -> Result<Map<String, Value>, MaskError> {
    let rows = case.record["rows"].as_array().unwrap();
    let mut sequences = Vec::new();
    for row in rows {
        let row = as_messages(case.goldens.row(row.as_str().unwrap()));
        sequences.extend(template.prepare(&row)?.sequences);
    }
    let pack = packed(&sequences);
    let mut found = keys(&pack);
    found.insert("position_ids".into(), json!(pack.position_ids));
    found.insert("seq_lens".into(), json!(pack.seq_lens));
    Ok(found)
}

#[test]
#[ignore = "needs MASKSCOPE_CONFORMANCE: an unpacked golden folder"]
fn encode() {
    check("swift.", |case| {
        let mut options = case.options().clone();
        options.insert("template".into(), json!(case.file[1]));
        // The goldens' models have this length.
        options.entry("max_length").or_insert(json!(8192));
        let template = match SwiftTemplate::new(case.resources(), SwiftOptions::read(&options).unwrap()) {
            Ok(template) => template,
            Err(error) => {
                let mut found = super::error(&error);
                found.insert("stage".into(), json!("get_template"));
                return Ok(found);
            }
        };
        if case.record.get("rows").is_some() {
            return pack(case, &template);
        }
        let row = case.row();
        let row = if row.contains_key("chosen") { preference(row) } else { as_messages(row) };
        let prepared = template.prepare(&row)?;
        if case.record.get("pieces").is_some() {
            let pieces: Value = prepared.sequences.iter().map(|piece| Value::Object(keys(piece))).collect();
            return Ok(Map::from_iter([("pieces".to_string(), pieces)]));
        }
        if prepared.sequences.len() > 1 && case.record.get("side").is_none() {
            return Ok(Map::from_iter([("more than one sequence".to_string(), json!(true))]));
        }
        Ok(result(&prepared, case.record, insert_weights))
    });
}
