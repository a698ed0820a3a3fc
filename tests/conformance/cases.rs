//! Inputs from public bug reports, with the right answer of each: its `run.sh` is run, and what is printed has to say it.
//!
//! Every folder of `cases/` that has a `run.sh` must be here, as an answer or as one that is still owed, with the reason.

use std::path::Path;
use std::process::Command;

use crate::root;

/// What a case has to print, and what it must not.
struct Answer {
    case: &'static str,
    says: &'static [&'static str],
    never: &'static [&'static str],
}

const ANSWERS: &[Answer] = &[
    Answer {
        case: "01-phi3-newline-swallowed",
        says: &[
            r#"marker that was given: "\n<|assistant|>\n""#,
            "ids alone: [29871, 13, 32001]",
            "ids in the text: [32001]",
            r#"marker "<|assistant|>\n""#,
            "1 repaired",
        ],
        never: &[],
    },
    Answer {
        case: "02-tokenizersbackend-saved-by-v5",
        says: &[
            "4.x refuses this folder (ValueError: Tokenizer class TokenizersBackend does not exist or is not currently imported.)",
            "4.57 refuses this folder (AttributeError: 'list' object has no attribute 'keys'",
            "set tokenizer_class to PreTrainedTokenizerFast",
            "rename it to additional_special_tokens",
        ],
        never: &[],
    },
    Answer {
        case: "03-added-tokens-non-consecutive",
        says: &[
            "Non-consecutive added token '<unk>' found. Should have index 32000 but has index 0",
            "Non-consecutive added token '<|im_start|>' found. Should have index 32000 but has index 32005",
        ],
        never: &[],
    },
    Answer {
        case: "07-fields-template-ignores",
        says: &[
            "message 1: reasoning_content (37 characters) is not in the rendered text",
            "message 1: tool_calls[0].function (46 characters) is not in the rendered text",
            "tools[0] (154 characters) is not in the rendered text",
            "2 samples: 2 repaired",
            "MSK054 warn          2 100.0%",
        ],
        never: &["0 error, 0 warn"],
    },
    Answer {
        case: "08-tool-arguments-string",
        says: &[
            "tool arguments are strings of JSON, and the template takes an object",
            "tool arguments: strings in 1 samples (0)",
            "tool arguments are objects, and the template takes a string of JSON",
            "tool arguments: objects in 1 samples (0)",
            "tool_calls[0].function.arguments is a string of JSON that the template encodes as JSON once more",
            "json.loads the tool arguments",
            "json.dumps the tool arguments",
        ],
        never: &[],
    },
    Answer {
        case: "10-content-list-on-string-template",
        says: &[
            r#"TypeError: can only concatenate str (not "list") to str"#,
            "UndefinedError: 'dict object' has no attribute 'content'",
            "content is null, and the template takes a text; content is a list of parts, and the template takes a text",
            "content is printed as a Python value: [{'type': 'text', 'text': 'Answer briefly.'}]",
            "2 samples: 2 repaired",
        ],
        never: &["names an image, and no turn"],
    },
    Answer { case: "13-parquet-null-arguments", says: &["null"], never: &[] },
    Answer {
        case: "15-lf-sharegpt-order",
        says: &[
            "Be|·brief|.↵↵",
            "#|·Tools|↵↵|You|·may|·call",
            "<think>|↵↵|</think>|↵↵|<tool_call>|↵",
            r#"{"|name|":|·"|weather|",|·"|arguments|":|·{"|city|":|·"|Os|lo|"}}↵"#,
            "</tool_call>|⟨<|im_end|>⟩|↵",
            "role \"assistant\": the turns do not alternate (1",
            "3 messages do not make prompt and answer pairs (3)",
        ],
        never: &[],
    },
    Answer {
        case: "28-kimi-tiktoken-model",
        says: &[
            "20002,",
            "20002  <|im_end|>",
            "TikTokenTokenizer: its code is not run; 20000 ranks, special tokens by tokenizer_config.json, 256 ids from 20000 on",
            "unk [UNK], pad [PAD] have no id",
        ],
        never: &["needs tokenizer.json"],
    },
    Answer {
        case: "37-header-always-written",
        says: &[
            "the template writes the generation prompt whether it is asked for or not",
            "<|start_header_id|>assistant<|end_header_id|>",
            "{% if add_generation_prompt %}",
        ],
        never: &["training and inference agree"],
    },
    Answer {
        case: "40-vlm-image-parts",
        says: &[
            "string-no-place: 0 places for 1 image files",
            "two-for-one: 1 places for 2 image files",
            "llava-word: 0 places for 1 image files: <image> stays a text",
            "image_url: 0 places for 1 image files: the template writes nothing for parts of type image_url",
            "image-in-answer: 3 tokens that stand for an image are supervised",
            "records: 5 of 6",
        ],
        never: &["no turn has a placeholder", "sound: "],
    },
];

/// Cases whose right answer is not given yet, with what is missing.
const OWED: &[(&str, &str)] = &[("15-lf-sharegpt-order", "LLaMA-Factory's tool formats are not reproduced")];

#[test]
#[ignore = "needs MASKSCOPE_CONFORMANCE"]
fn every_case_gets_its_right_answer() {
    let cases = root().join("cases");
    let entries = std::fs::read_dir(&cases).unwrap_or_else(|e| panic!("{}: {e}", cases.display()));
    let mut folders: Vec<String> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.path().join("run.sh").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    folders.sort();
    assert!(!folders.is_empty(), "{} holds no case", cases.display());
    let mut wrong = Vec::new();
    for folder in &folders {
        match ANSWERS.iter().find(|answer| answer.case == folder) {
            Some(answer) => wrong.extend(problems(&cases, answer)),
            None => match OWED.iter().find(|(case, _)| case == folder) {
                Some((case, missing)) => println!("{case}: still owed: {missing}"),
                None => wrong.push(format!("{folder}: no answer stands here")),
            },
        }
    }
    let known = ANSWERS.iter().map(|answer| answer.case).chain(OWED.iter().map(|(case, _)| *case));
    wrong.extend(
        known.filter(|case| !folders.iter().any(|f| f == case)).map(|case| format!("{case} is not there")),
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn problems(cases: &Path, answer: &Answer) -> Vec<String> {
    let output = Command::new("bash")
        .arg("run.sh")
        .current_dir(cases.join(answer.case))
        .env("MASKSCOPE", assert_cmd::cargo::cargo_bin("maskscope"))
        .env("TOKENIZERS", root().join("tokenizers"))
        .env("CASES", cases)
        .output()
        .expect("bash runs");
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let missing = answer.says.iter().filter(|text| !said.contains(**text));
    let missing = missing.map(|text| format!("{}: does not say {text:?}", answer.case));
    let wrong = answer.never.iter().filter(|text| said.contains(**text));
    missing.chain(wrong.map(|text| format!("{}: says {text:?}", answer.case))).collect()
}
