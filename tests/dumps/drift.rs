//! Drift: each class is planted and found, and sound rows have none.

use maskscope::chat::Conversation;
use maskscope::dumps::{DriftAgainst, DriftClass, DumpRow, DumpSetup};
use serde_json::json;

use crate::chatml;

const PLANTED: usize = 100;

struct Maker<'s> {
    dumped: &'s DumpSetup<'s>,
}

impl Maker<'_> {
    fn ids(&self, text: &str) -> Vec<i64> {
        self.dumped
            .setup
            .tokenizer
            .encode(text, false)
            .expect("encodes")
            .ids
            .into_iter()
            .map(i64::from)
            .collect()
    }

    /// Ids of pieces that were encoded one by one.
    fn pieces(&self, pieces: &[&str]) -> Vec<i64> {
        pieces.iter().flat_map(|piece| self.ids(piece)).collect()
    }

    /// The classes that ids have.
    fn classes(
        &self,
        ids: Vec<i64>,
        conversation: Option<&Conversation>,
        before: Option<&[i64]>,
    ) -> Vec<(DriftAgainst, DriftClass)> {
        let row = DumpRow { ids, ..DumpRow::default() };
        let (_, drifts) = self.dumped.drifts(&row, conversation, before);
        let mut classes: Vec<_> = drifts.iter().map(|drift| (drift.against, drift.class)).collect();
        classes.sort_unstable();
        classes.dedup();
        classes
    }
}

fn conversation(question: &str, answer: &str) -> Conversation {
    let messages =
        vec![json!({"role": "user", "content": question}), json!({"role": "assistant", "content": answer})];
    Conversation { messages, ..Conversation::default() }
}

const USER: &str = "<|im_start|>user\n";
const ANSWER: &str = "<|im_end|>\n<|im_start|>assistant\n";

#[test]
fn every_class_is_found_and_sound_rows_have_none() {
    let setup = chatml();
    let dumped = DumpSetup::new(&setup);
    let maker = Maker { dumped: &dumped };
    for n in 0..PLANTED {
        let (question, answer) = (format!("What comes behind {n}?"), format!("Surely {} does.", n + 1));
        let text = format!("{USER}{question}{ANSWER}{answer}<|im_end|>\n");
        let said = conversation(&question, &answer);
        let rendered = maker.classes(maker.ids(&text), Some(&said), None);
        assert_eq!(rendered, [], "row {n} is sound");

        let found = |wanted: DriftClass,
                     against: DriftAgainst,
                     ids: Vec<i64>,
                     said: Option<&Conversation>,
                     before: Option<&[i64]>| {
            let classes = maker.classes(ids, said, before);
            assert_eq!(classes, [(against, wanted)], "row {n}, {}", wanted.name());
        };
        // A mark of the template that stood in the question as plain text becomes the mark.
        let mut ids = maker.ids(&format!("{USER}{question} "));
        ids.extend(maker.pieces(&["<|", "im_", "end|>"]));
        ids.extend(maker.ids(&format!("{ANSWER}{answer}<|im_end|>\n")));
        found(DriftClass::SpecialCount, DriftAgainst::OwnText, ids, None, None);

        let ended = maker.ids(&format!("{USER}{question}{ANSWER}{answer}<|endoftext|>\n"));
        found(DriftClass::SpecialKind, DriftAgainst::Messages, ended, Some(&said), None);

        let cut = maker.pieces(&[
            &format!("{USER}What comes beh"),
            "ind ",
            &format!("{n}?{ANSWER}{answer}<|im_end|>\n"),
        ]);
        found(DriftClass::OutsideAnswer, DriftAgainst::OwnText, cut, None, None);

        let cut = maker.pieces(&[
            &format!("{USER}{question}{ANSWER}"),
            "Sur",
            "ely",
            &format!(" {} does.<|im_end|>\n", n + 1),
        ]);
        found(DriftClass::InsideAnswer, DriftAgainst::OwnText, cut, None, None);

        let joined =
            maker.pieces(&[&format!("{USER}{question}{ANSWER}"), &format!("\n{answer}"), "<|im_end|>\n"]);
        found(DriftClass::Seam, DriftAgainst::OwnText, joined, None, None);

        let tool = |line_break: &str| {
            let turn = format!("<|im_start|>tool\n{n} found<|im_end|>{line_break}");
            maker.ids(&format!(
                "{USER}{question}<|im_end|>\n{turn}<|im_start|>assistant\n{answer}<|im_end|>\n"
            ))
        };
        found(DriftClass::ToolLineBreak, DriftAgainst::StepBefore, tool(""), None, Some(&tool("\n")));

        // A step that goes on where the one before it ended has no drift.
        let before = maker.ids(&text);
        let further = maker.ids(&format!("{text}{USER}And then?{ANSWER}Nothing.<|im_end|>\n"));
        assert_eq!(maker.classes(further, None, Some(&before)), [], "row {n} goes on");
    }
}
