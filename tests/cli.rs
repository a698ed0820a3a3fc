//! The binary without a screen: formats, exit statuses, error messages.

use assert_cmd::Command;
use serde_json::Value;

const GOLDEN: &str = "tests/golden/conversations.json";

fn maskscope(arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("maskscope").expect("the binary");
    command.current_dir(env!("CARGO_MANIFEST_DIR")).env_remove("NO_COLOR").args(arguments);
    command
}

fn stdout(arguments: &[&str]) -> String {
    let output = maskscope(arguments).output().expect("runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn failure(arguments: &[&str]) -> String {
    let output = maskscope(arguments).output().expect("runs");
    assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    assert!(output.stdout.is_empty(), "an error prints nothing on stdout");
    String::from_utf8(output.stderr).expect("UTF-8")
}

fn records(jsonl: &str) -> Vec<Value> {
    jsonl.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
}

#[test]
fn inspect_gives_one_line_a_sample_in_input_order_with_the_contracts_keys() {
    let records = records(&stdout(&["inspect", "-d", GOLDEN, "--format", "jsonl"]));
    assert_eq!(records.len(), 42);
    assert_eq!(records[6]["id"], "pub-006");
    let keys: Vec<&str> = records[0].as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "id",
        "template",
        "preprocess",
        "prompt",
        "input_ids",
        "labels",
        "cur_len",
        "total_len",
        "mismatch",
        "rounds",
        "warning",
        "error",
        "status",
        "truncated",
    ];
    assert_eq!(keys, expected);
    assert_eq!(records[0]["rounds"][0]["end"], records[0]["cur_len"]);
    // pub-013 begins with a system turn, which the code does not know.
    assert_eq!(records[13]["error"]["type"], "KeyError");
    assert!(records[13]["input_ids"].is_null() && records[13]["mismatch"].is_null());
    let array: Value = serde_json::from_str(&stdout(&["inspect", "-d", GOLDEN, "--format", "json"])).unwrap();
    assert_eq!(array.as_array().unwrap(), &records);
}

#[test]
fn the_acceptance_line_without_a_recipe_equals_the_recipe() {
    let by_hand = ["inspect", "-d", GOLDEN, "--template", "phi", "--recipe", "none", "--unk", "<|extra_0|>"];
    let by_hand =
        [&by_hand[..], &["--pad", "unk", "--model-max-length", "2048", "--format", "jsonl"]].concat();
    assert_eq!(stdout(&by_hand), stdout(&["inspect", "-d", GOLDEN, "--recipe", "phi", "--format", "jsonl"]));
}

#[test]
fn check_turns_findings_into_exit_status_one() {
    let good = ["inspect", "--check", "-d", "samples/conversations/01-three-rounds.json"];
    maskscope(&good).assert().code(0);
    maskscope(&[&good[..], &["--recipe", "none", "--pad", "unk"]].concat()).assert().code(1);
    maskscope(&["inspect", "--check", "-d", "samples/conversations/13-wrong-role.json"]).assert().code(1);
}

#[test]
fn requests_that_cannot_be_carried_out_exit_with_two_and_say_what_to_do() {
    assert!(failure(&["inspect", "--template", "nope"]).contains("known are default, v0, v1"));
    assert!(failure(&["inspect", "--preprocess", "nope"]).contains("doc_qwen_phi"));
    assert!(failure(&["inspect", "--recipe", "nope"]).contains("stablelm"));
    assert!(failure(&["inspect", "-t", "sample:nope"]).contains("mistral"));
    assert!(failure(&["inspect", "--transformers", "3.0"]).contains("4.31, 4.37, 4.57, 5"));
    assert!(failure(&["inspect", "-d", "no/such/file.json"]).contains("no/such/file.json"));
    assert!(failure(&["frame", "--size", "9999x1"]).contains("WIDTHxHEIGHT"));
    assert!(failure(&["keys", "--format", "ansi"]).contains("has no format ansi"));
    let refused = failure(&["special", "-t", "sample:stablelm-2", "--recipe", "none", "--unk", "<new>"]);
    assert!(
        refused
            .contains("Arcade100kTokenizer refuses to add \"<new>\": its list of special tokens is closed")
    );
}

#[test]
fn data_comes_from_stdin_too() {
    let json = std::fs::read("samples/conversations/02-one-round.json").expect("the sample");
    let output =
        maskscope(&["inspect", "-d", "-", "--format", "jsonl"]).write_stdin(json).output().expect("runs");
    assert_eq!(records(&String::from_utf8_lossy(&output.stdout))[0]["id"], "one-round");
}

