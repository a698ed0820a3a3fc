//! XTuner's tokenize function.

use maskscope::masks::trainers::xtuner::{Options, TokenizeFunction};
use maskscope::masks::trainers::{RowPreparer, TrainerOptions};
use serde_json::json;

use super::{check, result};

#[test]
fn tokenize() {
    check("xtuner.v1.", |case| {
        let mut options = case.options().clone();
        options.insert("template".into(), json!(case.text("template").trim_start_matches("xtuner:")));
        let mut row = case.messages_row();
        // The goldens' function was given tools as lists, whatever the row has.
        if let Some(text) = row.get("tools").and_then(|tools| tools.as_str()) {
            let tools = serde_json::from_str(text).unwrap();
            row.insert("tools".into(), tools);
        }
        let prepared = TokenizeFunction::new(case.resources(), Options::read(&options).unwrap())?.prepare(&row)?;
        Ok(result(&prepared, case.record, |_, _| {}))
    });
}
