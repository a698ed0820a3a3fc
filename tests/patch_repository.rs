//! `patch --repo`: the diff applies to a training repository, what it makes is Python, and what has no place is said.

use std::path::Path;
use std::process::{Command, Stdio};

use assert_cmd::cargo::CommandCargoExt;

const TRAIN: &str = r#"import conversation as conversation_lib
import transformers


def preprocess_one(sources, tokenizer, has_image=False):
    return {"sources": sources}


def preprocess(sources, tokenizer, has_image=False):
    """Chooses by the template's version."""
    if conversation_lib.default_conversation.version == "one":
        return preprocess_one(sources, tokenizer, has_image=has_image)
    return {}


def train(model_args):
    if "special" in model_args.path:
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            model_args.path,
            use_fast=False,
        )
    else:
        tokenizer = transformers.AutoTokenizer.from_pretrained(model_args.path)

    return tokenizer
"#;

const TEMPLATES: &str = r#"class Conversation:
    def __init__(self, **fields):
        self.fields = fields


conv_one = Conversation(version="one")

conv_templates = {
    "one": conv_one,
}
"#;

fn repository(folder: &Path) {
    std::fs::create_dir_all(folder.join("pkg/train")).unwrap();
    std::fs::write(folder.join("pkg/train/train.py"), TRAIN).unwrap();
    std::fs::write(folder.join("pkg/conversation.py"), TEMPLATES).unwrap();
    std::fs::write(folder.join("pkg/other.py"), "x = 1\n").unwrap();
}

fn maskscope(folder: &Path, tokenizer: &str) -> std::process::Output {
    let mut command = Command::cargo_bin("maskscope").unwrap();
    command.args(["patch", "--name", "mine", "-t", tokenizer, "--repo"]).arg(folder).output().unwrap()
}

#[test]
#[ignore = "needs python3"]
fn the_diff_applies_and_gives_python() {
    for tokenizer in ["sample:phi-2", "sample:stablelm-2", "sample:qwen", "sample:mistral"] {
        let folder = tempfile::tempdir().unwrap();
        repository(folder.path());
        let output = maskscope(folder.path(), tokenizer);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let diff = folder.path().join("mine.diff");
        std::fs::write(&diff, &output.stdout).unwrap();
        let applied = Command::new("git").args(["apply", "mine.diff"]).current_dir(folder.path()).output();
        let applied = applied.expect("git is needed to build this project");
        assert!(applied.status.success(), "{tokenizer}: {}", String::from_utf8_lossy(&applied.stderr));
        let train = std::fs::read_to_string(folder.path().join("pkg/train/train.py")).unwrap();
        assert!(train.contains("def preprocess_mine(") && train.contains("return preprocess_mine("));
        let templates = std::fs::read_to_string(folder.path().join("pkg/conversation.py")).unwrap();
        assert!(templates.contains("\"mine\": conv_mine,"));
        let other = std::fs::read_to_string(folder.path().join("pkg/other.py")).unwrap();
        assert_eq!(other, "x = 1\n");
        is_python_3_8(&[&train, &templates]);
    }
}

/// Parsed with the grammar of Python 3.8, the oldest that the code promises.
fn is_python_3_8(sources: &[&str]) {
    let script = "import ast, sys\nast.parse(sys.stdin.read(), feature_version=(3, 8))";
    for source in sources {
        let child = Command::new("python3").args(["-c", script]).stdin(Stdio::piped()).spawn();
        let mut child = child.expect("python3 runs");
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), source.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success(), "not Python 3.8:\n{source}");
    }
}

#[test]
fn pieces_without_a_place_are_said_and_the_exit_status_is_1() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("nothing.py"), "x = 1\n").unwrap();
    let output = maskscope(folder.path(), "sample:phi-2");
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("def preprocess(") && said.contains("conv_templates"), "{said}");
}
