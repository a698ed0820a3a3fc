//! verl's multi-turn SFT data set.

use maskscope::masks::trainers::{RowPreparer, TrainerOptions, verl};
use serde_json::json;

use super::{check, result, with_listed_tools};

#[test]
#[ignore = "needs MASKSCOPE_CONFORMANCE: an unpacked golden folder"]
fn multiturn() {
    check("verl.multiturn.", |case| {
        let options = verl::VerlOptions::read(case.options()).unwrap();
        let failed = |error: &_, stage: &str| {
            let mut found = super::error(error);
            found.insert("stage".into(), json!(stage));
            found
        };
        let dataset = match verl::MultiTurnDataset::new(case.resources(), options) {
            Ok(dataset) => dataset,
            Err(error) => return Ok(failed(&error, "__init__")),
        };
        let mut row = with_listed_tools(case.messages_row());
        if let Some(kwargs) = row.remove("chat_template_kwargs") {
            row.extend(kwargs.as_object().unwrap().clone());
        }
        let mut found = match dataset.prepare(&row) {
            Ok(prepared) => result(&prepared, case.record, |sequence, found| {
                found.insert("padded_to".into(), json!(sequence.padded_to));
                if let Some(positions) = &sequence.position_ids {
                    found.insert("position_ids".into(), json!(positions));
                }
            }),
            Err(error) => failed(&error, "__getitem__"),
        };
        found.insert("system_prompt_len".into(), json!(dataset.system_prompt.len()));
        found.insert("generation_prompt_ids".into(), json!(dataset.generation_prompt));
        Ok(found)
    });
}
