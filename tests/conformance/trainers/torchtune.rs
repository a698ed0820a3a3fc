//! torchtune's tokenizers, message transforms, packs and preference rows.

use maskscope::masks::MaskError;
use maskscope::masks::trainers::torchtune::messages::TorchtuneMessage;
use maskscope::masks::trainers::torchtune::packing::{PackOptions, pack};
use maskscope::masks::trainers::torchtune::{TorchtuneDataset, TorchtuneOptions, tokenize};
use maskscope::masks::trainers::{PreparedRow, RowPreparer, TrainerOptions, TrainingSequence};
use serde_json::{Map, Value, json};

use super::{Case, as_messages, check, result};

/// `torchtune.Message(role, content, masked, ipython, eot)` as the inputs write it.
fn message(fields: &Value) -> Result<TorchtuneMessage, MaskError> {
    let text = |at: usize| fields[at].as_str().unwrap();
    let flag = |at: usize| fields[at].as_bool().unwrap();
    TorchtuneMessage::new(text(0), text(1), flag(2)).with_flags(flag(3), flag(4))
}

fn options(case: &Case) -> TorchtuneOptions {
    let mut options = case.options().clone();
    options.insert("template".into(), json!(case.file[2]));
    if let Some(length) = options.remove("sample_max_seq_len") {
        options.insert("max_seq_len".into(), length);
    }
    options.remove("split_across_pack");
    TorchtuneOptions::read(&options).unwrap()
}

fn packs(
    case: &Case,
    dataset: &TorchtuneDataset,
    padding_idx: u32,
) -> Result<Vec<TrainingSequence>, MaskError> {
    let mut samples = Vec::new();
    for row in case.record["rows"].as_array().unwrap() {
        samples.extend(dataset.prepare(&as_messages(case.goldens.row(row.as_str().unwrap())))?.sequences);
    }
    let option = |key: &str| &case.options()[key];
    let options = PackOptions {
        max_seq_len: option("max_seq_len").as_u64().unwrap() as usize,
        split_across_pack: option("split_across_pack") == true,
        padding_idx,
    };
    pack(&samples, &options)
}

#[test]
#[ignore = "needs MASKSCOPE_CONFORMANCE: an unpacked golden folder"]
fn sft() {
    // Packs of one data set stand in one file, one after another; they are made once.
    let made = std::cell::RefCell::new((Value::Null, Vec::new()));
    check("torchtune.sft.", |case| {
        let options = options(case);
        let padding_idx = tokenize::pad_id(options.template);
        let function = case.text("function");
        let dataset = TorchtuneDataset::new(case.resources(), options);
        if function == "PackedDataset" {
            let of = json!([case.record["template"], case.record["options"], case.record["rows"]]);
            if made.borrow().0 != of {
                *made.borrow_mut() = (of, packs(case, &dataset, padding_idx)?);
            }
            let index: usize = case.text("row").trim_start_matches("pack").parse().unwrap();
            let made = made.borrow();
            let Some(pack) = made.1.get(index) else { return Ok(Map::new()) };
            let mut found = super::sequence(pack);
            found.insert("position_ids".into(), json!(pack.position_ids));
            found.insert("seq_lens".into(), json!(pack.seq_lens));
            return Ok(found);
        }
        let mut row = case.row();
        let prepared = if function.starts_with("Message ") {
            let fields = row["messages"].as_array().unwrap();
            let messages = fields.iter().map(message).collect::<Result<Vec<_>, _>>()?;
            PreparedRow::one(dataset.sft(&messages)?)
        } else {
            if function.starts_with("InputOutput") {
                for (from, to) in [("prompt", "input"), ("completion", "output")] {
                    let value = row.remove(from).unwrap();
                    row.insert(to.into(), value);
                }
            } else if !row.contains_key("chosen") {
                row = as_messages(row);
            } else if let Some(Value::Array(prompt)) = row.remove("prompt") {
                // torchtune's preference rows are whole conversations on both sides.
                for side in ["chosen", "rejected"] {
                    let answer = row[side].as_array().unwrap();
                    let whole = [prompt.clone(), answer.clone()].concat();
                    row.insert(side.into(), Value::Array(whole));
                }
            }
            dataset.prepare(&row)?
        };
        Ok(result(&prepared, case.record, |_, _| {}))
    });
}
