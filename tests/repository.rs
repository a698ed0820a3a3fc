//! `--repo` on a small training repository of our own: its function is recognized, its wrong line found, changed and tried.

use std::path::Path;
use std::process::{Command, Output};

const CONVERSATION: &str = r#"import dataclasses
from enum import Enum, auto


class SeparatorStyle(Enum):
    SINGLE = auto()
    TWO = auto()


@dataclasses.dataclass
class Conversation:
    system: str
    roles: tuple
    messages: list
    sep_style: SeparatorStyle
    sep: str
    sep2: str
    version: str

    def get_prompt(self):
        text = self.system + self.sep
        for number, (role, message) in enumerate(self.messages):
            end = self.sep if number % 2 == 0 else self.sep2
            text += role + ": " + message + end if message else role + ":"
        return text

    def empty(self):
        return dataclasses.replace(self, messages=[])


short = Conversation("A chat.", ("USER", "ASSISTANT"), [], SeparatorStyle.TWO, " ", "<|endoftext|>", "short")
default_conversation = short
conv_templates = {"short": short}
"#;

/// `OFFSET` is what an answer's instruction is shortened by.
const TRAIN: &str = r#"import torch
import transformers

from mini import conversation as conversation_lib
from llava.mm_utils import tokenizer_image_token

IGNORE_INDEX = -100


def preprocess_short(sources, tokenizer, has_image=False):
    names = dict(zip(("human", "gpt"), conversation_lib.default_conversation.roles))
    prompts = []
    for index, source in enumerate(sources):
        conv = conversation_lib.default_conversation.empty()
        turns = source if names[source[0]["from"]] == conv.roles[0] else source[1:]
        for number, turn in enumerate(turns):
            assert names[turn["from"]] == conv.roles[number % 2], str(index)
            conv.messages.append((names[turn["from"]], turn["value"]))
        prompts.append(conv.get_prompt())
    if has_image:
        input_ids = torch.stack([tokenizer_image_token(p, tokenizer, return_tensors="pt") for p in prompts])
    else:
        input_ids = tokenizer(
            prompts, return_tensors="pt", padding="longest", max_length=tokenizer.model_max_length, truncation=True
        ).input_ids
    labels = input_ids.clone()
    for prompt, row in zip(prompts, labels):
        total_len = int(row.ne(tokenizer.pad_token_id).sum())
        cur_len = 0
        mark = conv.sep + conv.roles[1] + ": "
        for part in prompt.split(conv.sep2):
            if part == "":
                break
            halves = part.split(mark)
            if len(halves) != 2:
                break
            halves[0] += mark
            if has_image:
                round_len = len(tokenizer_image_token(part, tokenizer)) + 1
                instruction_len = len(tokenizer_image_token(halves[0], tokenizer)) - 1
            else:
                round_len = len(tokenizer(part).input_ids) + 1
                instruction_len = len(tokenizer(halves[0]).input_ids) OFFSET
            row[cur_len:cur_len + instruction_len] = IGNORE_INDEX
            cur_len += round_len
        row[cur_len:] = IGNORE_INDEX
        if cur_len < tokenizer.model_max_length and cur_len != total_len:
            row[:] = IGNORE_INDEX
            print(f"WARNING: tokenization mismatch: {cur_len} vs. {total_len}.")
    return {"input_ids": input_ids, "labels": labels}


def preprocess(sources, tokenizer, has_image=False):
    if conversation_lib.default_conversation.version == "short":
        return preprocess_short(sources, tokenizer, has_image=has_image)
    raise ValueError("no such version")


def train():
    tokenizer = transformers.AutoTokenizer.from_pretrained("phi", model_max_length=2048, padding_side="right", use_fast=False)
    tokenizer.add_special_tokens({"unk_token": "<|extra_0|>"})
    tokenizer.pad_token = tokenizer.unk_token
"#;

const DATA: &str = r#"[{"id": "one", "conversations": [{"from": "human", "value": "What is it?"}, {"from": "gpt", "value": "A house by the sea."},
 {"from": "human", "value": "And now?"}, {"from": "gpt", "value": "Rain."}]}]"#;

