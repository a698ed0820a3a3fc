//! What a person pastes for a change, with a word on where it goes.
//!
//! All of it is for MoE-LLaVA's files: `train.py` with its preprocess functions, `conversation.py`, the scripts of the
//! stages. All of it is Python, flags are in comments; `maskscope patch` writes the same as a whole function.

use super::change::Change;
use super::data_fix::program;
use super::patch::{python_added, python_object, python_string};
use crate::chat::Columns;
use crate::labels::Rule;
use crate::labels::rules::two::{Offsets, TwoRule};
use crate::setup::TokenChoice;
use crate::tokenizer::Role;

/// The code of a change. `is_new` tells a token that must be added before it can be a role's; `version` is that of the
/// template that is in use after the change.
pub fn code(change: &Change, is_new: &dyn Fn(&str) -> bool, version: &str) -> String {
    match change {
        Change::Token(role, choice) => token(*role, choice, is_new),
        Change::Template(name) => format!("# the scripts of stages 2 and 3: --version {name}"),
        Change::Sep2(text) => {
            format!("# conversation.py, in the template of your --version\nsep2={},", python_string(text))
        }
        Change::Rule(rule) => rule_code(*rule, version),
        Change::Numbers(two) => numbers(*two),
        Change::Strategy(strategy) => {
            format!("# the trainer's strategy, or maskscope --preprocess {}", strategy.name())
        }
        Change::Markers { instruction, response } => {
            let option = |key: &str, text: &str| format!("{key}={}", python_string(text));
            let parts = instruction.iter().map(|text| option("instruction_part", text));
            parts.chain([option("response_part", response)]).collect::<Vec<_>>().join(", ")
        }
        Change::MaxLength(length) => format!("# the scripts: --model_max_length {length}"),
        Change::Data(fix) => program(std::slice::from_ref(fix), Columns::Messages("messages")),
        Change::Drop(samples) => {
            let indices: Vec<String> = samples.iter().map(usize::to_string).collect();
            format!(
                "drop = {{{}}}\ndata = [d for i, d in enumerate(data) if i not in drop]",
                indices.join(", ")
            )
        }
    }
}

/// MoE-LLaVA's train.py copies unk to pad after the tokenizer is made, and so undoes another pad that was set before.
fn token(role: Role, choice: &TokenChoice, is_new: &dyn Fn(&str) -> bool) -> String {
    let attribute = role.attribute();
    let code = match choice {
        TokenChoice::CopyOf(from) => format!("tokenizer.{attribute} = tokenizer.{}", from.attribute()),
        TokenChoice::Surface(text) if is_new(text) => python_added(role, text),
        TokenChoice::Surface(text) => format!("tokenizer.{attribute} = {}", python_string(text)),
        TokenChoice::Object(text) => format!("tokenizer.{attribute} = {}", python_object(text)),
    };
    match (role, choice) {
        (Role::Pad, TokenChoice::CopyOf(Role::Unk)) => code,
        (Role::Pad, _) => {
            format!("# behind the script's own `tokenizer.pad_token = tokenizer.unk_token`\n{code}")
        }
        _ => code,
    }
}

/// Functions that train.py has are dispatched to; for the variants, the lines that make one of another.
fn rule_code(rule: Rule, version: &str) -> String {
    let dispatch = |function: &str| {
        format!(
            "# train.py, first in preprocess()\nif conversation_lib.default_conversation.version.startswith({}):\n    \
             return {function}(sources, tokenizer, has_image=has_image)",
            python_string(version)
        )
    };
    let code = rule.facts().code;
    match (code.function, code.also) {
        (None, _) => format!("# the function with the rule {}", rule.name()),
        (Some(function), "") => dispatch(function),
        (Some(function), also) => format!("{}\n{also}", dispatch(function)),
    }
}

fn numbers(two: TwoRule) -> String {
    let signed = |n: i64| format!("{} {}", if n < 0 { "-" } else { "+" }, n.unsigned_abs());
    let lines = |offsets: Offsets, round: &str, instruction: &str| {
        format!(
            "round_len = {round} {}\ninstruction_len = {instruction} {}",
            signed(offsets.round),
            signed(offsets.instruction)
        )
    };
    let image = lines(
        two.image,
        "len(tokenizer_image_token(rou, tokenizer))",
        "len(tokenizer_image_token(parts[0], tokenizer))",
    );
    let text = lines(two.text, "len(tokenizer(rou).input_ids)", "len(tokenizer(parts[0]).input_ids)");
    let legacy = if two.looks_at_legacy {
        "\n# behind both\nif i != 0 and not tokenizer.legacy:\n    round_len -= 1\n    instruction_len -= 1"
    } else {
        ""
    };
    format!(
        "# train.py, in the preprocess function of your --version\ncur_len = {}\n# where has_image\n{image}\n# else\n{text}{legacy}",
        two.start
    )
}
