//! The binary on chat templates, strategies and layouts, with an embedded tokenizer.

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value;

const CHATML: &str = "{% for m in messages %}<|im_start|>{{ m.role }}\n\
    {% if m.role == 'assistant' %}{% generation %}{{ m.content }}<|im_end|>{% endgeneration %}\
    {% else %}{{ m.content }}<|im_end|>{% endif %}{{ '\\n' }}{% endfor %}\
    {% if add_generation_prompt %}<|im_start|>assistant\n{% if enable_thinking is false %}<think></think>{% endif %}\
    {% endif %}";

const MESSAGES: &str = r#"{"id": "m", "messages": [{"role": "user", "content": "What is 2+2?"}, {"role": "assistant", "content": "Four."}]}"#;

/// A folder with files, and the binary run on them.
struct Scene {
    folder: tempfile::TempDir,
}

impl Scene {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            std::fs::write(path, text).expect("written");
        }
        Self { folder }
    }

    /// A scene with a template and a conversation.
    fn chat() -> Self {
        Self::new(&[("chatml.jinja", CHATML), ("rows.jsonl", MESSAGES)])
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let mut command = Command::cargo_bin("maskscope").expect("the binary");
        let output = command.current_dir(self.folder.path()).args(arguments).output().expect("runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    /// `inspect --format jsonl` on an embedded tokenizer.
    fn inspect(&self, arguments: &[&str]) -> (Vec<Value>, String) {
        let all = [&["inspect", "-t", "sample:mistral", "--format", "jsonl"][..], arguments].concat();
        let (code, out, err) = self.run(&all);
        assert_eq!(code, Some(0), "{arguments:?}: {err}");
        (out.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect(), err)
    }

    fn failure(&self, arguments: &[&str]) -> String {
        let all = [&["inspect", "-t", "sample:mistral"][..], arguments].concat();
        let (code, out, err) = self.run(&all);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{arguments:?}");
        err
    }
}

fn learned(record: &Value) -> Vec<i64> {
    let labels = record["labels"].as_array().expect("labels");
    labels.iter().filter_map(Value::as_i64).filter(|label| *label != -100).collect()
}

#[test]
fn a_template_file_labels_by_its_tags_and_says_why() {
    let scene = Scene::chat();
    let (records, notes) = scene.inspect(&["-d", "rows.jsonl", "--template", "chatml.jinja"]);
    assert!(notes.contains("hf_generation chosen: the template has {% generation %} tags"), "{notes}");
    assert!(notes.contains("layout OpenAI messages: `messages` is a list"), "{notes}");
    let record = &records[0];
    assert_eq!(
        (&record["template"], &record["preprocess"]),
        (&"chatml.jinja".into(), &"hf_generation".into())
    );
    let prompt = record["prompt"].as_str().expect("a prompt");
    assert!(prompt.ends_with("<|im_start|>assistant\nFour.<|im_end|>\n"), "{prompt}");
    assert!(record["cur_len"].is_null() && record["mismatch"] == false && record["error"].is_null());
    let roles: Vec<&str> =
        record["rounds"].as_array().expect("rounds").iter().filter_map(|r| r["role"].as_str()).collect();
    assert_eq!(roles, ["user", "assistant"]);
    let ends: Vec<&Value> = record["rounds"].as_array().expect("rounds").iter().map(|r| &r["end"]).collect();
    assert_eq!(ends[1], record["input_ids"].as_array().expect("ids").len(), "turns cover the sequence");
    assert!(!learned(record).is_empty());
}

#[test]
fn strategies_differ_and_their_settings_count() {
    let scene = Scene::chat();
    let with = |more: &[&str]| {
        let (records, _) =
            scene.inspect(&[&["-d", "rows.jsonl", "--template", "chatml.jinja"], more].concat());
        learned(&records[0]).len()
    };
    let axolotl = with(&["--preprocess", "axolotl"]);
    assert!(with(&["--preprocess", "oi_prefix"]) > axolotl, "the end of the turn is learned too");
    assert_eq!(with(&["--preprocess", "axolotl", "--strategy-option", "roles_to_train=user"]), {
        let (records, _) =
            scene.inspect(&["-d", "rows.jsonl", "--template", "chatml.jinja", "--preprocess", "render"]);
        assert!(learned(&records[0]).is_empty());
        with(&["--preprocess", "axolotl", "--strategy-option", "train_on_inputs=true"]) - axolotl
    });
    assert_eq!(with(&["--preprocess", "oi_prefix", "--model-max-length", "5"]), 0, "the answer is cut off");
}

#[test]
fn a_processors_path_expands_images_before_it_masks() {
    let row = r#"{"id": "m", "messages": [{"role": "user", "content": "<image> What?"},
        {"role": "assistant", "content": "Four."}]}"#;
    let scene = Scene::new(&[("chatml.jinja", CHATML), ("rows.json", row)]);
    let base = ["-d", "rows.json", "--template", "chatml.jinja", "--preprocess", "hf_generation"];
    let (plain, _) = scene.inspect(&base);
    let options = ["--strategy-option", "image_token=<image>", "--strategy-option", "image_tokens=3"];
    let (expanded, _) = scene.inspect(&[&base[..], &options].concat());
    assert!(expanded[0]["prompt"].as_str().expect("a prompt").contains("<image><image><image> What?"));
    assert_eq!(learned(&expanded[0]), learned(&plain[0]), "the mask moves with the text");
}

