//! The whole patch in a small training repository of our own: the diff is applied, and the generated pytest is run.
//!
//! Python's side is here in a few files: `torch.py` and `transformers.py` stand in for the libraries, `conversation.py`
//! and `train.py` are the repository before the patch, and `small_pytest.py` runs the test where there is no pytest.
//! `MASKSCOPE_PYTHON` names another interpreter than `python3`; with `tokenizers` in it the ids come from that wheel.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use maskscope::diagnose::{
    Patch, RepositoryPatchRequest, conversation, onboard, patch, proposal_tokens, repository_patch,
    write_patch,
};
use maskscope::samples::conversations;
use maskscope::setup::{LlavaSetup, RecipeChoice, Request, Setup, TokenChoice, load_tokenizer, resolve};
use maskscope::tokenizer::{LoadOptions, Role};
use serde_json::{Map, Value, json};

fn python() -> Command {
    Command::new(std::env::var_os("MASKSCOPE_PYTHON").unwrap_or_else(|| "python3".into()))
}

fn python_can(statement: &str) -> bool {
    python().args(["-c", statement]).output().is_ok_and(|o| o.status.success())
}

fn setup(request: Request) -> Setup {
    let base = load_tokenizer(&request, &mut |_| ControlFlow::Continue(())).expect("the tokenizer");
    resolve(&base, &request).expect("a set-up")
}

/// A set-up that a recipe gives.
fn known(tokenizer: &str, recipe: &str) -> Setup {
    setup(Request {
        tokenizer: tokenizer.to_string(),
        recipe: recipe.parse().expect("a recipe"),
        ..Request::default()
    })
}

/// What is proven for a tokenizer that no recipe knows: its set-up, and the tokens that it is given.
fn brought_in(tokenizer: &str) -> (LlavaSetup, Vec<(Role, TokenChoice)>) {
    let setup =
        setup(Request { tokenizer: tokenizer.to_string(), recipe: RecipeChoice::None, ..Request::default() });
    let setup = setup.to_llava().expect("a LLaVA template");
    let samples = conversations().expect("the embedded samples");
    let found = onboard(&setup, &samples).unwrap_or_else(|e| panic!("{tokenizer}: {e}"));
    let tokens = proposal_tokens(&setup, &found);
    (found.setup, tokens)
}

/// Another form of the same script: the templates by their dotted name, a role set in a loop over a list of the function's own.
fn dotted(text: &str) -> String {
    text.replace("from moellava import conversation as conversation_lib", "import moellava.conversation")
        .replace("conversation_lib.", "moellava.conversation.")
        .replace(
            "def train():\n",
            "def train():\n    roles = [\"pad_token\"]\n    training_args.enabled = model_args.enabled\n",
        )
        .replace(
            "    tokenizer.pad_token = tokenizer.unk_token\n",
            "    for role in roles:\n        setattr(tokenizer, role, tokenizer.unk_token)\n",
        )
}

/// A repository without the patch, with the stand-ins beside it.
fn repository(root: &Path, script: impl Fn(&str) -> String) {
    let package = root.join("moellava");
    std::fs::create_dir_all(package.join("train")).unwrap();
    for (path, text) in [
        ("torch.py", include_str!("torch.py")),
        ("transformers.py", include_str!("transformers.py")),
        ("small_pytest.py", include_str!("small_pytest.py")),
        ("moellava/__init__.py", ""),
        ("moellava/conversation.py", include_str!("conversation.py")),
        ("moellava/train/__init__.py", ""),
        ("moellava/train/train.py", include_str!("train.py")),
    ] {
        let text = if path.ends_with("/train.py") { script(text) } else { text.to_string() };
        std::fs::write(root.join(path), text).unwrap();
    }
}

/// The ids of every text that the pinned conversations ask for, under the proven's tokenizer.
fn record(proven: &LlavaSetup, folder: &Path) {
    let (tokenizer, template) = (&proven.tokenizer, &proven.labelling.template);
    let mark = format!("{}{}: ", template.sep, template.roles[1]);
    let mut texts: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for sample in [conversation(1, false), conversation(3, false), conversation(2, true)] {
        let prompt = proven.inspect(&sample).prompt.expect("a prompt");
        let mut asked = vec![prompt.clone()];
        for round in prompt.split(template.sep2.as_deref().expect("sep2")) {
            asked.push(round.to_string());
            asked.push(format!("{}{mark}", round.split(&mark).next().unwrap_or("")));
        }
        for piece in asked.iter().flat_map(|text| text.split("<image>").chain([text.as_str()])) {
            texts.insert(piece.to_string(), tokenizer.encode(piece, true).expect("ids").ids);
        }
    }
    // Roles as the files give them: what the generated lines set is theirs to set.
    let roles: Map<String, Value> = [Role::Bos, Role::Eos, Role::Unk, Role::Pad]
        .iter()
        .filter_map(|role| {
            Some((role.attribute().to_string(), json!(proven.base.special.get(*role)?.content)))
        })
        .collect();
    let surfaces: BTreeMap<String, u32> =
        tokenizer.special_surfaces().into_iter().map(|(id, surface)| (surface, id)).collect();
    let record = json!({
        "texts": texts, "surfaces": surfaces, "roles": roles,
        "can_add_tokens": tokenizer.facts.can_add_tokens,
    });
    std::fs::write(folder.join("recorded.json"), record.to_string()).unwrap();
}

