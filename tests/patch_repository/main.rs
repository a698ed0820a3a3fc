//! `patch --repo` and `onboard --repo` on small repositories of our own, one for each shape that real ones have: the diff
//! applies, the patched repository labels as the set-up does, its other versions label as before, and what has no place is said.

use std::path::Path;
use std::process::{Command, Output};

use assert_cmd::cargo::CommandCargoExt;
use serde_json::Value;

const TRAIN: &str = include_str!("train.py");
const TEMPLATES: &str = include_str!("conversation.py");
const SCRIPT: &str = "pkg/train/train.py";
const LIBRARY: &str = "pkg/conversation.py";

/// A repository as it stands; `change` makes another shape of the script and the templates.
fn repository(change: impl Fn(&str, String) -> String) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("pkg/train")).unwrap();
    for (path, text) in [
        ("pkg/__init__.py", String::new()),
        ("pkg/train/__init__.py", String::new()),
        (SCRIPT, change(SCRIPT, TRAIN.to_string())),
        (LIBRARY, change(LIBRARY, TEMPLATES.to_string())),
    ] {
        std::fs::write(folder.path().join(path), text).unwrap();
    }
    folder
}

fn maskscope(arguments: &[&str]) -> Output {
    Command::cargo_bin("maskscope").unwrap().args(arguments).output().unwrap()
}

