//! Parts that are written in other places or forms than templates read.

use serde_json::{Value, json};

use crate::scene::{Scene, row, turn};
use crate::{FULL, LOOSE, PLAIN};

/// Writes what stands behind the last `</think>` of an answer.
const CUTS: &str = "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' }}{% set c = m.content %}\
    {% if m.role == 'assistant' and '</think>' in c %}{% set c = c.split('</think>')[-1] %}{% endif %}{{ c + '<|im_end|>\\n' }}{% endfor %}";

/// Writes a text, or each part's text whatever it is.
const PARTS: &str = "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' }}{% if m.content is string %}{{ m.content }}{% else %}\
    {% for p in m.content %}{{ p.text }}{% endfor %}{% endif %}{{ '<|im_end|>\\n' }}{% endfor %}";

fn answered(answer: Value) -> Value {
    row(json!([turn("user", json!("Is 91 prime?")), answer]))
}

fn only(template: &str, row: Value) -> Vec<String> {
    Scene::new(template, &[row]).not_carried().remove(0)
}

#[test]
fn thoughts_need_not_be_opened_nor_stand_at_the_head() {
    for (content, lost) in [
        ("Seven times thirteen.</think>No.", 1),
        ("<think>Seven times thirteen.</think>\n\nNo, it is not.", 1),
        ("Let me see. <think>Seven times thirteen.</think>No.", 2),
        ("<think>First.</think>Perhaps so.<think>Second.</think>No.", 3),
        ("<think>No. Seven times thirteen.</think>No.", 1),
        ("No.", 0),
    ] {
        let data = answered(turn("assistant", json!(content)));
        let lines = only(CUTS, data.clone());
        assert_eq!(lines.len(), lost, "{content}: {lines:?}");
        let named = lines.iter().filter(|line| line.contains("the thought in it")).count();
        assert_eq!(named, content.matches("</think>").count(), "{lines:?}");
        assert_eq!(only(PLAIN, data), Vec::<String>::new(), "{content} is written as it is");
    }
}

#[test]
fn none_that_tool_arguments_say_is_not_the_contents() {
    const ITEMS: &str = "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' }}{{ m.content or '' }}\
        {% for c in m.tool_calls or [] %}{{ c.function.name }}{% for k, v in c.function.arguments|items %}{{ k }}={{ v }} {% endfor %}{% endfor %}{{ '<|im_end|>\\n' }}{% endfor %}";
    let call = |arguments: Value| {
        answered(
            json!({"role": "assistant", "content": null, "tool_calls": [{"function": {"name": "move", "arguments": arguments}}]}),
        )
    };
    for arguments in
        [json!({"x": 1, "text": null}), json!({"text": "None"}), json!({"a": null, "b": {"c": "x"}})]
    {
        let lines = only(ITEMS, call(arguments.clone()));
        assert!(!lines.iter().any(|line| line.contains("content")), "{arguments}: {lines:?}");
    }
    let null = |part: Value| answered(turn("assistant", json!([part])));
    let printed = only(PARTS, null(json!({"type": "text", "text": null})));
    assert!(printed.iter().any(|line| line.contains("printed as a Python value: None")), "{printed:?}");
}

#[test]
fn an_empty_name_of_the_reasoning_does_not_hide_another() {
    for (message, lost) in [
        (json!({"reasoning_content": "", "reasoning": "Seven times thirteen."}), "reasoning (21"),
        (json!({"reasoning_content": "  ", "thinking": "Seven times thirteen."}), "thinking (21"),
        (
            json!({"reasoning_content": "Seven times thirteen.", "reasoning": "Try small primes."}),
            "reasoning (17",
        ),
        (json!({"reasoning": [{"type": "text", "text": "Seven times thirteen."}]}), "reasoning ("),
        (json!({"thinking": {"summary": "Seven times thirteen."}}), "thinking ("),
    ] {
        let mut answer = turn("assistant", json!("No."));
        answer.as_object_mut().expect("a message").extend(message.as_object().expect("fields").clone());
        let lines = only(PLAIN, answered(answer));
        assert!(lines.iter().any(|line| line.contains(lost)), "{message}: {lines:?}");
    }
}

#[test]
fn light_parts_are_named_beside_heavy_ones() {
    let heavy = answered(
        json!({"role": "assistant", "content": "No.", "reasoning_content": "Seven times thirteen."}),
    );
    let light = |key: &str| {
        row(
            json!([{"role": "user", "content": "Hi", key: "Some more text"}, turn("assistant", json!("Hello."))]),
        )
    };
    for key in ["name", "comment", "source_text"] {
        let finding = Scene::new(PLAIN, &[heavy.clone(), light(key)]).finding("MSK054");
        assert_eq!(
            (finding["verdict"].as_str(), &finding["samples"]),
            (Some("warn"), &json!([0])),
            "{finding}"
        );
        let evidence = finding["evidence"].to_string();
        assert!(evidence.contains(&format!("left out as a rule: messages[].{key}")), "{evidence}");
    }
}