#[test]
fn encode_answers_line_by_line() {
    let lines = "\"This is first sentence\"\n\n{\"text\": \"Test\"}\n";
    let arguments = ["encode", "-t", "sample:mistral", "--format", "jsonl"];
    let output = maskscope(&arguments).write_stdin(lines).output().expect("runs");
    let records = records(&String::from_utf8_lossy(&output.stdout));
    assert_eq!(records.len(), 2);
    assert_eq!(records[1]["tokens"], serde_json::json!(["<s>", "▁Test"]));
    assert!(records[0]["offsets"].is_null(), "slow classes give no offsets");
    let bare = [&arguments[..], &["--add-special-tokens", "false"]].concat();
    let output = maskscope(&bare).write_stdin(lines).output().expect("runs");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("<s>"));
    let output = maskscope(&arguments).write_stdin("\"good\"\n{bad\n").output().expect("runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("standard input, line 2"));
}

#[test]
fn special_tells_what_overrides_change() {
    let json: Value = serde_json::from_str(&stdout(&["special", "--format", "json"])).unwrap();
    assert_eq!(json["class"], "CodeGenTokenizer");
    assert_eq!((&json["vocab_size"], &json["len"]), (&50257.into(), &50296.into()));
    let unk = &json["overrides"][0];
    assert_eq!((&unk["role"], &unk["id"], &unk["new"]), (&"unk".into(), &50295.into(), &true.into()));
    let json: Value =
        serde_json::from_str(&stdout(&["special", "-t", "sample:qwen", "--format", "json"])).unwrap();
    assert_eq!(json["overrides"][0]["new"], false);
    assert_eq!(json["len"], 151_851);
    let text = stdout(&["special", "-t", "sample:mistral", "--recipe", "none", "--format", "json"]);
    assert!(
        text.contains("\"model_max_length\": 1000000000000000019884624838656"),
        "Python's integer, exactly"
    );
}

#[test]
fn nothing_that_steers_a_terminal_is_printed() {
    for sample in ["sample:phi-2", "sample:mistral", "sample:qwen"] {
        for format in ["text", "json", "jsonl"] {
            let arguments = ["inspect", "-t", sample, "--format", format, "--color", "never"];
            let bad = |c: &char| {
                let steers = [('\u{200b}', '\u{200f}'), ('\u{2028}', '\u{202e}'), ('\u{2060}', '\u{206f}')];
                let steers = steers.iter().any(|(from, to)| (from..=to).contains(&c));
                (c.is_control() && *c != '\n') || steers || *c == '\u{ad}'
            };
            assert_eq!(stdout(&arguments).chars().find(bad), None, "{sample} {format}");
        }
    }
    let hostile = failure(&["inspect", "-t", "x\u{1b}]0;owned\u{7}y"]);
    assert!(!hostile.contains('\u{1b}') && hostile.contains("owned"));
    // The argument parser quotes what it refuses.
    let hostile = failure(&["inspect", "--format", "\u{9b}31m\u{202e}X"]);
    assert!(!hostile.contains(['\u{9b}', '\u{202e}']) && hostile.contains("31m"), "{hostile}");
}