fn repository(folder: &Path, offset: &str) {
    std::fs::create_dir_all(folder.join("mini")).unwrap();
    std::fs::write(folder.join("mini/__init__.py"), "").unwrap();
    std::fs::write(folder.join("mini/conversation.py"), CONVERSATION).unwrap();
    std::fs::write(folder.join("mini/train.py"), TRAIN.replace(" OFFSET", offset)).unwrap();
    std::fs::write(folder.join("data.json"), DATA).unwrap();
}

fn maskscope(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_maskscope"));
    command.args(arguments).args([
        "--repo",
        ".",
        "--version",
        "short",
        "-t",
        "sample:phi-2",
        "-d",
        "data.json",
    ]);
    command.current_dir(folder).output().expect("runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The line of `instruction_len` for texts.
fn line() -> usize {
    TRAIN.lines().position(|line| line.contains("OFFSET")).unwrap() + 1
}

#[test]
fn a_wrong_offset_is_found_and_its_line_changed() {
    let folder = tempfile::tempdir().unwrap();
    repository(folder.path(), "");
    let searched = maskscope(folder.path(), &["doctor", "--fix-search"]);
    let (out, said) = (text(&searched.stdout), text(&searched.stderr));
    assert!(said.contains("preprocess counts as the rule custom does"), "{said}");
    assert!(out.contains(&format!("mini/train.py:{}", line())), "{out}{said}");
    let patched = maskscope(folder.path(), &["patch"]);
    let diff = text(&patched.stdout);
    assert!(
        diff.contains("+                instruction_len = len(tokenizer(halves[0]).input_ids) - 1"),
        "{diff}{}",
        text(&patched.stderr)
    );
    std::fs::write(folder.path().join("mine.diff"), &patched.stdout).unwrap();
    let applied =
        Command::new("git").args(["apply", "mine.diff"]).current_dir(folder.path()).output().unwrap();
    assert!(applied.status.success(), "{}", text(&applied.stderr));
    let again = maskscope(folder.path(), &["patch"]);
    assert!(
        again.status.success() && again.stdout.is_empty(),
        "{}{}",
        text(&again.stdout),
        text(&again.stderr)
    );
}

#[test]
fn a_right_function_is_recognized_by_name() {
    let folder = tempfile::tempdir().unwrap();
    repository(folder.path(), " - 1");
    let output = maskscope(folder.path(), &["doctor"]);
    let said = text(&output.stderr);
    assert!(said.contains("preprocess counts as the rule phi does"), "{said}");
    let traced = text(&maskscope(folder.path(), &["trace"]).stdout);
    assert!(
        traced.contains(&format!("mini/train.py:{}", line())) && traced.contains("instruction_len = "),
        "{traced}"
    );
}

#[test]
fn a_function_of_another_make_is_labelled_and_not_judged() {
    let folder = tempfile::tempdir().unwrap();
    repository(folder.path(), " // 2");
    let labelled = maskscope(folder.path(), &["inspect"]);
    assert!(labelled.status.success(), "{}", text(&labelled.stderr));
    let judged = maskscope(folder.path(), &["doctor"]);
    assert_eq!(judged.status.code(), Some(2));
    assert!(text(&judged.stderr).contains("counts as no built-in rule does"), "{}", text(&judged.stderr));
}

#[test]
fn an_argument_that_is_not_known_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    repository(folder.path(), " - 1");
    let path = folder.path().join("mini/train.py");
    let script = std::fs::read_to_string(&path).unwrap();
    let asks = "    if model_args.model_type == \"phi\":\n        tokenizer.add_special_tokens({\"unk_token\": \"<|extra_0|>\"})";
    let script = script.replace("    tokenizer.add_special_tokens({\"unk_token\": \"<|extra_0|>\"})", asks);
    std::fs::write(&path, script).unwrap();
    let refused = maskscope(folder.path(), &["inspect"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("--script-arg model_type=VALUE"), "{}", text(&refused.stderr));
    let given = maskscope(folder.path(), &["inspect", "--script-arg", "model_type=phi"]);
    assert!(given.status.success(), "{}", text(&given.stderr));
}

#[test]
fn a_named_file_is_meant_where_two_projects_have_its_module() {
    let folder = tempfile::tempdir().unwrap();
    let (second, one) = (folder.path().join("second_project"), folder.path().join("one/mini"));
    repository(&second, " - 1");
    std::fs::create_dir_all(&one).unwrap();
    std::fs::write(one.join("__init__.py"), "").unwrap();
    std::fs::write(one.join("train.py"), "x = 1\n").unwrap();
    std::fs::write(folder.path().join("data.json"), DATA).unwrap();
    let function = "second_project/mini/train.py:preprocess_short";
    let output = maskscope(folder.path(), &["inspect", "--function", function]);
    assert!(output.status.success(), "{}", text(&output.stderr));
}

/// Records as a data set has them: `marked` is the answer of one among the first hundred, and of every 64th from the 128th on, which a
/// scan holds against the function.
fn data_set(folder: &Path, records: usize, marked: &str) {
    let mut lines = String::new();
    for number in 0..records {
        let question = match number % 5 {
            0 => "What is it?".to_string(),
            1 => format!("Is number {number} seen here, or\nanother one?  "),
            2 => format!("Wie heißt Nummer {number}?"),
            3 => "  Say it again.".to_string(),
            _ => "<|endoftext|>".to_string(),
        };
        let is_marked = number == 70 || (number >= 128 && number % 64 == 0);
        let answer = if is_marked { marked } else { "A house by the sea." };
        let image = if number % 3 == 0 { r#""image": "a.png", "# } else { "" };
        let place = if number % 3 == 0 { "<image>\\n" } else { "" };
        let question = serde_json::to_string(&question).unwrap();
        let question = question.trim_matches('"');
        lines.push_str(&format!(
            "{{\"id\": \"r{number}\", {image}\"conversations\": [{{\"from\": \"human\", \"value\": \"{place}{question}\"}}, {{\"from\": \"gpt\", \
             \"value\": \"{answer}\"}}, {{\"from\": \"human\", \"value\": \"And now?\"}}, {{\"from\": \"gpt\", \"value\": \"Rain {number}.\"}}]}}\n"
        ));
    }
    std::fs::write(folder.join("data.json"), lines).unwrap();
}

/// The report of a scan, and what it said.
fn scanned(folder: &Path, more: &[&str]) -> (String, String) {
    let output = maskscope(folder, &[&["scan", "--format", "json"], more].concat());
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_scan_counts_what_the_function_labels() {
    let folder = tempfile::tempdir().unwrap();
    repository(folder.path(), " - 1");
    data_set(folder.path(), 600, "A tree.");
    let (fast, said) = scanned(folder.path(), &[]);
    assert!(!said.contains("every sample is labelled in full"), "{said}");
    let (full, said) = scanned(folder.path(), &["--reference"]);
    assert!(full.contains("\"samples\": 600"), "{full}{said}");
    assert_eq!(fast, full);
}

#[test]
fn a_function_that_turns_out_to_be_another_is_run_for_every_sample() {
    let folder = tempfile::tempdir().unwrap();
    repository(folder.path(), " - 1");
    // Not a text of the code's, so that no reading of it finds the condition.
    let path = folder.path().join("mini/train.py");
    let script = std::fs::read_to_string(&path).unwrap();
    let odd = "            row[cur_len:cur_len + instruction_len] = IGNORE_INDEX\n";
    let odd = format!("            instruction_len += sum(ord(c) == 373 for c in part)\n{odd}");
    let script = script.replace("            row[cur_len:cur_len + instruction_len] = IGNORE_INDEX\n", &odd);
    std::fs::write(&path, script).unwrap();
    data_set(folder.path(), 600, "A \u{175} tree.");
    let good = folder.path().join("good.jsonl");
    let write = ["--batch", "50", "--write-good", good.to_str().unwrap()];
    let (fast, said) = scanned(folder.path(), &write);
    assert!(said.contains("begun anew") && said.contains("is labelled otherwise"), "{said}");
    let fast_good = std::fs::read_to_string(&good).unwrap();
    let (full, _) = scanned(folder.path(), &[&["--reference"][..], &write].concat());
    assert_eq!(fast, full);
    assert_eq!(fast_good, std::fs::read_to_string(&good).unwrap());
}

#[test]
fn functions_of_a_repository_stand_beside_the_built_in_rules() {
    let folder = tempfile::tempdir().unwrap();
    repository(folder.path(), "");
    let shown = text(&maskscope(folder.path(), &["strategies"]).stdout);
    for part in ["preprocess_short", "  preprocess ", "  phi ", "places where they differ"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let rows = maskscope(folder.path(), &["strategies", "--format", "jsonl"]);
    let row: serde_json::Value = serde_json::from_str(text(&rows.stdout).lines().next().unwrap()).unwrap();
    let learned = |name: &str| {
        let all = row["strategies"].as_array().unwrap();
        all.iter().find(|strip| strip["name"] == name).unwrap()["learned"].clone()
    };
    assert_eq!(learned("preprocess"), learned("preprocess_short"));
    assert_ne!(learned("preprocess"), learned("phi"), "the offset is another one");
}

#[test]
fn sides_of_a_comparison_are_two_checkouts_or_a_built_in_rule() {
    let folder = tempfile::tempdir().unwrap();
    repository(folder.path(), " - 1");
    repository(&folder.path().join("fork"), "");
    let compared =
        |more: &[&str]| maskscope(folder.path(), &[&["compare", "--format", "jsonl"], more].concat());
    let same = compared(&["--template", "phi", "--sep2", "<|endoftext|>"]);
    assert!(same.status.code().is_some_and(|code| code < 2), "{}", text(&same.stderr));
    let forks = compared(&["--repo", "fork"]);
    assert_eq!(forks.status.code(), Some(1), "{}", text(&forks.stderr));
    assert!(!text(&forks.stdout).is_empty());
}

#[test]
fn tokens_become_lines_of_the_script() {
    let folder = tempfile::tempdir().unwrap();
    repository(folder.path(), " - 1");
    let path = folder.path().join("mini/train.py");
    let script = std::fs::read_to_string(&path).unwrap();
    // Without a token of its own pad is eos, and every sample is lost.
    let lines = "    tokenizer.add_special_tokens({\"unk_token\": \"<|extra_0|>\"})\n    tokenizer.pad_token = tokenizer.unk_token\n";
    std::fs::write(&path, script.replace(lines, "    tokenizer.pad_token = tokenizer.eos_token\n")).unwrap();
    assert!(text(&maskscope(folder.path(), &["inspect"]).stdout).contains("✗ 1 mismatch"));
    for tokens in [&[][..], &["--unk", "<|extra_0|>", "--pad", "unk"]] {
        let patched = maskscope(folder.path(), &[&["patch"], tokens].concat());
        let diff = text(&patched.stdout);
        let said = text(&patched.stderr);
        assert!(diff.contains("+    tokenizer.pad_token = tokenizer.unk_token"), "{tokens:?} {diff}{said}");
        std::fs::write(folder.path().join("mine.diff"), &patched.stdout).unwrap();
        let applied =
            Command::new("git").args(["apply", "mine.diff"]).current_dir(folder.path()).output().unwrap();
        assert!(applied.status.success(), "{}", text(&applied.stderr));
        assert!(text(&maskscope(folder.path(), &["inspect"]).stdout).contains("✗ 0 mismatch"));
        let script = std::fs::read_to_string(&path).unwrap();
        let kept = script.lines().take_while(|line| !line.contains("extra_0")).collect::<Vec<_>>().join("\n");
        std::fs::write(&path, kept + "\n").unwrap();
    }
}
