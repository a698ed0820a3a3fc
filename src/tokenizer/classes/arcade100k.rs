//! `Arcade100kTokenizer` (StableLM 2): tiktoken ranks and a closed list of special tokens.
//!
//! The class is code of its repository. That code is never run: what it does was measured. A repository whose class has
//! this name gets this behaviour.

use std::sync::Arc;

use super::class_input::ClassInput;
use super::python_class::{BASE, PythonClass};
use crate::error::Result;
use crate::tokenizer::config::InitArguments;
use crate::tokenizer::loaded::Tokenizer;
use crate::tokenizer::slow::SlowClass;
use crate::tokenizer::slow::tiktoken::TiktokenClass;
use crate::tokenizer::special::{Role, SpecialToken};

pub const ARCADE100K: PythonClass = PythonClass {
    name: "Arcade100kTokenizer",
    fits: |files| files.find_suffix("arcade100k.tiktoken").is_some(),
    can_add_tokens: false,
    slow_files: &["*.tiktoken"],
    slow: Some(slow),
    add_on_loading: set_eos_and_pad,
    ..BASE
};

/// Ids of the special tokens begin at 100257; 100256 stays empty.
fn slow(input: &ClassInput<'_>) -> Result<Arc<dyn SlowClass>> {
    let names = SPECIAL_TOKENS.iter().map(|token| token.to_string()).collect();
    Ok(Arc::new(TiktokenClass::open(input.files, names, |_| 100_257)?))
}

/// The class gives itself eos and pad when the files name none.
fn set_eos_and_pad(tokenizer: &mut Tokenizer, _: &mut InitArguments) -> Result<()> {
    for role in [Role::Eos, Role::Pad] {
        if tokenizer.special.get(role).is_none() {
            tokenizer.special.set(role, Some(SpecialToken::from_str("<|endoftext|>")));
        }
    }
    Ok(())
}

/// The special tokens in id order (the customization guide prints the same list).
const SPECIAL_TOKENS: [&str; 32] = [
    "<|endoftext|>",
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|fim_suffix|>",
    "<|fim_pad|>",
    "<gh_stars>",
    "<filename>",
    "<issue_start>",
    "<issue_comment>",
    "<issue_closed>",
    "<jupyter_start>",
    "<jupyter_text>",
    "<jupyter_code>",
    "<jupyter_output>",
    "<empty_output>",
    "<commit_before>",
    "<commit_msg>",
    "<commit_after>",
    "<reponame>",
    "<|endofprompt|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|pause|>",
    "<|reg0|>",
    "<|reg1|>",
    "<|reg2|>",
    "<|reg3|>",
    "<|reg4|>",
    "<|reg5|>",
    "<|reg6|>",
    "<|reg7|>",
    "<|extra0|>",
];