#[test]
fn what_inference_sees() {
    let scene = Scene::chat();
    let base = ["-d", "rows.jsonl", "--template", "chatml.jinja"];
    let prompt = |more: &[&str]| {
        let (records, notes) = scene.inspect(&[&base[..], more].concat());
        assert!(notes.contains("strategy render chosen"), "{notes}");
        records[0]["prompt"].as_str().expect("a prompt").to_string()
    };
    let thinking = prompt(&["--add-generation-prompt", "--template-kwargs", "{\"enable_thinking\": false}"]);
    assert!(thinking.ends_with("<|im_start|>assistant\n<think></think>"), "{thinking}");
    assert!(prompt(&["--continue-final-message"]).ends_with("Four."));
    let error =
        scene.failure(&[&base[..], &["--add-generation-prompt", "--preprocess", "oi_prefix"]].concat());
    assert!(error.contains("--preprocess render"), "{error}");
}

#[test]
fn a_records_own_variables_and_tools_count_and_the_clock_stands() {
    let template = "{{ strftime_now('%d %b %Y') }} {{ tools | length if tools else 0 }} {{ mood }}{% for m in messages %}\
                    {{ m.content }}{% endfor %}";
    let rows = r#"{"messages": [{"role": "user", "content": "a"}], "kwargs": {"mood": "glad"}, "tools": [{"name": "f"}]}
{"messages": [{"role": "user", "content": "a"}], "chat_template_kwargs": {"mood": "sad"}}"#;
    let scene = Scene::new(&[("t.jinja", template), ("rows.jsonl", rows)]);
    let arguments = [
        "-d",
        "rows.jsonl",
        "--template",
        "t.jinja",
        "--preprocess",
        "render",
        "--clock",
        "2026-11-23T10:00",
    ];
    let (records, _) = scene.inspect(&arguments);
    let prompts: Vec<&str> = records.iter().filter_map(|r| r["prompt"].as_str()).collect();
    assert_eq!(prompts, ["23 Nov 2026 1 glada", "23 Nov 2026 0 sada"]);
    let (records, _) =
        scene.inspect(&[&arguments[..], &["--template-kwargs", "{\"mood\": \"flat\"}"]].concat());
    assert_eq!(records[0]["prompt"], "23 Nov 2026 1 flata", "a flag wins");
}

#[test]
fn without_a_clock_templates_get_local_time() {
    let scene = Scene::new(&[("t.jinja", "{{ strftime_now('%Y-%m-%d') }}"), ("rows.jsonl", MESSAGES)]);
    // 26 hours apart: never the same day.
    let [east, west] = ["EAST-14", "WEST12"].map(|zone| {
        let mut command = Command::cargo_bin("maskscope").expect("the binary");
        command.current_dir(scene.folder.path()).env("TZ", zone).args(["inspect", "--format", "jsonl"]);
        command.args([
            "-t",
            "sample:mistral",
            "-d",
            "rows.jsonl",
            "--template",
            "t.jinja",
            "--preprocess",
            "render",
        ]);
        let output = command.output().expect("it runs");
        let record: Value = serde_json::from_slice(&output.stdout).expect("one record");
        record["prompt"].as_str().expect("a prompt").to_string()
    });
    assert!(west < east, "{west} {east}");
}

