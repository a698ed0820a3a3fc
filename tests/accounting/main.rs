//! Every part of a record is found in the text that is trained on, or named as lost: inspect, doctor and scan, on an
//! embedded tokenizer with small templates of our own.

mod controls;
mod folder;
mod parts;
mod preferences;
mod readers;
mod refused;
mod releases;
mod scene;

use assert_cmd::Command;
use scene::{Scene, row, turn};
use serde_json::{Value, json};

/// Reads role and content, nothing else.
pub const PLAIN: &str = "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + (m.content or '') + '<|im_end|>\\n' }}{% endfor %}\
    {% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";
/// Reads thoughts of the last answer, calls, tools, and parts of type text and image.
pub const FULL: &str = "{% for t in tools or [] %}{{ t | tojson + '\\n' }}{% endfor %}{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' }}\
    {% if m.reasoning_content and (loop.last or keep) %}{{ '<think>' + m.reasoning_content + '</think>' }}{% endif %}\
    {% if m.content is string %}{{ m.content }}{% else %}{% for p in m.content or [] %}{% if p.type == 'image' %}{{ '<img>' }}{% else %}{{ p.text }}{% endif %}{% endfor %}{% endif %}\
    {% for c in m.tool_calls or [] %}{{ '<call>' }}{{ c.function | tojson }}{{ '</call>' }}{% endfor %}{{ '<|im_end|>\\n' }}{% endfor %}\
    {% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";
/// Prints whatever content is.
pub const LOOSE: &str = "{% for m in messages %}{{ '<|im_start|>' }}{{ m['role'] }}{{ '\\n' }}{{ m['content'] }}{{ '<|im_end|>\\n' }}{% endfor %}\
    {% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";
/// Puts texts together.
pub const STRICT: &str = "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' }}{% endfor %}\
    {% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";
/// Wants users and answers by turns, and no system text.
pub const ALTERNATES: &str = "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}\
    {{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

#[test]
fn reasoning_under_every_name_is_lost_or_found() {
    for key in ["reasoning_content", "thinking", "reasoning"] {
        let rows = [row(json!([turn("user", json!("Is 91 prime?")),
            {"role": "assistant", "content": "No.", key: "Seven times thirteen is ninety-one."}]))];
        let lost = Scene::new(PLAIN, &rows);
        assert_eq!(
            lost.not_carried(),
            [[format!("message 1: {key} (35 characters) is not in the rendered text")]]
        );
        let finding = lost.finding("MSK054");
        assert_eq!(
            (finding["verdict"].as_str(), finding["fix"]["effect"]["repaired"].as_u64()),
            (Some("warn"), Some(1))
        );
        let found = Scene::new(FULL, &rows);
        assert_eq!(found.not_carried(), [Vec::<String>::new()]);
        assert_eq!(found.finding("MSK054")["verdict"], "ok");
    }
}

#[test]
fn thoughts_that_a_template_leaves_out_of_the_history_are_a_note() {
    let answer = |thought: &str, said: &str| json!({"role": "assistant", "content": said, "reasoning_content": thought});
    let rows = [row(json!([
        turn("user", json!("One?")),
        answer("The first thought.", "A."),
        turn("user", json!("Two?")),
        answer("The second thought.", "B.")
    ]))];
    assert_eq!(Scene::new(FULL, &rows).finding("MSK054")["verdict"], "note");
    assert_eq!(Scene::new(PLAIN, &rows).finding("MSK054")["verdict"], "warn");
    let kept = [json!({"messages": rows[0]["messages"], "chat_template_kwargs": {"keep": true}})];
    assert_eq!(Scene::new(FULL, &kept).finding("MSK054")["verdict"], "ok");
}

