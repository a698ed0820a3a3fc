//! XTuner's tokenize function.

use maskscope::masks::trainers::xtuner::{TokenizeFunction, XtunerOptions};
use maskscope::masks::trainers::{RowPreparer, TrainerOptions};
use serde_json::json;

use super::{check, result, with_listed_tools};

#[test]
#[ignore = "needs MASKSCOPE_CONFORMANCE: an unpacked golden folder"]
fn tokenize() {
    check("xtuner.v1.", |case| {
        let mut options = case.options().clone();
        options.insert("template".into(), json!(case.text("template").trim_start_matches("xtuner:")));
        let row = with_listed_tools(case.messages_row());
        let prepared =
            TokenizeFunction::new(case.resources(), XtunerOptions::read(&options).unwrap())?.prepare(&row)?;
        Ok(result(&prepared, case.record, |_, _| {}))
    });
}
