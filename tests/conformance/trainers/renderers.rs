//! prime-rl's renderers and their training samples.

use maskscope::masks::MaskError;
use maskscope::masks::trainers::renderers::{Renderer, RendererOptions};
use maskscope::masks::trainers::{RowPreparer, TrainerOptions};
use serde_json::{Map, Value, json};

use super::{check, result, spans, with_listed_tools};

/// Arguments of `build_training_sample`; a record without them has the plain rendering too.
const SAMPLE: [&str; 4] = ["role_to_mask", "content_sft_roles", "ensure_final_stop", "message_loss_mask"];

fn plain_rendering(renderer: &Renderer, row: &Map<String, Value>) -> Result<Map<String, Value>, MaskError> {
    let list = |key: &str| row.get(key).and_then(Value::as_array).map(Vec::as_slice);
    let rendered = renderer.render(list("messages").unwrap(), list("tools"))?;
    let owners: Value =
        rendered.owners.iter().map(|owner| json!(owner.map_or(-1, |owner| owner as i64))).collect();
    Ok(Map::from_iter([
        ("message_indices".to_string(), owners),
        ("sampled_spans".to_string(), spans(&rendered.sampled)),
        ("content_spans".to_string(), spans(&rendered.content)),
    ]))
}

#[test]
#[ignore = "needs MASKSCOPE_CONFORMANCE: an unpacked golden folder"]
fn training_samples() {
    check("renderers.", |case| {
        let mut options = case.options().clone();
        let name = case.text("template").trim_start_matches("renderers:");
        let (name, template) = name.split_once('/').unwrap_or((name, ""));
        options.insert("template".into(), json!(name));
        // This renderer cannot do without a role, so the goldens' mask of messages came with one.
        if name == "default" && options.contains_key("message_loss_mask") {
            options.entry("role_to_mask").or_insert(json!("assistant"));
        }
        let compiled =
            (!template.is_empty()).then(|| case.goldens.template(&format!("{template}.base")).unwrap());
        let mut resources = case.resources();
        resources.template = compiled.as_deref();
        let renderer = Renderer::new(resources, RendererOptions::read(&options).unwrap())?;
        let row = with_listed_tools(case.messages_row());
        let prepared = renderer.prepare(&row)?;
        let mut found = result(&prepared, case.record, |_, _| {});
        if name != "default" && !SAMPLE.iter().any(|key| options.contains_key(*key)) {
            found.extend(plain_rendering(&renderer, &row)?);
        }
        Ok(found)
    });
}