/// Applies the diff and writes the test file; the repository is ready for pytest then.
fn apply(root: &Path, patch: &Patch, proven: &LlavaSetup, tokens: &[(Role, TokenChoice)]) {
    let request = RepositoryPatchRequest {
        root,
        setup: proven,
        tokens,
        load: LoadOptions::default(),
        model_name: "some/model".to_string(),
        script_arguments: Vec::new(),
        own_function: false,
        samples: &[],
    };
    let placed = repository_patch(patch, &request).expect("a diff");
    assert_eq!(placed.missing, Vec::<String>::new());
    assert!(placed.notes.iter().any(|note| note.contains("run in the sandbox")), "{:?}", placed.notes);
    std::fs::write(root.join("mine.diff"), &placed.diff).unwrap();
    let applied =
        Command::new("git").args(["apply", "mine.diff"]).current_dir(root).output().expect("git runs");
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    write_patch(&root.join("written"), patch, false).expect("the pieces");
}

/// The test that comes with the diff.
const OWN_TEST: &str = "tests/test_labels_of_mine.py";

fn pytest(root: &Path, test: &str, tokenizer: &Path) -> Output {
    let mut command = python();
    match python_can("import pytest") {
        true => command.args(["-m", "pytest", "-q", "-p", "no:cacheprovider"]),
        false => command.arg("small_pytest.py"),
    };
    command
        .arg(test)
        .current_dir(root)
        .env("PYTHONPATH", root)
        .env("TOKENIZER", tokenizer)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command.output().expect("python starts")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Three cases pass; one changed label and one missing line of the tokenizer's make the test fail.
fn proves(name: &str, patch: &Patch, root: &Path, tokenizer: &Path) {
    for test in ["written/test_labels.py", OWN_TEST] {
        let output = pytest(root, test, tokenizer);
        assert!(
            output.status.success() && said(&output).contains("3 passed"),
            "{name} {test}: {}",
            said(&output)
        );
        println!("{name} {test}: {}", said(&output).lines().last().unwrap_or_default());
        let file = root.join(test);
        let right = std::fs::read_to_string(&file).unwrap();
        let at = right.find("labels=[-100").expect("labels");
        let mut wrong = right.clone();
        wrong.replace_range(at.."labels=[-100".len() + at, "labels=[-101");
        std::fs::write(&file, &wrong).unwrap();
        let output = pytest(root, test, tokenizer);
        assert!(
            !output.status.success() && said(&output).contains("1 failed"),
            "{name} {test}: {}",
            said(&output)
        );
        std::fs::write(&file, right).unwrap();
    }
    // The line is in the written test itself, and in the script that the other one reads.
    let Some(line) = patch.tokenizer_lines.lines().find(|line| line.contains("pad_token")) else { return };
    for (test, file, indent) in [
        ("written/test_labels.py", "written/test_labels.py", "    "),
        (OWN_TEST, "moellava/train/train.py", "        "),
    ] {
        let file = root.join(file);
        let right = std::fs::read_to_string(&file).unwrap();
        let without =
            right.replace(&format!("{indent}{line}\n"), &format!("{indent}tokenizer.pad_token = None\n"));
        // The written test sets only what the files do not say.
        if test != OWN_TEST && without == right {
            continue;
        }
        assert_ne!(without, right, "{name} {test}: {line}");
        std::fs::write(&file, without).unwrap();
        let output = pytest(root, test, tokenizer);
        assert!(!output.status.success(), "{name} {test}: without {line}: {}", said(&output));
        std::fs::write(&file, right).unwrap();
    }
}

#[test]
#[ignore = "needs python3 (MASKSCOPE_PYTHON)"]
fn the_generated_test_passes_in_a_patched_repository() {
    assert!(python_can("pass"), "there is no python3");
    maskscope::sandbox::set_executable(env!("CARGO_BIN_EXE_maskscope"));
    for (tokenizer, recipe) in [
        ("sample:phi-2", "phi"),
        ("sample:qwen", "qwen"),
        ("sample:stablelm-2", "stablelm"),
        ("sample:mistral", ""),
    ] {
        let (proven, tokens) = match recipe {
            "" => brought_in(tokenizer),
            recipe => {
                let setup = known(tokenizer, recipe);
                (setup.to_llava().expect("a LLaVA template"), setup.overrides)
            }
        };
        let patch = patch(&proven, "mine", &tokens).expect("a patch");
        for script in [str::to_string, dotted] {
            let folder = tempfile::tempdir().unwrap();
            repository(folder.path(), script);
            apply(folder.path(), &patch, &proven, &tokens);
            record(&proven, folder.path());
            proves(tokenizer, &patch, folder.path(), folder.path());
        }
    }
}

/// The wheel's ids in place of recorded ones: nothing of ours stands between the files and the labels.
#[test]
#[ignore = "needs MASKSCOPE_CONFORMANCE, and MASKSCOPE_PYTHON: an interpreter that has `tokenizers`"]
fn the_generated_test_passes_over_the_tokenizers_wheel() {
    let root = std::env::var_os("MASKSCOPE_CONFORMANCE").expect("MASKSCOPE_CONFORMANCE names a folder");
    let root = PathBuf::from(root);
    maskscope::sandbox::set_executable(env!("CARGO_BIN_EXE_maskscope"));
    assert!(python_can("import tokenizers"), "MASKSCOPE_PYTHON has no `tokenizers`");
    // Classes that put bos first themselves (DeepSeek's, Llama 2's) are more than the wheel: recorded ids stand for them.
    for name in ["phi2", "gpt2", "qwen3", "llama3"] {
        let model = root.join("tokenizers").join(name);
        let (proven, tokens) = brought_in(&model.display().to_string());
        let patch = patch(&proven, "mine", &tokens).expect("a patch");
        let folder = tempfile::tempdir().unwrap();
        repository(folder.path(), str::to_string);
        apply(folder.path(), &patch, &proven, &tokens);
        proves(name, &patch, folder.path(), &model);
    }
}
