//! The Python that the patch writes, run by python3 over recorded ids, gives the labels that maskscope shows.

use std::collections::BTreeMap;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use maskscope::chat::{Sample, read_samples};
use maskscope::diagnose::{Patch, TokenizerKind, conversation, onboard, patch, token_changes};
use maskscope::labels::multimodal;
use maskscope::samples::conversations;
use maskscope::setup::{LlavaSetup, NONE, Request, load_tokenizer, resolve};
use serde_json::{Map, Value, json};

/// What the training script has around the function, small enough to run without torch or transformers.
const AROUND: &str = r#"
import json, sys, types
IGNORE_INDEX = -100

class Row:
    def __init__(self, ids): self.ids = ids
    def ne(self, other):
        if other is None: raise TypeError("ne")
        return Row([int(i != other) for i in self.ids])
    def sum(self): return sum(self.ids)
    def tolist(self): return list(self.ids)
    def __setitem__(self, where, value):
        places = range(*where.indices(len(self.ids)))
        for i in places: self.ids[i] = value

class Table:
    def __init__(self, rows): self.rows = [Row(list(r)) for r in rows]
    def clone(self): return Table([r.ids for r in self.rows])
    def __iter__(self): return iter(self.rows)
    def __getitem__(self, at): return self.rows[at]

torch = types.SimpleNamespace(stack=lambda rows, dim: Table(rows))

class SeparatorStyle: TWO = 2

class Conversation:
    def __init__(self, **fields): self.__dict__.update(fields)
    def copy(self): return Conversation(**self.__dict__)
    def append_message(self, role, message): self.messages.append((role, message))
    def get_prompt(self):
        text = self.system + self.sep
        for i, (role, message) in enumerate(self.messages):
            text += role + ": " + message + (self.sep2 if i % 2 else self.sep) if message else role + ":"
        return text

class Tokenizer:
    unk_token = eos_token = bos_token = pad_token = None
    def __init__(self, record): self.__dict__.update(record)
    def __call__(self, text, **wishes):
        if isinstance(text, list):
            if self.pad_token_id is None: raise ValueError("no pad")
            return types.SimpleNamespace(input_ids=Table([self.cut[t] for t in text]))
        return types.SimpleNamespace(input_ids=self.whole[text])
    def add_special_tokens(self, tokens): pass

def tokenizer_image_token(prompt, tokenizer, return_tensors=None):
    chunks = [tokenizer(chunk).input_ids for chunk in prompt.split("<image>")]
    ids, skip = [], 0
    if chunks[0] and chunks[0][0] == tokenizer.bos_token_id:
        ids, skip = [chunks[0][0]], 1
    for n, chunk in enumerate(chunks):
        ids += ([-200] if n else []) + chunk[skip:]
    return ids

record = json.load(sys.stdin)
space = globals()
exec(record["template"], space)
conversation_lib = types.SimpleNamespace(default_conversation=space["conv_" + record["name"]])
exec(record["function"], space)
tokenizer = Tokenizer(record["tokenizer"])
if "pytest" in record:
    # The test file of the patch, with the smallest pytest, transformers and moellava that it can run on.
    import os
    conversation_lib.conv_templates = {record["name"]: conversation_lib.default_conversation}
    train = types.SimpleNamespace(**{"preprocess_" + record["name"]: space["preprocess_" + record["name"]]})
    loader = types.SimpleNamespace(from_pretrained=lambda place, **wishes: tokenizer)
    there = {
        "moellava.train.train": train, "moellava.conversation": conversation_lib,
        "transformers": types.SimpleNamespace(AutoTokenizer=loader),
    }
    cases = []
    def parametrize(name, values):
        cases.extend(values)
        return lambda test: test
    sys.modules["pytest"] = types.SimpleNamespace(
        importorskip=lambda name: there[name], fixture=lambda **wishes: lambda made: made,
        mark=types.SimpleNamespace(parametrize=parametrize),
    )
    os.environ["TOKENIZER"] = "recorded"
    import ast
    ast.parse(record["pytest"], feature_version=(3, 8))
    ast.parse(record["function"], feature_version=(3, 8))
    tests = {}
    exec(record["pytest"], tests)
    for case in cases:
        tests["test_labels"](tests["tokenizer"](), case, types.SimpleNamespace(setattr=setattr))
    print(len(cases), file=sys.stderr)
    sys.exit()
results = []
for sample in record["samples"]:
    try:
        made = space["preprocess_" + record["name"]]([sample["turns"]], tokenizer, has_image=sample["has_image"])
        results.append({"ids": made["input_ids"].rows[0].ids, "labels": made["labels"].rows[0].ids})
    except Exception as error:
        results.append({"error": type(error).__name__})
print(json.dumps(results), file=sys.stderr)
"#;