#[test]
fn a_closed_pipe_ends_quietly() {
    use std::io::Read;
    let binary = assert_cmd::cargo::cargo_bin("maskscope");
    let mut child = std::process::Command::new(binary)
        .args(["inspect", "--format", "jsonl"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("starts");
    drop(child.stdout.take());
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert!(child.wait().unwrap().success(), "{stderr}");
    assert!(!stderr.contains("error"), "{stderr}");
}

#[test]
fn lists_are_there_in_text_and_json() {
    assert!(stdout(&["templates"]).contains("v0_mmtag") && stdout(&["templates"]).contains("doc_stablelm"));
    let samples: Value = serde_json::from_str(&stdout(&["samples", "--format", "json"])).unwrap();
    assert_eq!(samples["tokenizers"].as_array().unwrap().len(), 4);
    assert_eq!(samples["conversations"].as_array().unwrap().len(), 14);
}

#[test]
fn a_frame_is_printed_with_and_without_colours() {
    let plain = stdout(&["frame", "--size", "80x24"]);
    assert!(plain.contains("all labels are −100") && !plain.contains('\u{1b}'));
    assert_eq!(plain.lines().count(), 24);
    let colours = |arguments: &[&str]| {
        let all = [&["frame", "--size", "80x24", "--format", "ansi"], arguments].concat();
        stdout(&all).contains("38;2;")
    };
    assert!(colours(&[]) && !colours(&["--color", "never"]));
    let output = maskscope(&["frame", "--format", "ansi"]).env("NO_COLOR", "1").output().expect("runs");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("38;2;"));
    let fixed = stdout(&["frame", "--keys", "f"]);
    assert!(fixed.contains("✓ cur_len 99 = total_len 99"), "{fixed}");
}

#[test]
fn doctor_names_the_cause_and_tries_the_fix() {
    let output = maskscope(&["doctor", "--recipe", "none", "--pad", "unk", "--format", "json"])
        .output()
        .expect("runs");
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let finding =
        report["findings"].as_array().unwrap().iter().find(|f| f["id"] == "MSK006").expect("MSK006");
    assert_eq!(finding["verdict"], "error");
    assert!(finding["fix"]["effect"]["repaired"].as_u64().unwrap() > 0);
    let sarif = maskscope(&["doctor", "--recipe", "none", "--pad", "unk", "--format", "sarif"])
        .output()
        .expect("runs");
    let sarif: Value = serde_json::from_slice(&sarif.stdout).expect("SARIF is JSON");
    assert_eq!(sarif["version"], "2.1.0");
    maskscope(&["doctor", "-d", "samples/conversations/01-three-rounds.json"]).assert().code(0);
}

#[test]
fn the_patch_holds_the_function_and_the_right_start() {
    let patch = stdout(&["patch", "-t", "sample:phi-2", "--name", "phi"]);
    assert!(patch.contains("def preprocess_phi(") && patch.contains("cur_len = 0"), "{patch}");
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("patch");
    stdout(&["patch", "-t", "sample:qwen", "--name", "qwen", "--out", out.to_str().unwrap()]);
    assert!(std::fs::read_to_string(out.join("preprocess.py")).unwrap().contains("def preprocess_qwen("));
    let report = stdout(&["onboard", "-t", "sample:stablelm-2", "--recipe", "none"]);
    assert!(report.contains("cannot add tokens"), "{report}");
}

#[test]
fn a_patch_of_a_set_up_that_loses_everything_is_a_finding() {
    let lost = [
        "patch",
        "-t",
        "sample:phi-2",
        "--recipe",
        "none",
        "--template",
        "phi",
        "--pad",
        "eos",
        "--name",
        "mine",
    ];
    let (code, stdout, stderr) = run(&lost);
    assert!(code == 1 && stdout.contains("def preprocess_mine("), "{code} {stderr}");
    assert!(stderr.contains("labels nothing in plain conversations"), "{stderr}");
    let (code, _, _) = run(&["patch", "-t", "sample:phi-2", "--name", "mine"]);
    assert_eq!(code, 0);
}

#[test]
fn moe_route_shows_the_samples_experts() {
    let one = "samples/conversations/02-one-round.json";
    let records = records(&stdout(&["moe", "route", "-d", one, "--format", "jsonl"]));
    assert_eq!((records.len(), records[0]["layers"].as_array().unwrap().len()), (1, 4));
    let rows = records[0]["tokens"].as_array().unwrap().len();
    assert_eq!(records[0]["layers"][0]["experts"].as_array().unwrap().len(), rows);
    assert!(records[0]["supervised"].as_array().unwrap().iter().any(|s| s == true));
    let text = stdout(&["moe", "route", "-d", one]);
    assert!(text.contains("says nothing about your own model") && text.contains("supervised"), "{text}");
    assert!(failure(&["moe", "route", "--moe-sample", "nope"]).contains("byte-moe"));
    assert!(
        failure(&["moe", "route", "--device", "tpu", "-d", one])
            .contains("auto, cpu, cuda[:N], metal, gpu[:N]")
    );
}

#[test]
fn moe_route_takes_ids_with_images_and_shared_options_anywhere() {
    let folder = tempfile::tempdir().unwrap();
    let ids = folder.path().join("ids.json");
    std::fs::write(&ids, "[[5, -200, 6], [7]]").unwrap();
    let ids = ids.to_str().unwrap();
    let route = ["--device", "cpu", "--image-tokens", "4", "moe", "route", "--moe-sample", "seeded:llama"];
    let records = records(&stdout(&[&route[..], &["--ids", ids, "--format", "jsonl"]].concat()));
    let modality = |n: usize| records[n]["modality"].clone();
    assert_eq!(modality(0), serde_json::json!(["text", "image", "image", "image", "image", "text"]));
    assert_eq!(
        (modality(1), &records[1]["tokens"]),
        (serde_json::json!(["text"]), &serde_json::json!(["7"]))
    );
    std::fs::write(ids, "[[5, -7]]").unwrap();
    assert!(failure(&[&route[..], &["--ids", ids]].concat()).contains("-7"));
}

#[test]
fn moe_route_writes_no_dump_over_what_it_reads() {
    use maskscope::moe::checkpoint::{TensorSource, write_safetensors};
    let folder = tempfile::tempdir().unwrap();
    let (config, weights) = maskscope::moe::seeded::seeded("llama", 64, 1).unwrap();
    std::fs::write(folder.path().join("config.json"), serde_json::to_string(config.keys()).unwrap()).unwrap();
    let tensor = |name: &str| {
        let shape = weights.info(name).unwrap().shape.clone();
        (name.to_string(), TensorSource::F32 { values: weights.f32(name, &shape).unwrap(), shape })
    };
    let tensors: Vec<_> = weights.names().map(tensor).collect();
    let file = folder.path().join("model.safetensors");
    write_safetensors(&file, &tensors).unwrap();
    let before = std::fs::read(&file).unwrap();
    let outside = tempfile::tempdir().unwrap();
    let ids = outside.path().join("ids.json");
    std::fs::write(&ids, "[[1, 2, 3]]").unwrap();
    let (ids, model) = (ids.to_str().unwrap(), folder.path().to_str().unwrap());
    let route = ["moe", "route", "--checkpoint", model, "--ids", ids, "--format", "jsonl", "--dump"];
    for dump in [file.to_str().unwrap(), ids] {
        assert!(failure(&[&route[..], &[dump]].concat()).contains("it would be overwritten"), "{dump}");
    }
    assert!(std::fs::read(&file).unwrap() == before);
    let dump = outside.path().join("dump.safetensors");
    stdout(&[&route[..], &[dump.to_str().unwrap()]].concat());
    assert!(dump.exists());
}

#[test]
fn the_byte_model_reads_what_training_sees() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("long.json");
    let text = "word ".repeat(40_000);
    let row = serde_json::json!([{"id": "long", "conversations": [
        {"from": "human", "value": text}, {"from": "gpt", "value": "yes"}]}]);
    std::fs::write(&data, row.to_string()).unwrap();
    let data = data.to_str().unwrap();
    let cut =
        records(&stdout(&["moe", "route", "-d", data, "--model-max-length", "60", "--format", "jsonl"]));
    let rows = cut[0]["tokens"].as_array().unwrap().len();
    assert!((200..400).contains(&rows), "{rows} bytes in 60 tokens");
    let output = maskscope(&["moe", "route", "-d", data, "--model-max-length", "100000"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("long left out: the prompt has 200"), "{said}");
}

#[test]
fn moe_route_converts_a_seeded_model_of_every_backbone() {
    let one = "samples/conversations/02-one-round.json";
    for name in maskscope::moe::seeded::SEEDED {
        let model = format!("seeded:{name}");
        let arguments =
            ["moe", "route", "--moe-sample", &model, "-d", one, "--image-tokens", "9", "--format", "jsonl"];
        let more = [
            "--capacity-factor",
            "1",
            "--eval-capacity-factor",
            "0.5",
            "--num-experts",
            "3",
            "--moe-mode",
            "dense",
        ];
        let records = records(&stdout(&[&arguments[..], &more].concat()));
        let layers = records[0]["layers"].as_array().unwrap();
        assert_eq!((layers.len(), &layers[0]["num_experts"]), (4, &Value::from(3)), "{name}");
        let dropped = layers.iter().flat_map(|l| l["dropped"].as_array().unwrap());
        assert!(dropped.flat_map(|d| d.as_array().unwrap()).any(|d| *d == true), "{name}: half of the room");
    }
    let text = stdout(&["moe", "route", "--checkpoint", "seeded:phi", "-d", one]);
    assert!(text.contains("random weights"), "{text}");
    assert!(failure(&["moe", "route", "--moe-sample", "seeded:gpt"]).contains("minicpm"));
}

#[test]
fn a_hub_checkpoint_needs_only_the_shards_of_the_layers_asked_for() {
    use maskscope::moe::checkpoint::{TensorSource, layer_of, write_safetensors};
    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
    let cache = tempfile::tempdir().expect("a folder");
    let repo = cache.path().join("models--acme--tiny");
    let snapshot = repo.join("snapshots").join(COMMIT);
    std::fs::create_dir_all(&snapshot).unwrap();
    std::fs::create_dir_all(repo.join("refs")).unwrap();
    std::fs::write(repo.join("refs/main"), COMMIT).unwrap();
    // Two shards, of which the second, with the later layers, is not in the cache.
    let (config, weights) = maskscope::moe::seeded::seeded("llama", 64, 1).unwrap();
    std::fs::write(snapshot.join("config.json"), serde_json::to_string(config.keys()).unwrap()).unwrap();
    let early = |name: &&str| layer_of(name).is_none_or(|layer| layer < 2);
    let shard = |name: &str| if early(&name) { "a.safetensors" } else { "b.safetensors" };
    let map: serde_json::Map<String, Value> = weights.names().map(|n| (n.into(), shard(n).into())).collect();
    let index = serde_json::json!({ "weight_map": map });
    std::fs::write(snapshot.join("model.safetensors.index.json"), index.to_string()).unwrap();
    let tensor = |name: &str| {
        let shape = weights.info(name).unwrap().shape.clone();
        (name.to_string(), TensorSource::F32 { values: weights.f32(name, &shape).unwrap(), shape })
    };
    let tensors: Vec<_> = weights.names().filter(early).map(tensor).collect();
    write_safetensors(&snapshot.join("a.safetensors"), &tensors).unwrap();
    let ids = cache.path().join("ids.json");
    std::fs::write(&ids, "[[1, 2, 3]]").unwrap();

    let cache_dir = cache.path().to_str().unwrap();
    let common = ["moe", "route", "--checkpoint", "acme/tiny", "--offline", "--cache-dir", cache_dir];
    let ids = ["--ids", ids.to_str().unwrap(), "--format", "jsonl"];
    let first = records(&stdout(&[&common[..], &ids, &["--layers", "0..2"]].concat()));
    assert_eq!(first[0]["layers"].as_array().unwrap().len(), 1, "sparse: layer 0 of 0 and 1");
    let whole = failure(&[&common[..], &ids].concat());
    assert!(whole.contains("acme/tiny") && whole.contains("cache"), "{whole}");
}

#[test]
fn a_hub_id_offline_without_a_copy_says_what_to_do() {
    let cache = tempfile::tempdir().expect("a folder");
    let message =
        failure(&["special", "-t", "acme/none", "--offline", "--cache-dir", cache.path().to_str().unwrap()]);
    assert!(message.contains("acme/none"), "{message}");
}

/// Exit status, standard output, standard error.
fn run(arguments: &[&str]) -> (i32, String, String) {
    let output = maskscope(arguments).output().expect("runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code().expect("a status"), text(output.stdout), text(output.stderr))
}

#[test]
fn compare_needs_two_sides_and_says_where_they_differ() {
    let (code, _, stderr) = run(&["compare", "-t", "sample:phi-2"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("compare needs two sides"), "{stderr}");
    let (code, _, stderr) = run(&["special", "-t", "sample:phi-2", "-t", "sample:mistral"]);
    assert_eq!(code, 2, "only compare takes two");
    assert!(stderr.contains("--tokenizer is given 2 times"), "{stderr}");
    let same = ["compare", "-t", "sample:phi-2", "-t", "sample:phi-2", "--format", "jsonl"];
    let (code, stdout, _) = run(&same);
    assert_eq!(code, 0);
    assert!(stdout.lines().all(|line| line.contains("\"alike\":true")), "{stdout}");
    let two = ["compare", "-t", "sample:mistral", "--loader", "slow", "--loader", "fast", "--format", "json"];
    let (code, stdout, _) = run(&two);
    assert_eq!(code, 1);
    let report: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    let sum = |key: &str| report["totals"][key].as_u64().expect("a count");
    assert_eq!(sum("samples"), 14);
    assert!(sum("alike") < 14 && sum("tokens_differ") > 0 && sum("labels_differ") == 0, "{report}");
}

#[test]
fn shards_of_a_scan_add_up_to_the_scan_of_the_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data.jsonl");
    let turn = |n: usize| {
        let answer = if n.is_multiple_of(5) { "" } else { "Yes, it is." };
        format!(
            r#"{{"id": "s{n}", "from": "{}", "conversations": [{{"from": "human", "value": "Is it {n}?"}}, {{"from": "gpt", "value": "{answer}"}}]}}"#,
            n % 3
        )
    };
    let mut lines: Vec<String> = (0..50).map(turn).collect();
    lines.insert(7, "oops".to_string());
    lines.insert(8, r#"{"id": "no turns"}"#.to_string());
    std::fs::write(&data, lines.join("\n")).expect("written");
    let path = data.to_str().expect("UTF-8");
    let (bad, good) = (folder.path().join("bad.txt"), folder.path().join("good.jsonl"));
    let scan = |more: &[&str]| {
        let all = [&["scan", "-t", "sample:phi-2", path, "--source-key", "from", "--format", "json"], more]
            .concat();
        run(&all)
    };
    let files = ["--bad-ids", bad.to_str().expect("UTF-8"), "--write-good", good.to_str().expect("UTF-8")];
    let (code, whole, _) = scan(&files);
    assert_eq!(code, 1);
    let report: serde_json::Value = serde_json::from_str(&whole).expect("JSON");
    assert_eq!(report["samples"], 50);
    assert_eq!(report["by_state"]["mismatch"], 10, "the empty answers");
    assert_eq!(report["by_cause"]["MSK002"]["samples"], 10);
    assert_eq!(report["by_source"].as_object().map(|o| o.len()), Some(3));
    assert_eq!(report["bad_records"], 2, "{}", report["bad"]);
    assert_eq!(report["bad"][0]["line"], 8);
    assert_eq!(std::fs::read_to_string(&bad).expect("written").lines().count(), 10);
    assert_eq!(std::fs::read_to_string(&good).expect("written").lines().count(), 40);
    let parts: Vec<String> = (1..=3)
        .map(|n| {
            let (_, part, _) = scan(&["--shard", &format!("{n}/3")]);
            let file = folder.path().join(format!("{n}.json"));
            std::fs::write(&file, part).expect("written");
            file.to_str().expect("UTF-8").to_string()
        })
        .collect();
    let merge: Vec<&str> = ["scan", "merge"]
        .into_iter()
        .chain(parts.iter().map(String::as_str))
        .chain(["--format", "json"])
        .collect();
    let (_, merged, _) = run(&merge);
    assert_eq!(merged, whole, "byte for byte");
}

#[test]
fn a_scan_reads_what_other_readers_refuse_and_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.to_str().expect("UTF-8").to_string()
    };
    let row = |end: &str| {
        format!(
            r#"{{"conversations": [{{"from": "human", "value": "Is it?"}}, {{"from": "gpt", "value": "Yes, it is."}}]{end}}}"#
        )
    };
    let scan = |file: &str| {
        let (code, stdout, stderr) = run(&["scan", "-t", "sample:phi-2", file, "--format", "json"]);
        let report: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
        let notes: Vec<String> =
            stderr.lines().filter(|line| line.contains("refuse")).map(str::to_string).collect();
        (code, report["samples"].clone(), report["bad_records"].clone(), notes)
    };
    let (code, samples, bad, notes) = scan(&file("plain.jsonl", &format!("{}\n{}\n", row(""), row(""))));
    assert_eq!((code, samples, bad, notes.len()), (0, 2.into(), 0.into(), 0));
    let (code, samples, bad, notes) = scan(&file("commas.jsonl", &format!("{}\n{}\n", row(","), row(""))));
    assert_eq!((code, samples, bad), (0, 2.into(), 0.into()));
    assert!(
        matches!(notes.as_slice(), [note] if note.contains("commas before closing brackets")),
        "{notes:?}"
    );
    let (code, _, _, notes) = scan(&file("lines.json", &format!("\u{feff}{}\n{}\n", row(""), row(""))));
    assert_eq!(code, 0);
    assert!(notes[0].contains("byte order mark") && notes[1].contains("under the name .json"), "{notes:?}");
    let (_, samples, _, notes) = scan(&file("long.jsonl", &row("").replace("}, {", "},\n {")));
    assert_eq!(samples, 1);
    assert!(notes[0].contains("records over several lines"), "{notes:?}");
}

#[test]
fn a_search_does_not_call_samples_sound_that_had_no_say_in_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("empty-answer.json");
    let turns = r#"[{"from": "human", "value": "hi"}, {"from": "gpt", "value": ""}]"#;
    std::fs::write(&data, format!(r#"[{{"id": "a", "conversations": {turns}}}]"#)).expect("written");
    let data = data.display().to_string();
    let output = maskscope(&["doctor", "--fix-search", "-d", &data]).output().expect("runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("0 samples match") && text.contains("1 samples stay wrong"), "{text}");
    assert!(failure(&["doctor", "--fix-search", "--format", "sarif"]).contains("sarif"));
}

#[test]
fn options_that_would_change_nothing_are_refused_and_what_is_offered_works() {
    for option in [["--top-k", "1"], ["--moe-weights", "/nope"], ["--eval-capacity-factor", "1"]] {
        let stderr = failure(&[&["moe", "route"], option.as_slice()].concat());
        assert!(stderr.contains(option[0]) && stderr.contains("MoE model already"), "{stderr}");
    }
    let sides = ["compare", "-t", "sample:mistral", "--legacy", "true", "--legacy", "false"];
    let output = maskscope(&sides).output().expect("runs");
    assert!(matches!(output.status.code(), Some(0 | 1)), "{}", String::from_utf8_lossy(&output.stderr));
}

#[cfg(unix)]
#[test]
fn what_is_neither_file_nor_folder_is_not_looked_for_on_the_hub() {
    let stderr = failure(&["special", "-t", "/dev/null"]);
    assert!(stderr.contains("neither a file nor a folder"), "{stderr}");
}

#[test]
fn numbers_of_ones_own_change_the_count() {
    let phi = ["inspect", "-t", "sample:phi-2", "--preprocess", "phi", "--check"];
    let line = |more: &[&str]| {
        let (_, stdout, stderr) = run(&[&phi, more].concat());
        stdout.lines().last().unwrap_or(&stderr).to_string()
    };
    let sound = line(&[]);
    // Each number off by one loses every sample whose lengths are compared.
    for off in [["--start", "1"], ["--round", "0"]] {
        assert_ne!(line(&off), sound, "{off:?}");
    }
    assert_eq!(
        line(&["--start", "0", "--round", "1", "--instruction", "-1"]),
        sound,
        "the rule's own numbers"
    );
    assert_ne!(line(&["--sep2", "</s>"]), sound, "another separator");
    let (code, _, stderr) = run(&["inspect", "-t", "sample:phi-2", "--start", "1"]);
    assert!(code == 2 && stderr.contains("name one with --preprocess"), "{stderr}");
    let (code, _, stderr) = run(&["inspect", "--repo", ".", "--version", "v1", "--template", "phi"]);
    assert!(code == 2 && stderr.contains("leave the one or the other out"), "{stderr}");
}

#[test]
fn plain_lines_are_texts_and_what_begins_as_json_is_json() {
    let arguments = ["encode", "-t", "sample:mistral", "--format", "jsonl"];
    let texts = |input: &str| -> Vec<Value> {
        let output = maskscope(&arguments).write_stdin(input).output().expect("runs");
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        let records = records(&String::from_utf8_lossy(&output.stdout));
        records.iter().map(|record| record["text"].clone()).collect()
    };
    assert_eq!(texts("Hello world\r\n  two  \n42\n[1]\n"), ["Hello world", "  two  ", "42", "[1]"]);
    assert_eq!(texts("\"a\\nb\"\n{\"text\": \"c\"}\nlast"), ["a\nb", "c", "last"]);
    let broken = maskscope(&arguments).write_stdin("plain\n\"open\n").output().expect("runs");
    assert_eq!(broken.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&broken.stderr).contains("standard input, line 2"));
}

/// The exit status and what stood on stderr.
fn refused(arguments: &[&str]) -> (Option<i32>, String) {
    let output = maskscope(arguments).write_stdin("").output().expect("runs");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_word_that_is_no_key_and_a_scan_of_nothing_are_errors() {
    let (code, said) = refused(&["frame", "--keys", "n zzz"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("\"zzz\" is no key") && said.contains("maskscope keys"), "{said}");
    // A list is open: the word is typed.
    let typed = stdout(&["frame", "--keys", "t mistral"]);
    assert!(typed.contains("sample:mistral"), "{typed}");
    let folder = tempfile::tempdir().expect("a folder");
    let empty = folder.path().join("empty.jsonl");
    std::fs::write(&empty, "").expect("written");
    let none = folder.path().join("none.json");
    std::fs::write(&none, "[]").expect("written");
    for file in [empty.to_str().unwrap(), none.to_str().unwrap(), "-"] {
        let (code, said) = refused(&["scan", file]);
        assert_eq!(code, Some(2), "{file}");
        assert!(said.contains("there is no record in") && said.contains(file), "{said}");
    }
    let pattern = folder.path().join("x*.json");
    let (code, said) = refused(&["scan", pattern.to_str().unwrap()]);
    assert_eq!((code, said.contains("no file matches")), (Some(2), true), "{said}");
}

#[test]
fn shells_and_man_get_their_files() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(stdout(&["completions", shell]).contains("model-max-length"), "{shell}");
    }
    assert!(stdout(&["man"]).contains(".SH EXAMPLES"));
    let folder = tempfile::tempdir().expect("a folder");
    let pages = folder.path().join("man1");
    let (code, said) = refused(&["man", pages.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{said}");
    assert!(pages.join("maskscope.1").is_file() && pages.join("maskscope-moe-convert.1").is_file());
    let file = pages.join("maskscope.1");
    let (code, said) = refused(&["man", file.to_str().unwrap()]);
    assert_eq!(code, Some(2));
    assert!(said.contains("cannot write"), "{said}");
}

#[test]
fn help_is_short_and_says_where_the_rest_is() {
    let scan = stdout(&["scan", "--help"]);
    assert!(scan.contains("Examples:") && scan.contains("maskscope help options"), "{scan}");
    assert!(!scan.contains("--hub-endpoint"), "{scan}");
    assert_eq!(scan, stdout(&["help", "scan"]));
    assert!(stdout(&["help", "options"]).contains("--hub-endpoint"));
}

#[test]
fn settings_change_what_opens_and_the_keys() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("config.toml");
    let with = |text: &str, arguments: &[&str]| {
        std::fs::write(&config, text).expect("written");
        let output = maskscope(arguments).env("MASKSCOPE_CONFIG", &config).output().expect("runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned(), said)
    };
    let keys = "tokenizer = 'sample:mistral'\n[keys.Everywhere]\n'next sample' = ['J', 'right']\n\
        'choose a tokenizer' = 'F'\n";
    let (_, listed, _) = with(keys, &["keys"]);
    assert!(listed.lines().any(|line| line.contains("J →") && line.contains("next sample")), "{listed}");
    let (code, frame, said) = with(keys, &["frame", "--keys", "J", "--size", "120x40"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(frame.contains("mistral") && frame.contains("2/14") && frame.contains("F tokenizer"), "{frame}");
    let wrong = "theme = 'dark'\n[keys.Everywhere]\n'next sample' = 'q'\n";
    let (code, _, said) = with(wrong, &["inspect"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("config.toml: line 3: q would be both") && said.contains("\"quit\""), "{said}");
    let (code, _, said) = with("them = 'dark'\n", &["inspect"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("line 1: unknown key \"them\"; did you mean \"theme\"?"), "{said}");
    // What `config` prints is a file of settings that changes nothing.
    let (code, default, _) = with("them = 'dark'\n", &["config"]);
    assert_eq!(code, Some(0));
    assert!(default.contains("config.toml"));
    let (_, changed, said) = with(&default, &["keys"]);
    assert_eq!(changed, stdout(&["keys"]), "{said}");
    let bare: String = default
        .lines()
        .map(|line| {
            line.strip_prefix("# ").filter(|l| l.contains(" = ") && !l.ends_with("[]")).unwrap_or(line)
        })
        .filter(|line| !line.starts_with("data =") && !line.starts_with("cache_dir"))
        .map(|line| format!("{line}\n"))
        .collect();
    let (code, same, said) = with(&bare, &["keys"]);
    assert_eq!((code, same), (Some(0), stdout(&["keys"])), "{said}");
}

#[test]
fn a_set_up_is_written_and_read_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("rows.json");
    std::fs::copy("samples/conversations/02-one-round.json", &data).expect("copied");
    let file = folder.path().join("team.toml");
    let (data, file) = (data.to_str().unwrap(), file.to_str().unwrap());
    let options = ["-t", "sample:phi-2", "-d", data, "--recipe", "none", "--pad", "unk", "--template", "phi"];
    let numbers = ["--preprocess", "v1", "--start", "0", "--model-max-length", "512"];
    let given = [&options[..], &numbers].concat();
    let (code, said) = refused(&[&["setup", file], &given[..]].concat());
    assert_eq!(code, Some(0), "{said}");
    let text = std::fs::read_to_string(file).expect("the file");
    assert!(text.contains("data = \"rows.json\"") && text.contains("pad = \"unk\""), "{text}");
    let inspect = |arguments: &[&str]| stdout(&[&["inspect", "--format", "jsonl"], arguments].concat());
    assert_eq!(inspect(&["--setup", file]), inspect(&given));
    assert_ne!(inspect(&["--setup", file, "--pad", "<|extra_0|>"]), inspect(&given), "an option wins");
    let (code, said) = refused(&["setup", file]);
    assert_eq!(code, Some(2));
    assert!(said.contains("cannot write"), "{said}");
    std::fs::write(file, "tokenizer = 'sample:phi-2'\npadd = 'unk'\n").expect("written");
    let (code, said) = refused(&["doctor", "--setup", file]);
    assert_eq!(code, Some(2));
    assert!(said.contains("line 2: unknown key \"padd\"; did you mean \"pad\"?"), "{said}");
}
