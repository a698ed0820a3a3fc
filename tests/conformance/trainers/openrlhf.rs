//! OpenRLHF's SFT and preference data sets.

use maskscope::masks::trainers::{RowPreparer, TrainerOptions, openrlhf};
use serde_json::json;

use super::{check, result, spans};

#[test]
#[ignore = "needs MASKSCOPE_CONFORMANCE: an unpacked golden folder"]
fn sft() {
    check("openrlhf.sft.", |case| {
        let options = openrlhf::SftOptions::read(case.options()).unwrap();
        let prepared = openrlhf::SftDataset::new(case.resources(), options).prepare(&case.row())?;
        Ok(result(&prepared, case.record, |sequence, found| {
            found.insert("raw_mask_spans".into(), spans(sequence.predicting.as_deref().unwrap_or_default()));
        }))
    });
}

#[test]
#[ignore = "needs MASKSCOPE_CONFORMANCE: an unpacked golden folder"]
fn dpo() {
    check("openrlhf.dpo.", |case| {
        let options = openrlhf::DpoOptions::read(case.options()).unwrap();
        let prepared = openrlhf::DpoDataset::new(case.resources(), options).prepare(&case.row())?;
        Ok(result(&prepared, case.record, |sequence, found| {
            found.insert("prompt_len".into(), json!(sequence.prompt_len));
        }))
    });
}