/// `patch` for phi-2 with its recipe.
fn patch(root: &Path, name: &str, more: &[&str]) -> Output {
    let root = root.display().to_string();
    let mut arguments =
        vec!["patch", "--name", name, "-t", "sample:phi-2", "--recipe", "phi", "--repo", &root];
    arguments.extend(more);
    maskscope(&arguments)
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The diff of `command`, which must end with 0.
fn diff(command: &str, root: &Path, tokenizer: &str, more: &[&str]) -> Vec<u8> {
    let root = root.display().to_string();
    let mut arguments = vec![command, "--name", "mine", "-t", tokenizer, "--repo", &root];
    arguments.extend(more);
    let output = maskscope(&arguments);
    assert!(output.status.success(), "{command} {tokenizer}: {}", stderr(&output));
    assert!(stderr(&output).contains("run in the sandbox with --version mine"), "{}", stderr(&output));
    output.stdout
}

fn apply(root: &Path, diff: &[u8]) {
    std::fs::write(root.join("mine.diff"), diff).unwrap();
    let applied = Command::new("git").args(["apply", "mine.diff"]).current_dir(root).output();
    let applied = applied.expect("git is needed to build this project");
    assert!(applied.status.success(), "{}\n{}", stderr(&applied), String::from_utf8_lossy(diff));
}

/// What becomes of an embedded conversation.
#[derive(Debug, PartialEq)]
struct Row {
    prompt: Value,
    input_ids: Value,
    labels: Value,
    error: Value,
}

fn rows(arguments: &[&str]) -> Vec<Row> {
    let mut all = vec!["inspect", "--format", "jsonl"];
    all.extend(arguments);
    let output = maskscope(&all);
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let row = |line: &str| {
        let row: Value = serde_json::from_str(line).unwrap();
        let part = |name: &str| row[name].clone();
        Row {
            prompt: part("prompt"),
            input_ids: part("input_ids"),
            labels: part("labels"),
            error: row["error"]["type"].clone(),
        }
    };
    let rows: Vec<Row> = text.lines().map(row).collect();
    assert!(!rows.is_empty(), "{}", stderr(&output));
    rows
}

/// By the repository's own functions.
fn labels(root: &Path, version: &str, tokenizer: &str) -> Vec<Row> {
    rows(&["-t", tokenizer, "--repo", &root.display().to_string(), "--version", version])
}

fn supervised(rows: &[Row]) -> usize {
    let count =
        |labels: &Value| labels.as_array().map_or(0, |l| l.iter().filter(|v| v.as_i64() >= Some(0)).count());
    rows.iter().map(|row| count(&row.labels)).sum()
}

/// A name, and what makes the shape of a file's path and text.
type Shape = (&'static str, fn(&str, String) -> String);

const SHAPES: [Shape; 15] = [
    ("as it stands", |_, text| text),
    ("elif over several lines, and no branch for this model", |_, text| {
        text.replace("    if \"special\" in", "    if \"other\" in model_args.model_name_or_path:\n        tokenizer = transformers.AutoTokenizer.from_pretrained(model_args.model_name_or_path)\n    elif \"special\" in")
            .replace("    else:\n        tokenizer = transformers.AutoTokenizer", "    elif (\n        \"llama\" in model_args.model_name_or_path\n        or \"yi\" in model_args.model_name_or_path\n    ):\n        tokenizer = transformers.AutoTokenizer")
    }),
    ("if in place of elif: the tokenizer is loaded twice", |_, text| {
        text.replace(
            "    model = transformers",
            "    if \"phi\" in model_args.model_name_or_path:\n        tokenizer = transformers.AutoTokenizer.from_pretrained(model_args.model_name_or_path, use_fast=False)\n        \
             tokenizer.add_special_tokens({\"unk_token\": \"<|lost|>\"})\n    model = transformers",
        )
    }),
    ("the table on one line", |_, text| {
        text.replace(
            "{\n    \"one\": conv_one,\n    \"plain\": conv_plain,  # image pre-training\n}",
            "{'one': conv_one, 'plain': conv_plain}",
        )
    }),
    ("the last entry without a comma, before a comment", |_, text| {
        text.replace("conv_plain,  # image pre-training", "conv_plain  # image, pre-training")
    }),
    ("the dispatch by ==, in and elif", |_, text| {
        text.replace(
            "    if conversation_lib.default_conversation.version.startswith(\"one\"):",
            "    elif conversation_lib.default_conversation.version in {\"one\", \"two\"}:",
        )
    }),
    ("a prefix that would take the name", |_, text| {
        text.replace("startswith(\"one\")", "startswith((\"one\", \"m\"))")
    }),
    ("tabs", |_, text| {
        let line = |line: &str| {
            let spaces = line.len() - line.trim_start_matches(' ').len();
            format!("{}{}\n", "\t".repeat(spaces / 4), line.trim_start_matches(' '))
        };
        text.lines().map(line).collect()
    }),
    ("CRLF", |_, text| text.replace('\n', "\r\n")),
    ("no final newline", |_, text| text.trim_end().to_string()),
    ("pad is kept where there is an unk", |_, text| {
        text.replace("        tokenizer.pad_token = tokenizer.unk_token\n", "        if tokenizer.unk_token is not None:\n            tokenizer.pad_token = tokenizer.unk_token\n")
    }),
    ("roles set in a loop, through setattr and with an annotation", |_, text| {
        text.replace("        tokenizer.pad_token = tokenizer.unk_token\n", "        roles = [\"pad_token\"]\n        for role in roles:\n            setattr(tokenizer, role, tokenizer.unk_token)\n        tokenizer.padding_side: str = \"right\"\n")
    }),
    ("the templates imported by a dotted name", |_, text| {
        text.replace("from pkg import conversation as conversation_lib", "import pkg.conversation")
            .replace("conversation_lib.", "pkg.conversation.")
    }),
    ("a lone carriage return", |_, text| text.replace("import torch\n", "# one\r# line\nimport torch\n")),
    ("the model is made behind the tokenizer", |_, text| {
        let model =
            "    model = transformers.AutoModelForCausalLM.from_pretrained(model_args.model_name_or_path)\n";
        let text = text.replacen(model, "", 1).replace("                model=model,\n", "");
        text.replace("    model.config.pad_token_id", &format!("{model}    model.config.pad_token_id"))
    }),
];

#[test]
fn every_shape_is_patched_and_labels_as_promised() {
    // Where the set-up of a tokenizer needs a token for its labels, and where it needs none.
    let wishes: [(&str, &[&str]); 2] = [
        ("sample:phi-2", &["--recipe", "phi"]),
        ("sample:mistral", &["--template", "vicuna_v1", "--pad", "unk"]),
    ];
    for (shape, change) in SHAPES {
        for (tokenizer, more) in wishes {
            // Whether a token is needed matters where the script sets tokens.
            if tokenizer == "sample:mistral" && !shape.contains("stands") && !shape.contains("pad is kept") {
                continue;
            }
            let folder = repository(change);
            let before = labels(folder.path(), "one", tokenizer);
            // Stage 1 of this backbone changes, and must not for any other.
            let other = if tokenizer == "sample:phi-2" { "sample:mistral" } else { "sample:phi-2" };
            let before_plain = labels(folder.path(), "plain", other);
            let made = match more.first() {
                Some(&"--recipe") => diff("patch", folder.path(), tokenizer, more),
                _ => diff("onboard", folder.path(), tokenizer, &[]),
            };
            apply(folder.path(), &made);
            let after = labels(folder.path(), "mine", tokenizer);
            assert!(supervised(&after) > 0, "{shape}, {tokenizer}: nothing is supervised");
            if more.first() == Some(&"--recipe") {
                let mut arguments = vec!["-t", tokenizer];
                arguments.extend(more);
                let promised = rows(&arguments);
                assert_eq!(after.len(), promised.len());
                // This small repository leaves placeholders as they stand: prompts with unusual ones differ.
                let same: Vec<_> = after
                    .iter()
                    .zip(&promised)
                    .filter(|(own, promised)| own.prompt == promised.prompt)
                    .collect();
                assert!(same.len() * 2 > promised.len(), "{shape}: {} of {}", same.len(), promised.len());
                same.iter().for_each(|(own, promised)| assert_eq!(own, promised, "{shape}, {tokenizer}"));
            }
            assert_eq!(labels(folder.path(), "one", tokenizer), before, "{shape}, {tokenizer}");
            assert_eq!(labels(folder.path(), "plain", other), before_plain, "{shape}, {tokenizer}");
            // The same patch once more changes nothing.
            let root = folder.path().display().to_string();
            let mut again = vec!["patch", "--name", "mine", "-t", tokenizer, "--repo", &root];
            again.extend(if more.first() == Some(&"--recipe") { more } else { &[] });
            if more.first() == Some(&"--recipe") {
                let output = maskscope(&again);
                assert!(output.status.success() && output.stdout.is_empty(), "{shape}: {}", stderr(&output));
                assert!(stderr(&output).contains("is there already"), "{shape}: {}", stderr(&output));
            }
        }
    }
}

#[test]
fn label_functions_and_script_in_two_files() {
    let folder = repository(|_, text| text);
    let (functions, script) = TRAIN.split_once("def train():").unwrap();
    let head = "import transformers\n\nfrom pkg import conversation as conversation_lib\nfrom pkg.data import preprocess\n\n\ndef train():";
    std::fs::write(folder.path().join("pkg/data.py"), functions).unwrap();
    std::fs::write(folder.path().join(SCRIPT), format!("{head}{script}")).unwrap();
    let before = labels(folder.path(), "one", "sample:phi-2");
    let made = diff("patch", folder.path(), "sample:phi-2", &["--recipe", "phi"]);
    let text = String::from_utf8_lossy(&made).into_owned();
    for file in ["pkg/data.py", SCRIPT, LIBRARY] {
        assert!(text.contains(&format!("+++ b/{file}\n")), "{file}: {text}");
    }
    apply(folder.path(), &made);
    assert!(supervised(&labels(folder.path(), "mine", "sample:phi-2")) > 0);
    assert_eq!(labels(folder.path(), "one", "sample:phi-2"), before);
}

#[test]
fn a_path_of_windows_gives_its_last_part() {
    let folder = repository(|_, text| text);
    let made = diff(
        "patch",
        folder.path(),
        "sample:phi-2",
        &["--recipe", "phi", "--model-name", "C:\\models\\My Phi\\"],
    );
    let text = String::from_utf8(made).unwrap();
    assert!(text.contains("\"my phi\" in model_args.model_name_or_path.lower()"), "{text}");
}

#[test]
fn stage_1_finds_the_same_tokens() {
    let folder = repository(|_, text| text);
    let made = diff("patch", folder.path(), "sample:phi-2", &["--recipe", "phi"]);
    let text = String::from_utf8(made.clone()).unwrap();
    assert!(
        text.contains(
            "model_args.version == \"plain\" and \"phi-2\" in model_args.model_name_or_path.lower()"
        ),
        "{text}"
    );
    // What is new has rows, what the script copied is copied again, and the test comes along.
    assert!(text.contains("model.resize_token_embeddings(len(tokenizer))"), "{text}");
    assert!(text.contains("+++ b/tests/test_labels_of_mine.py"), "{text}");
}

#[test]
fn another_loader_reaches_the_patch() {
    let folder = repository(|_, text| text);
    for (wish, line) in [
        (["--loader", "fast"], "+            use_fast=True,"),
        (["--legacy", "false"], "+            legacy=False,"),
    ] {
        let mut more = vec!["--recipe", "none", "--pad", "unk"];
        more.extend(wish);
        let root = folder.path().display().to_string();
        let mut arguments = vec!["patch", "--name", "mine", "-t", "sample:mistral", "--repo", &root];
        arguments.extend(more);
        let output = maskscope(&arguments);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains(line), "{wish:?}: {text}\n{}", stderr(&output));
        // As the script loads it, but for what is asked.
        assert!(text.contains("+            cache_dir=training_args.cache_dir,"), "{text}");
    }
}

#[test]
fn arguments_of_the_script_reach_the_sandbox_and_the_test() {
    // As in a repository whose script asks for the kind of model.
    let folder = repository(|_, text| {
        text.replace("\"special\" in model_args.model_name_or_path", "model_args.model_type == \"special\"")
    });
    let output = patch(folder.path(), "mine", &[]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("--script-arg model_type=VALUE"), "{}", stderr(&output));
    let made = diff(
        "patch",
        folder.path(),
        "sample:phi-2",
        &["--recipe", "phi", "--script-arg", "model_type=plain"],
    );
    let text = String::from_utf8(made).unwrap();
    assert!(text.contains("+MODEL_ARGUMENTS = {\"model_type\": \"plain\"}"), "{text}");
}

#[test]
fn two_patches_live_side_by_side() {
    let folder = repository(|_, text| text);
    apply(folder.path(), &diff("patch", folder.path(), "sample:phi-2", &["--recipe", "phi"]));
    let first = labels(folder.path(), "mine", "sample:phi-2");
    let output = patch(folder.path(), "mine2", &[]);
    assert!(output.status.success(), "{}", stderr(&output));
    // The first patch's function does the same: no second one is written.
    assert!(stderr(&output).contains("preprocess_mine labels every sample"), "{}", stderr(&output));
    apply(folder.path(), &output.stdout);
    assert_eq!(labels(folder.path(), "mine", "sample:phi-2"), first);
    assert_eq!(labels(folder.path(), "mine2", "sample:phi-2"), first);
}

#[test]
fn a_second_patch_with_other_tokens_cannot_share_stage_1() {
    let folder = repository(|_, text| text);
    apply(folder.path(), &diff("patch", folder.path(), "sample:phi-2", &["--recipe", "phi"]));
    let output = patch(folder.path(), "mine2", &["--unk", "<|other|>"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("has another id than with --version mine2"), "{}", stderr(&output));
}

#[test]
fn an_own_function_is_written_where_it_is_asked_for() {
    let folder = repository(|_, text| text);
    apply(folder.path(), &diff("patch", folder.path(), "sample:phi-2", &["--recipe", "phi"]));
    let output = patch(folder.path(), "mine2", &["--own-function"]);
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(output.status.success() && text.contains("+def preprocess_mine2(\n"), "{}", stderr(&output));
    // As its neighbour: the annotations of the dispatch.
    assert!(text.contains("+    tokenizer: transformers.PreTrainedTokenizer,\n"), "{text}");
}

#[test]
fn names_that_are_taken_are_refused() {
    let folder = repository(|_, text| {
        text.replace("\"one\")\nconv_plain", "\"one\")\nconv_x = Conversation(\n    \"\", (\"U\", \"A\"), (), 0,\n    version='held',\n)\nconv_plain")
    });
    for name in ["one", "plain", "held", "x"] {
        let output = patch(folder.path(), name, &[]);
        assert_eq!(output.status.code(), Some(2), "{name}: {}", stderr(&output));
        assert!(stderr(&output).contains("has this name already"), "{name}: {}", stderr(&output));
    }
}

#[test]
fn a_name_that_would_change_another_version_is_refused() {
    // The version is the last of the values, so that no line says `version=`.
    let folder = repository(|_, text| {
        text.replace("\"</s>\", \"one\")", "\"</s>\", \"one\")\nconv_h = Conversation(\"Hi.\", (\"USER\", \"ASSISTANT\"), (), 0, SeparatorStyle.TWO, \" \", \"</s>\", \"held\")")
            .replace("    \"plain\":", "    \"h\": conv_h,\n    \"plain\":")
    });
    let output = patch(folder.path(), "held", &[]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(
        output.stdout.is_empty() && stderr(&output).contains("--version h labels otherwise"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_patch_of_other_tokens_is_not_taken_for_this_one() {
    let folder = repository(|_, text| text);
    apply(folder.path(), &diff("patch", folder.path(), "sample:phi-2", &["--recipe", "phi"]));
    let output = patch(folder.path(), "mine", &["--unk", "<|other|>"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("has this name already"), "{}", stderr(&output));
}

#[test]
fn what_has_no_place_is_said_and_the_exit_status_is_1() {
    let shapes: [(Shape, &str); 6] = [
        (
            ("a list of versions", |_, text| {
                text.replace(
                    "def train():\n",
                    "def train():\n    assert model_args.version in (\"one\", \"plain\")\n",
                )
            }),
            "the versions are listed here (one, plain): add mine",
        ),
        (
            ("a function that is handed the tokenizer", |_, text| {
                text.replace(
                    "    model.config.pad_token_id",
                    "    finish(tokenizer)\n    model.config.pad_token_id",
                )
                .replace(
                    "def train():",
                    "def finish(tok):\n    tok.pad_token = tok.unk_token\n\n\ndef train():",
                )
            }),
            "finish() is handed the tokenizer and changes it",
        ),
        (("no dispatch", |path, text| if path == SCRIPT { "x = 1\n".into() } else { text }), "no dispatch"),
        (("no table", |path, text| if path == LIBRARY { "x = 1\n".into() } else { text }), "conv_templates"),
        (
            ("no script", |_, text| text.replace("def train():", "def other():")),
            "no script makes a tokenizer",
        ),
        (
            ("no version", |_, text| text.replace("model_args.version", "model_args.kind")),
            "no argument `version`",
        ),
    ];
    for ((shape, change), said) in shapes {
        let folder = repository(change);
        let output = patch(folder.path(), "mine", &[]);
        assert_eq!(output.status.code(), Some(1), "{shape}: {}", stderr(&output));
        assert!(stderr(&output).contains(said), "{shape}: {}", stderr(&output));
    }
}

#[test]
fn a_set_up_that_loses_every_sample_is_a_finding() {
    let folder = repository(|_, text| text);
    let root = folder.path().display().to_string();
    let output = maskscope(&[
        "patch",
        "--name",
        "mine",
        "-t",
        "sample:phi-2",
        "--recipe",
        "none",
        "--pad",
        "unk",
        "--repo",
        &root,
    ]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
}
