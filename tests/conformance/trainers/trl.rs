//! TRL's SFT and preference paths, and its packing.

use maskscope::masks::MaskError;
use maskscope::masks::trainers::trl_packing::{Pack, pack};
use maskscope::masks::trainers::{Resources, RowPreparer, TrainerOptions, trl_dpo, trl_sft};
use serde_json::{Map, Value, json};

use super::{Case, check, result, spans};

#[test]
#[ignore = "needs MASKSCOPE_CONFORMANCE: an unpacked golden folder"]
fn sft() {
    check("trl.sft.", |case| {
        let options = trl_sft::TrlSftOptions::read(case.options()).unwrap();
        // The constructor fails on the data set, so any row of its kind shows it.
        let first = if case.record["row"].is_null() {
            json!({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]})
        } else {
            Value::Object(case.row())
        };
        let mut first = first.as_object().unwrap().clone();
        if let Some(turns) = first.remove("conversations") {
            first.insert("messages".into(), json!([{"role": "user", "content": turns}]));
        }
        let trainer = trl_sft::SftTrainer::new(case.resources(), options, &first);
        let trainer = match trainer {
            Ok(trainer) => trainer,
            Err(error) => return constructor_error(case, error),
        };
        let swapped = json!(trainer.template_is_swapped());
        let mut found = match trainer.prepare(&case.row()) {
            Ok(prepared) => result(&prepared, case.record, |_, _| {}),
            Err(error) => super::error(&error),
        };
        found.insert("chat_template_swapped".into(), swapped);
        Ok(found)
    });
}

fn constructor_error(case: &Case, error: MaskError) -> Result<Map<String, Value>, MaskError> {
    let mut found = super::error(&error);
    if case.record.get("stage").is_some() {
        found.insert("stage".into(), json!("__init__"));
    }
    Ok(found)
}

#[test]
#[ignore = "needs MASKSCOPE_CONFORMANCE: an unpacked golden folder"]
fn dpo() {
    check("trl.dpo.", |case| {
        let options = trl_dpo::TrlDpoOptions::read(case.options()).unwrap();
        let prepared = trl_dpo::DpoTrainer::new(case.resources(), options).prepare(&case.row())?;
        Ok(result(&prepared, case.record, |_, _| {}))
    });
}

fn packs(case: &Case, resources: Resources) -> Result<Vec<Pack>, MaskError> {
    let options = trl_sft::TrlSftOptions::read(case.options()).unwrap();
    let rows: Vec<Map<String, Value>> = case.record["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| case.goldens.row(row.as_str().unwrap()))
        .collect();
    let trainer = trl_sft::SftTrainer::new(resources, options.clone(), &rows[0])?;
    let sequences = rows.iter().map(|row| trainer.tokenize(row)).collect::<Result<Vec<_>, _>>()?;
    pack(&sequences, options.max_length, options.packing_strategy)
}

#[test]
#[ignore = "needs MASKSCOPE_CONFORMANCE: an unpacked golden folder"]
fn packing() {
    // Packs of one data set stand in one file, one after another; they are made once.
    let made = std::cell::RefCell::new((Value::Null, Vec::new()));
    check("trl.pack.", |case| {
        let of = json!([case.record["template"], case.record["options"], case.record["rows"]]);
        if made.borrow().0 != of {
            *made.borrow_mut() = (of, packs(case, case.resources())?);
        }
        let made = made.borrow();
        let index = case.record["row"].as_u64().unwrap() as usize;
        let Some(pack) = made.1.get(index) else { return Ok(Map::new()) };
        let mut found = super::sequence(&pack.collated);
        found.insert("spans_before_collator".into(), spans(&pack.sequence.targets));
        if let (Some(positions), Some(lengths)) = (&pack.collated.position_ids, &pack.collated.seq_lens) {
            found.insert("position_ids".into(), json!(positions));
            found.insert("seq_lens".into(), json!(lengths));
        }
        Ok(found)
    });
}
