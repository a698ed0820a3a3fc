//! nanochat's rendering of conversations.

use maskscope::masks::trainers::nanochat::{NanochatOptions, NanochatTokenizer};
use maskscope::masks::trainers::{RowPreparer, TrainerOptions};

use super::{check, result};

#[test]
#[ignore = "needs MASKSCOPE_CONFORMANCE: an unpacked golden folder"]
fn render() {
    check("nanochat.render.", |case| {
        let options = NanochatOptions::read(case.options()).unwrap();
        let prepared = NanochatTokenizer::new(case.resources(), options).prepare(&case.messages_row())?;
        Ok(result(&prepared, case.record, |_, _| {}))
    });
}