/// Ids of every text that the function asks for: prompts, rounds, instructions and their chunks.
fn recorded(proven: &LlavaSetup, samples: &[Sample]) -> Value {
    let tokenizer = &proven.tokenizer;
    let mut whole: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    let mut cut: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    let template = &proven.labelling.template;
    let mark = format!("{}{}: ", template.sep, template.roles[1]);
    for sample in samples {
        let Some(prompt) = proven.inspect(sample).prompt else { continue };
        let length = proven.labelling.options.model_max_length;
        cut.insert(prompt.clone(), tokenizer.encode_truncated(&prompt, length).expect("ids").ids);
        let mut texts = vec![prompt.clone()];
        for round in prompt.split(template.sep2.as_deref().expect("sep2")) {
            texts.push(round.to_string());
            texts.push(format!("{}{mark}", round.split(&mark).next().unwrap_or("")));
        }
        for text in texts {
            for piece in text.split("<image>").chain([text.as_str()]) {
                whole.insert(piece.to_string(), tokenizer.encode(piece, true).expect("ids").ids);
            }
        }
    }
    use maskscope::tokenizer::Role;
    json!({
        "whole": whole, "cut": cut, "model_max_length": proven.labelling.options.model_max_length,
        "pad_token_id": tokenizer.role_id(Role::Pad), "bos_token_id": tokenizer.role_id(Role::Bos),
    })
}

/// Runs the patch's own test file; gives the number of conversations that it pins.
fn run_pytest(proven: &LlavaSetup, patch: &Patch) -> usize {
    let samples = [conversation(1, false), conversation(3, false), conversation(2, true)];
    let record = json!({
        "name": patch.name, "template": patch.template, "function": patch.function, "pytest": patch.pytest,
        "tokenizer": recorded(proven, &samples),
    });
    let text = python(&record);
    text.trim().parse().unwrap_or_else(|_| panic!("{}: {text}", patch.name))
}