/// A copy of an embedded tokenizer's folder, with templates.
fn tokenizer_with(files: &[(&str, &str)]) -> Scene {
    let scene = Scene::new(files);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/tokenizers/mistral");
    for entry in std::fs::read_dir(source).expect("the sample").flatten() {
        let target = scene.path("tok").join(entry.file_name());
        std::fs::create_dir_all(scene.path("tok")).expect("made");
        if !target.exists() && entry.path().is_file() {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
    scene
}

#[test]
fn the_tokenizers_own_templates_are_found_as_transformers_finds_them() {
    let scene = tokenizer_with(&[
        ("tok/chat_template.jinja", "plain {{ messages[0].content }}"),
        ("tok/additional_chat_templates/tool_use.jinja", "tools {{ messages[0].content }}"),
        ("tok/additional_chat_templates/rag.jinja", "rag {{ messages[0].content }}"),
        (
            "rows.jsonl",
            "{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}]}\n\
             {\"messages\": [{\"role\": \"user\", \"content\": \"a\"}], \"tools\": []}",
        ),
    ]);
    let prompts = |template: &[&str]| {
        let arguments =
            ["inspect", "-t", "tok", "-d", "rows.jsonl", "--preprocess", "render", "--format", "jsonl"];
        let (code, out, err) = scene.run(&[&arguments[..], template].concat());
        assert_eq!(code, Some(0), "{err}");
        let prompt = |line: &str| serde_json::from_str::<Value>(line).expect("JSON")["prompt"].clone();
        out.lines().map(prompt).collect::<Vec<_>>()
    };
    assert_eq!(
        prompts(&["--template", "chat"]),
        ["plain a", "tools a"],
        "an empty list of tools is not none"
    );
    assert_eq!(prompts(&["--template", "chat:rag"]), ["rag a", "rag a"]);
    assert_eq!(prompts(&["--template", "chat", "--chat-template", "rag"]), ["rag a", "rag a"]);
    let (code, _, err) = scene.run(&["inspect", "-t", "tok", "--template", "chat:nope"]);
    assert_eq!(code, Some(2));
    assert!(err.contains("there are default, rag, tool_use"), "{err}");
}

#[test]
fn every_layout_gives_labels() {
    let rows = [
        r#"{"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Yes."}]}"#,
        r#"{"conversations": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes."}]}"#,
        r#"{"instruction": "Hi", "input": "", "output": "Yes."}"#,
        r#"{"prompt": [{"role": "user", "content": "Hi"}], "completion": [{"role": "assistant", "content": "Yes."}]}"#,
        MESSAGES,
    ];
    let scene = Scene::new(&[("chatml.jinja", CHATML), ("rows.jsonl", &rows.join("\n"))]);
    let (records, _) = scene.inspect(&["-d", "rows.jsonl", "--template", "chatml.jinja"]);
    for record in &records[..4] {
        assert_eq!(
            record["prompt"],
            "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nYes.<|im_end|>\n"
        );
        assert!(!learned(record).is_empty(), "{record}");
    }
    assert_eq!(records[3]["preprocess"], "prompt_completion");
    // LLaVA's templates take the same rows.
    let (records, _) = scene.inspect(&["-d", "rows.jsonl", "--template", "v1"]);
    assert!(records.iter().all(|r| r["error"].is_null() && r["mismatch"] == false), "{records:?}");
    let error = scene.failure(&["-d", "rows.jsonl", "--layout", "alpaca"]);
    assert!(error.contains("rows.jsonl, line 1, sample 0: instruction: is not a string"), "{error}");
}

#[test]
fn rows_that_say_themselves_what_is_learned_are_shown_as_they_are() {
    let rows = [
        r#"{"input_ids": [1, 5, 9, -200], "labels": [-100, -100, 9, -100]}"#,
        r#"{"segments": [{"text": "Q: Hi\nA:", "label": false}, {"text": " Yes.", "label": true}]}"#,
        r#"{"text": "All of it"}"#,
        r#"{"prompt": "Q: Hi\nA:", "completion": " Yes."}"#,
    ];
    let scene = Scene::new(&[("rows.jsonl", &rows.join("\n"))]);
    for template in ["v1", "auto"] {
        let (records, _) = scene.inspect(&["-d", "rows.jsonl", "--template", template]);
        assert_eq!(records[0]["labels"], serde_json::json!([-100, -100, 9, -100]));
        let names: Vec<&str> = records.iter().filter_map(|r| r["preprocess"].as_str()).collect();
        assert_eq!(names, ["pretokenised", "segments", "text", "prompt_completion"]);
        assert_eq!(records[1]["prompt"], "Q: Hi\nA: Yes.");
        let ids = records[2]["input_ids"].as_array().expect("ids");
        assert_eq!(learned(&records[2]).len(), ids.len(), "a text is learned whole");
        assert_eq!(records[3]["prompt"], "Q: Hi\nA: Yes.</s>");
        assert!(learned(&records[3]).len() < records[3]["input_ids"].as_array().expect("ids").len());
    }
}

#[test]
fn what_cannot_be_done_is_said() {
    let scene = Scene::chat();
    let error = scene.failure(&["-d", "rows.jsonl", "--template", "v1", "--preprocess", "unsloth"]);
    assert!(error.contains("take --template chat, or a .jinja file"), "{error}");
    let error = scene.failure(&["-d", "rows.jsonl", "--template", "chatml.jinja", "--preprocess", "phi"]);
    assert!(error.contains("the rule phi works on LLaVA's templates"), "{error}");
    let error = scene.failure(&["-d", "rows.jsonl", "--template", "none.jinja"]);
    assert!(error.contains("none.jinja"), "{error}");
    let error =
        scene.failure(&["-d", "rows.jsonl", "--template", "chatml.jinja", "--strategy-option", "x=1"]);
    assert!(error.contains("unknown strategy option \"x\"") && error.contains("response_part"), "{error}");
    std::fs::write(scene.path("broken.jinja"), "a\n{% if %}").expect("written");
    let error = scene.failure(&["-d", "rows.jsonl", "--template", "broken.jinja"]);
    assert!(error.contains("broken.jinja, line 2"), "{error}");
    std::fs::write(
        scene.path("loop.jinja"),
        "{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}",
    )
    .expect("written");
    let (records, _) = scene.inspect(&["-d", "rows.jsonl", "--template", "loop.jinja"]);
    assert_eq!(records[0]["error"]["type"], "TemplateLimit");
    assert!(records[0]["error"]["message"].as_str().expect("why").contains("line 1"));
    let error = scene.failure(&["-d", "rows.jsonl", "--template", "chat"]);
    assert!(error.contains("--template FILE"), "{error}");
}

#[test]
fn all_strategies_stand_side_by_side() {
    let scene = Scene::chat();
    let run = |form: &str| {
        let arguments =
            ["strategies", "-t", "sample:mistral", "-d", "rows.jsonl", "--template", "chatml.jinja"];
        let (code, out, err) = scene.run(&[&arguments[..], &["--format", form]].concat());
        assert_eq!(code, Some(0), "{err}");
        out
    };
    let all: Value = serde_json::from_str(&run("json")).expect("JSON");
    let strategies = all[0]["strategies"].as_array().expect("strategies");
    let named = |name: &str| strategies.iter().find(|s| s["name"] == name).expect("listed");
    assert!(named("hf_generation")["supervised"].as_u64() > named("axolotl_turn")["supervised"].as_u64());
    assert!(named("preprocess_qwen")["unfit"].as_str().is_some_and(|why| why.contains("<|im_start|>")));
    assert!(strategies.iter().all(|s| s["name"] != "render"));
    let differences = all[0]["differences"].as_array().expect("differences");
    let apart = |run: &&Value| {
        let lists = |key: &str, name: &str| run[key].as_array().is_some_and(|all| all.contains(&name.into()));
        lists("learned_by", "hf_generation") && lists("masked_by", "axolotl_turn")
    };
    assert!(differences.iter().any(|run| apart(&run)), "{differences:?}");
    let text = run("text");
    assert!(text.contains("hf_generation") && text.contains("places where they differ"), "{text}");
    let (code, _, err) = scene.run(&["strategies", "-d", "rows.jsonl", "--template", "v1"]);
    assert_eq!(code, Some(2));
    assert!(err.contains("strategies work on chat templates"), "{err}");
}

#[test]
fn images_are_followed_from_placeholder_to_tokens() {
    let config = r#"{"processor_class": "LlavaProcessor", "patch_size": 14, "vision_feature_select_strategy": "default",
        "num_additional_image_tokens": 1}"#;
    let scene = tokenizer_with(&[
        ("tok/processor_config.json", config),
        ("tok/preprocessor_config.json", r#"{"crop_size": {"height": 336, "width": 336}}"#),
        (
            "rows.json",
            r#"[{"id": "i", "image": "a.jpg", "conversations": [{"from": "human", "value": "<image>\nHi"},
                {"from": "gpt", "value": "Yes."}]}]"#,
        ),
    ]);
    let arguments = ["images", "-t", "tok", "--image-size", "640x480", "-d", "rows.json", "--template", "v1"];
    let (code, out, err) =
        scene.run(&[&arguments[..], &["--model-max-length", "500", "--format", "json"]].concat());
    assert_eq!(code, Some(0), "{err}");
    let report: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(
        (&report["placeholder"], &report["sizes"][0]["image_tokens"]),
        (&"<image>".into(), &576.into())
    );
    let sample = &report["samples"][0];
    let number = |key: &str| sample[key].as_u64().expect("a number");
    assert_eq!(number("expanded"), number("written") + 575);
    assert_eq!((number("left"), &sample["images"][0]["learned"]), (500, &false.into()));
    let (_, text, _) = scene.run(&arguments);
    assert!(
        text.contains("640") && text.contains("576 image tokens") && text.contains("→ 576 tokens"),
        "{text}"
    );
    let (code, _, err) = scene.run(&["images", "-t", "sample:mistral", "--image-size", "640x480"]);
    assert_eq!(code, Some(2));
    assert!(err.contains("preprocessor_config.json"), "{err}");
    let (code, _, err) = scene.run(&["images", "-t", "tok", "--image-size", "big"]);
    assert_eq!(code, Some(2));
    assert!(err.contains("WIDTHxHEIGHT"), "{err}");
}