#[test]
fn parts_of_other_types_are_accounted_for() {
    let said = |part: Value| {
        row(json!([
            turn("user", json!([part, {"type": "text", "text": "Go on."}])),
            turn("assistant", json!("Done."))
        ]))
    };
    for (part, path) in [
        (
            json!({"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Trondheim"}}),
            "content[0] (tool_use)",
        ),
        (
            json!({"type": "tool_result", "tool_use_id": "t1", "content": "Three degrees."}),
            "content[0] (tool_result)",
        ),
        (
            json!({"type": "file", "file": {"filename": "report.pdf", "file_data": "JVBERi0xLjc"}}),
            "content[0] (file)",
        ),
        (json!({"type": "refusal", "refusal": "I cannot do that."}), "content[0] (refusal)"),
    ] {
        let lines = only(FULL, said(part.clone()));
        assert!(lines.iter().any(|line| line.contains(path)), "{part}: {lines:?}");
    }
    assert_eq!(only(FULL, said(json!({"type": "text", "text": "Before."}))), Vec::<String>::new());
}

#[test]
fn columns_of_the_row_that_nothing_reads_are_named() {
    let with = |key: &str, value: Value, first: &str| json!({"messages": [turn(first, json!("Be brief.")), turn("user", json!("Hi")), turn("assistant", json!("Hello."))], key: value});
    for (row, lost) in [
        (with("system", json!("Answer in Latin."), "system"), Some("system (16 characters)")),
        (
            with("functions", json!([{"name": "weather", "description": "Weather of a city"}]), "system"),
            Some("functions ("),
        ),
        (with("system_prompt", json!("Answer in Latin."), "system"), Some("system_prompt (16")),
        (with("system", json!("Be brief."), "system"), None),
        (with("system", json!(""), "system"), None),
        (with("functions", json!([]), "system"), None),
    ] {
        let lines = only(PLAIN, row.clone());
        match lost {
            Some(lost) => assert!(lines.iter().any(|line| line.starts_with(lost)), "{row}: {lines:?}"),
            None => assert_eq!(lines, Vec::<String>::new(), "{row}"),
        }
    }
}

#[test]
fn flags_come_in_words_in_fractions_and_under_many_names() {
    let flagged = |role: &str, key: &str, value: &Value| {
        let mut rows = [turn("user", json!("Hi")), turn("assistant", json!("Hello."))];
        let at = usize::from(role == "assistant");
        rows[at][key] = value.clone();
        Scene::new(PLAIN, &[row(json!(rows))]).finding("MSK056")["verdict"] == "warn"
    };
    for (key, value) in [
        ("train", json!("false")),
        ("loss", json!("0")),
        ("trainable", json!("no")),
        ("is_masked", json!("True")),
        ("supervised", json!(false)),
        ("loss_weight", json!(0)),
        ("weight", json!(0.5)),
        ("weight", json!("0.25")),
    ] {
        assert!(flagged("assistant", key, &value), "{key} {value}");
    }
    for (key, value) in [
        ("weight", json!(1)),
        ("weight", json!(1.0)),
        ("loss_scale", json!(1)),
        ("weight", json!(0)),
        ("train", json!(false)),
    ] {
        assert!(!flagged("user", key, &value), "{key} {value} of a question is no fault");
    }
    assert!(flagged("user", "train", &json!(true)));
    assert!(!flagged("assistant", "loss_scale", &json!("react")), "a rule of ms-swift by name");
}

#[test]
fn media_tokens_in_a_text_need_files() {
    let vl = "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' }}{% if m.content is string %}{{ m.content }}{% else %}\
        {% for p in m.content %}{% if p.type == 'image' %}{{ '<|vision_start|><|image_pad|><|vision_end|>' }}{% else %}{{ p.text }}{% endif %}{% endfor %}{% endif %}{{ '<|im_end|>\\n' }}{% endfor %}";
    let asked = |content: Value, images: Value| json!({"messages": [turn("user", content), turn("assistant", json!("Two."))], "images": images});
    let typed = json!("<|vision_start|><|image_pad|><|vision_end|>How many?");
    for (row, problem) in [
        (asked(typed.clone(), json!(null)), true),
        (asked(typed.clone(), json!([])), true),
        (asked(typed.clone(), json!(["a.png"])), false),
        (asked(json!([{"type": "image"}, {"type": "text", "text": "How many?"}]), json!(["a.png"])), false),
        (asked(json!("How many?"), json!(null)), false),
    ] {
        let lines = only(vl, row.clone());
        assert_eq!(
            lines.iter().any(|line| line.contains("1 places for 0 image files")),
            problem,
            "{row}: {lines:?}"
        );
    }
    let long = asked(
        json!([{"type": "text", "text": "How many cats are there?"}, {"type": "image"}]),
        json!(["a.png"]),
    );
    let scene = Scene::new(vl, &[long]);
    let whole = scene.run(&["inspect", "-d", "rows.jsonl", "--format", "jsonl"]);
    let whole: Value = serde_json::from_str(whole.lines().next().expect("a line")).expect("JSON");
    let tokens = whole["input_ids"].as_array().expect("ids").len();
    let mut said = Vec::new();
    for max in (8..tokens).map(|max| max.to_string()) {
        let line =
            scene.run(&["inspect", "-d", "rows.jsonl", "--format", "jsonl", "--model-max-length", &max]);
        said.push(line.contains("lie behind max_length, and the cut goes through one of them"));
    }
    assert!(said.contains(&true) && said.contains(&false), "{said:?}");
}

#[test]
fn a_long_row_of_short_messages_is_scanned() {
    let messages: Vec<Value> =
        (0..4000).map(|n| turn(if n % 2 == 0 { "user" } else { "assistant" }, json!("ok"))).collect();
    for template in [PLAIN, LOOSE, CUTS] {
        let scan = Scene::new(template, &[row(json!(messages))]).run(&["scan", "rows.jsonl"]);
        assert!(scan.contains('1'), "{scan}");
    }
}