fn run(proven: &LlavaSetup, patch: &Patch, samples: &[Sample]) -> Vec<Value> {
    let turns = |sample: &Sample| {
        let rewritten = match sample.has_image {
            true => multimodal::rewrite(
                &sample.conversations,
                &proven.labelling.template,
                &proven.labelling.options,
            )
            .unwrap_or_default(),
            false => sample.conversations.clone(),
        };
        rewritten.iter().map(|t| json!({"from": t.from, "value": t.value})).collect::<Vec<_>>()
    };
    let record = json!({
        "name": patch.name, "template": patch.template, "function": patch.function,
        "tokenizer": recorded(proven, samples),
        "samples": samples.iter().map(|s| json!({"turns": turns(s), "has_image": s.has_image})).collect::<Vec<_>>(),
    });
    let text = python(&record);
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// What python3 says on stderr about a record.
fn python(record: &Value) -> String {
    let mut child = Command::new("python3")
        .args(["-c", AROUND])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python3 starts");
    let mut input = child.stdin.take().expect("its input");
    let text = record.to_string();
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("joined").expect("written");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Compares the function's labels with the proven's on all samples, and returns how many had labels.
fn compare(proven: &LlavaSetup, patch: &Patch, samples: &[Sample]) -> usize {
    let mut labelled = 0;
    for (sample, python) in samples.iter().zip(run(proven, patch, samples)) {
        match proven.inspect(sample).result {
            Ok(ours) => {
                labelled += 1;
                assert_eq!(python["ids"], json!(ours.input_ids), "{} {}", patch.name, sample.id);
                assert_eq!(python["labels"], json!(ours.labels), "{} {}", patch.name, sample.id);
            }
            Err(error) if error.kind == "ValueError" => assert_eq!(python["error"], "IndexError"),
            Err(error) => assert_eq!(python["error"], json!(error.kind), "{} {}", patch.name, sample.id),
        }
    }
    labelled
}

fn samples() -> Vec<Sample> {
    let golden = std::env::var_os("MASKSCOPE_CONFORMANCE").map(PathBuf::from);
    match golden.map(|dir| dir.join("golden/labels/conversations.json")) {
        Some(path) => read_samples(&path, None).expect("the samples").samples,
        _ => conversations().expect("the embedded samples"),
    }
}

fn setup(tokenizer: &str, recipe: &str) -> LlavaSetup {
    let request = Request {
        tokenizer: tokenizer.to_string(),
        recipe: recipe.parse().expect("a recipe"),
        ..Request::default()
    };
    let base = load_tokenizer(&request, &mut |_| ControlFlow::Continue(())).expect("the tokenizer");
    resolve(&base, &request).expect("a set-up").to_llava().expect("a LLaVA template")
}

#[test]
#[ignore = "needs python3"]
fn the_function_gives_the_labels_that_are_shown() {
    let samples = samples();
    for (tokenizer, recipe) in
        [("sample:phi-2", "phi"), ("sample:qwen", "qwen"), ("sample:stablelm-2", "stablelm")]
    {
        let proven = setup(tokenizer, recipe);
        let patch = patch(&proven, recipe, &[]).expect("a patch");
        assert_eq!(run_pytest(&proven, &patch), 3);
        let labelled = compare(&proven, &patch, &samples);
        println!("{tokenizer}: {labelled} of {} samples labelled, all equal", samples.len());
        assert!(labelled * 10 > samples.len() * 8);
    }
}

/// What is learned, read from the prompt by the spans of the supervised tokens: each answer and its stop, in its round.
fn answers_are_learned(proven: &LlavaSetup, sample: &Sample, tokenizer: &str) {
    let inspection = proven.inspect(sample);
    let labelled = inspection.result.expect("labels");
    let prompt = inspection.prompt.expect("a prompt");
    let stop = proven.labelling.template.sep2.clone().expect("sep2");
    let mut learned: Vec<String> = Vec::new();
    let mut before = false;
    for (label, span) in labelled.labels.iter().zip(&labelled.spans) {
        if *label >= 0 {
            match learned.last_mut() {
                Some(run) if before => run.push_str(&prompt[span.clone()]),
                _ => learned.push(prompt[span.clone()].to_string()),
            }
        }
        before = *label >= 0;
    }
    let learned: Vec<&str> = learned.iter().map(|run| run.trim_start()).collect();
    let answers = sample.conversations.iter().filter(|t| t.from == "gpt");
    let expected: Vec<String> = answers.map(|t| format!("{}{stop}", t.value)).collect();
    assert_eq!(learned, expected, "{tokenizer}");
}

/// A tokenizer that no recipe knows is brought in, patched, and its function run.
fn bring_in(tokenizer: &str, expected: TokenizerKind, samples: &[Sample]) -> Map<String, Value> {
    let setup = setup(tokenizer, NONE);
    let found = onboard(&setup, samples).unwrap_or_else(|e| panic!("{tokenizer}: {e}"));
    assert_eq!(found.kind, expected, "{tokenizer}: {:?}", found.reasons);
    for fit in [&found.delta_fits.text, &found.delta_fits.image] {
        assert!(fit.as_ref().expect("a fit").holds(), "{tokenizer}: {:?}", found.delta_fits);
    }
    assert_eq!(found.effect.broken, 0, "{tokenizer}");
    for rounds in 1..=5 {
        answers_are_learned(&found.setup, &conversation(rounds, rounds % 2 == 0), tokenizer);
    }
    let tokens = token_changes(&found.fix);
    let patch = patch(&found.setup, "mine", &tokens).expect("a patch");
    compare(&found.setup, &patch, samples);
    assert_eq!(run_pytest(&found.setup, &patch), 3);
    println!("{tokenizer}: {} ({} of {} left over)", found.fix.summary, found.left_over.len(), samples.len());
    match serde_json::to_value(&patch).expect("plain data") {
        Value::Object(map) => map,
        other => panic!("{other}"),
    }
}

#[test]
#[ignore = "needs python3"]
fn every_kind_of_embedded_tokenizer_can_be_brought_in() {
    let samples = samples();
    let phi = bring_in("sample:phi-2", TokenizerKind::CanAdd, &samples);
    assert!(phi["tokenizer_lines"].as_str().expect("lines").contains("add_special_tokens"));
    let stablelm = bring_in("sample:stablelm-2", TokenizerKind::CannotAdd, &samples);
    assert!(stablelm["tokenizer_lines"].as_str().expect("lines").contains("tokenizer.unk_token = "));
    bring_in("sample:mistral", TokenizerKind::LlamaLike, &samples);
}

#[test]
#[ignore = "needs python3 and MASKSCOPE_CONFORMANCE: an unpacked golden folder"]
fn tokenizers_without_a_recipe_can_be_brought_in() {
    let root = std::env::var_os("MASKSCOPE_CONFORMANCE").expect("MASKSCOPE_CONFORMANCE names a folder");
    let samples = samples();
    let folder = |name: &str| Path::new(&root).join("tokenizers").join(name).display().to_string();
    bring_in(&folder("llama3"), TokenizerKind::CanAdd, &samples);
    bring_in(&folder("qwen3"), TokenizerKind::CanAdd, &samples);
    bring_in(&folder("gpt2"), TokenizerKind::CanAdd, &samples);
    bring_in(&folder("gemma3"), TokenizerKind::LlamaLike, &samples);
    bring_in(&folder("deepseek_v3"), TokenizerKind::CanAdd, &samples);
    bring_in(&folder("t5_seqio"), TokenizerKind::CanAdd, &samples);
}