#[test]
fn calls_tools_and_names_are_counted_over_the_data() {
    let call = json!({"role": "assistant", "content": null,
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": {"city": "Oslo"}}}]});
    let tool = json!({"type": "function", "function": {"name": "weather", "description": "Weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}});
    let with = json!({"messages": [turn("user", json!("Weather in Oslo?")), call,
        {"role": "tool", "name": "weather", "tool_call_id": "c1", "content": "3"}, turn("assistant", json!("Three."))],
        "tools": [tool]});
    let rows =
        [with.clone(), row(json!([turn("user", json!("Hi")), turn("assistant", json!("Hello."))])), with];
    let scene = Scene::new(PLAIN, &rows);
    let counts: Vec<usize> = scene.not_carried().iter().map(Vec::len).collect();
    assert_eq!(counts, [3, 0, 3]);
    let finding = scene.finding("MSK054");
    assert_eq!(finding["samples"], json!([0, 2]));
    let evidence = finding["evidence"].to_string();
    assert!(evidence.contains("in 2 of 3 records") && evidence.contains("tools[]"), "{evidence}");
    let scan = scene.run(&["scan", "rows.jsonl"]);
    assert!(scan.contains("MSK054 warn          2"), "{scan}");
    // The screen asks the same doctor.
    let screen = scene.run(&["frame", "-d", "rows.jsonl", "--screen", "doctor", "--size", "120x40"]);
    assert!(screen.contains("! MSK054"), "{screen}");
    assert_eq!(
        Scene::new(FULL, &rows).finding("MSK054")["verdict"],
        "note",
        "only the tool's name is left out"
    );
}

#[test]
fn content_that_is_printed_as_python_is_named() {
    let rows = [
        row(json!([
            turn("user", json!([{"type": "text", "text": "How many cats?"}])),
            turn("assistant", json!("Two."))
        ])),
        row(json!([
            turn("user", json!("Hi")),
            turn("assistant", json!([{"type": "text", "text": "Hello."}]))
        ])),
        row(json!([turn("user", json!({"text": "Hi there"})), turn("assistant", json!("Hello."))])),
    ];
    let lines = Scene::new(LOOSE, &rows).not_carried();
    assert!(
        lines.iter().all(|lines| lines.len() == 1 && lines[0].contains("printed as a Python value")),
        "{lines:?}"
    );
}

#[test]
fn exceptions_have_a_cause_and_a_change_that_was_tried() {
    let list = row(json!([
        turn("user", json!([{"type": "text", "text": "Hi"}])),
        turn("assistant", json!("Hello."))
    ]));
    let null = row(json!([turn("user", json!("Hi")), turn("assistant", json!(null))]));
    let both =
        row(json!([turn("user", json!([{"type": "text", "text": "Hi"}])), turn("assistant", json!(null))]));
    let finding = Scene::new(STRICT, &[list, null, both]).finding("MSK052");
    assert_eq!(
        (finding["verdict"].as_str(), finding["fix"]["effect"]["repaired"].as_u64()),
        (Some("error"), Some(3))
    );
    let cause = finding["cause"].as_str().expect("a cause");
    assert!(cause.contains("content is null") && cause.contains("list of parts"), "{cause}");
    let errors = finding["evidence"]
        .as_array()
        .expect("evidence")
        .iter()
        .filter(|e| e["what"].as_str().is_some_and(|w| w.contains("sample") && w != "samples"));
    assert_eq!(errors.count(), 2, "{finding}");

    let hi = || turn("user", json!("Hi"));
    let hello = || turn("assistant", json!("Hello."));
    for (messages, cause) in [
        (json!([hi(), hi(), hello()]), "two turns of one role"),
        (json!([turn("system", json!("Be brief.")), hi(), hello()]), "no place for a system message"),
        (json!([hello(), hi(), hello()]), "before the first question"),
    ] {
        let finding = Scene::new(ALTERNATES, &[row(messages)]).finding("MSK052");
        assert!(finding["cause"].as_str().is_some_and(|text| text.contains(cause)), "{finding}");
        assert_eq!(finding["fix"]["effect"]["repaired"], 1);
    }
}

#[test]
fn media_are_held_against_their_places() {
    let part = |kind: &str| json!({"type": kind});
    let text = json!({"type": "text", "text": "How many cats?"});
    let answered = |content: Value| json!([turn("user", content), turn("assistant", json!("Two."))]);
    let with = |content: Value, images: Value| json!({"messages": answered(content), "images": images});
    for (row, problem) in [
        (with(json!([part("image"), text]), json!(["a.png"])), None),
        (with(json!([part("image"), text]), json!(null)), None),
        (with(json!("How many cats?"), json!([])), None),
        (with(json!([text]), json!([])), None),
        (row(answered(json!([part("image"), part("image"), text]))), None),
        (with(json!("How many cats?"), json!(["a.png"])), Some("0 places for 1 image files")),
        (
            with(json!([part("image"), text]), json!([])),
            Some("1 places for 0 image files: a place without its file"),
        ),
        (with(json!([part("image"), text]), json!(["a.png", "b.png"])), Some("1 places for 2 image files")),
        (
            with(json!("<image>\nHow many cats?"), json!(["a.png"])),
            Some("0 places for 1 image files: <image> stays a text"),
        ),
        (
            row(answered(json!([{"type": "image_url", "image_url": {"url": "a.png"}}, text]))),
            Some("parts of type image_url"),
        ),
    ] {
        let lines = Scene::new(FULL, std::slice::from_ref(&row)).not_carried().remove(0);
        // FULL writes the text of a part that it does not know, which is none: the place is what is missing.
        match problem {
            None => assert!(lines.is_empty(), "{row}: {lines:?}"),
            Some(problem) => assert!(lines.iter().any(|line| line.contains(problem)), "{row}: {lines:?}"),
        }
    }
    let drawn = row(json!([
        turn("user", json!([{"type": "text", "text": "Draw."}])),
        turn("assistant", json!([part("image"), {"type": "text", "text": "Here."}]))
    ]));
    let lines = Scene::new(FULL, &[drawn]).not_carried().remove(0);
    assert!(lines[0].contains("are supervised"), "{lines:?}");
    let fixed =
        Scene::new(FULL, &[with(json!("<image>\nHow many cats?"), json!(["a.png"]))]).finding("MSK055");
    assert_eq!(fixed["fix"]["effect"]["repaired"], 1, "{fixed}");
}

#[test]
fn flags_that_the_labels_go_against_are_named() {
    for (key, value, ignored) in [
        ("train", json!(false), true),
        ("weight", json!(0), true),
        ("loss", json!(true), false),
        ("masked", json!(true), true),
        ("loss_mask", json!(1), false),
    ] {
        let rows =
            [row(json!([turn("user", json!("Hi")), {"role": "assistant", "content": "Hello.", key: value}]))];
        let finding = Scene::new(PLAIN, &rows).finding("MSK056");
        assert_eq!(finding["verdict"] == "warn", ignored, "{key} {value}: {finding}");
    }
}

#[test]
fn a_header_that_is_always_written_is_a_fault_of_the_template() {
    let rows = [row(json!([turn("user", json!("Hi")), turn("assistant", json!("Hello."))]))];
    for header in ["<|im_start|>assistant\\n", "<|start_of_turn|>model\\n", "### Response:\\n"] {
        let name = if header.contains("model") { "model" } else { "assistant" };
        let open = match header.contains("###") {
            true => {
                "{{ '### ' + ('Response' if m.role == 'assistant' else 'Question') + ':\\n' }}".to_string()
            }
            false => format!(
                "{{{{ '{}' + ('{name}' if m.role == 'assistant' else 'user') + '\\n' }}}}",
                header.split(name).next().unwrap_or_default()
            ),
        };
        let loop_of =
            format!("{{% for m in messages %}}{open}{{{{ m.content + '<|im_end|>\\n' }}}}{{% endfor %}}");
        let always = Scene::new(&format!("{loop_of}{{{{ '{header}' }}}}"), &rows).finding("MSK050");
        assert_eq!(always["verdict"], "warn", "{header}: {always}");
        let asked = format!("{loop_of}{{% if add_generation_prompt %}}{{{{ '{header}' }}}}{{% endif %}}");
        assert_eq!(Scene::new(&asked, &rows).finding("MSK050")["verdict"], "ok", "{header}");
    }
}

#[test]
fn nulls_go_from_messages_and_stay_in_arguments() {
    let rows = [row(json!([turn("user", json!("Go")), {"role": "assistant", "content": null, "name": null,
        "tool_calls": [{"function": {"name": "move", "arguments": {"x": 0, "text": null}}}]}]))];
    let lines = Scene::new(FULL, &rows).run(&["inspect", "-d", "rows.jsonl", "--format", "jsonl"]);
    assert!(lines.contains(r#"\"text\": null"#), "{lines}");
}

#[test]
fn rows_of_messages_open_with_the_tokenizers_own_template() {
    let scene =
        Scene::new(PLAIN, &[row(json!([turn("user", json!("Hi")), turn("assistant", json!("Hello."))]))]);
    let folder = scene.folder.path();
    let turns = json!([{"id": "a", "image": "a.jpg", "conversations": [{"from": "human", "value": "<image>\nHi"}, {"from": "gpt", "value": "Hello."}]}]);
    std::fs::write(folder.join("llava.json"), turns.to_string()).expect("written");
    let own = folder.join("own");
    std::fs::create_dir(&own).expect("made");
    let shipped = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/tokenizers/mistral");
    for file in std::fs::read_dir(shipped).expect("the sample").filter_map(Result::ok) {
        std::fs::copy(file.path(), own.join(file.file_name())).expect("copied");
    }
    std::fs::write(own.join("chat_template.jinja"), PLAIN).expect("written");
    let run = |tokenizer: &str, data: &str| {
        let mut command = Command::cargo_bin("maskscope").expect("the binary");
        let output = command
            .current_dir(folder)
            .args(["inspect", "-t", tokenizer, "-d", data])
            .output()
            .expect("runs");
        (String::from_utf8(output.stdout).expect("UTF-8"), String::from_utf8(output.stderr).expect("UTF-8"))
    };
    let (out, err) = run("own", "rows.jsonl");
    assert!(
        out.contains("template chat") && err.contains("template chat chosen: the rows are OpenAI messages"),
        "{out}{err}"
    );
    assert!(err.contains("strategy axolotl_turn chosen"), "{err}");
    let (out, _) = run("own", "llava.json");
    assert!(!out.contains("template chat"), "LLaVA's rows keep LLaVA's template: {out}");
    let (_, err) = run("sample:phi-2", "rows.jsonl");
    assert!(err.contains("brings no chat template"), "{err}");
    // Rows without images that chat trainers take too, whatever their layout.
    for (name, row) in [
        (
            "sharegpt",
            json!({"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello."}]}),
        ),
        ("alpaca", json!({"instruction": "Hi", "output": "Hello."})),
        ("swift", json!({"query": "Hi", "response": "Hello.", "history": [["a", "b"]]})),
        (
            "dialog",
            json!({"dialog": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]}),
        ),
    ] {
        std::fs::write(folder.join("other.jsonl"), row.to_string()).expect("written");
        let (out, err) = run("own", "other.jsonl");
        assert!(out.contains("template chat") && err.contains("template chat chosen"), "{name}: {out}{err}");
        let (out, err) = run("sample:phi-2", "other.jsonl");
        assert!(!out.contains("template chat") && !err.contains("chosen: the rows"), "{name}: {out}{err}");
    }
    let pair = json!({"prompt": "Hi", "chosen": "Hello.", "rejected": "Go away."});
    std::fs::write(folder.join("pairs.jsonl"), pair.to_string()).expect("written");
    let (_, err) = run("own", "pairs.jsonl");
    assert!(err.contains("TRL's DPO") && !err.contains("axolotl"), "{err}");
}
