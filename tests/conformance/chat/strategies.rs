//! Labels of the strategies that work on a rendered conversation: `render_masks`.

use super::records::{Tally, json_lines};
use super::samples;
use super::setups::{ResolvedRequest, Setups, expected, outcome};

use maskscope::masks::Strategy;

#[test]
#[ignore = "needs MASKSCOPE_CONFORMANCE: an unpacked golden folder"]
fn labels_of_rendered_conversations() {
    let root = crate::root();
    let dir = root.join("golden/chat");
    let samples = samples(&dir);
    let setups = Setups::new(&root);
    let mut tally = Tally::new("labels");
    for record in json_lines(&dir.join("render_masks.jsonl.gz")) {
        let id = record["id"].as_str().unwrap();
        let text = |key: &str| record[key].as_str().unwrap();
        let template = dir.join(format!("templates/{}.{}.jinja", text("template"), text("variant")));
        let sample = &samples[text("conv")];
        let inspect = |preprocess: &str| {
            let wish = ResolvedRequest {
                template: template.to_str().unwrap(),
                preprocess,
                ..ResolvedRequest::default()
            };
            setups.inspect(text("tokenizer"), &wish, sample)
        };
        let rendered = inspect("render");
        if let Some(error) = record["error"].as_str() {
            tally.check("error", id, &outcome(&rendered).err().as_deref(), &Some(error));
            continue;
        }
        tally.check("text", id, &rendered.prompt.as_deref(), &Some(text("text")));
        for (strategy, golden) in record["labels"].as_object().unwrap() {
            if Strategy::named(strategy).is_none() {
                tally.fail(strategy, id, "no such strategy".to_string());
                continue;
            }
            let found = inspect(strategy);
            tally.check(strategy, id, &outcome(&found), &expected(golden, &record["input_ids"]));
            // axolotl puts parts together before it renders: then it has a text of its own.
            if found.result.is_ok() && golden["input_ids"].is_null() {
                tally.check("prompt", id, &found.prompt.as_deref(), &Some(text("text")));
            }
        }
    }
    tally.finish();
}
