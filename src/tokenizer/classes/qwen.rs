//! `QWenTokenizer` (Qwen 1): tiktoken ranks and a closed list of special tokens.
//!
//! The class is code of its repository. That code is never run: what it does was measured. A repository whose class has
//! this name gets this behaviour.

use std::sync::Arc;

use super::class_input::ClassInput;
use super::python_class::{BASE, PythonClass};
use crate::error::Result;
use crate::tokenizer::encoding::TokenId;
use crate::tokenizer::slow::SlowClass;
use crate::tokenizer::slow::tiktoken::TiktokenClass;

pub const QWEN: PythonClass = PythonClass {
    name: "QWenTokenizer",
    fits: |files| files.find_suffix("qwen.tiktoken").is_some(),
    can_add_tokens: false,
    slow_files: &["*.tiktoken"],
    slow: Some(slow),
    add_on_loading: |_, _| Ok(()),
    ..BASE
};

/// The ids of the special tokens follow the ranks.
fn slow(input: &ClassInput<'_>) -> Result<Arc<dyn SlowClass>> {
    let names = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"].into_iter().map(String::from);
    let names: Vec<String> = names.chain((0..205).map(|i| format!("<|extra_{i}|>"))).collect();
    let first = |ranks: usize| TokenId::try_from(ranks).unwrap_or(TokenId::MAX);
    Ok(Arc::new(TiktokenClass::open(input.files, names, first)?))
}
