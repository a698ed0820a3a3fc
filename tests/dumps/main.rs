//! Token dumps: formats and conventions, planted faults, drift, the lines of `hook`, and the commands.

mod commands;
mod drift;
mod faults;
mod formats;
mod hooks;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use maskscope::setup::{LabelChoice, Request, Setup, TemplateChoice, load_tokenizer, resolve};

/// A file or folder of this repository.
fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn setup(tokenizer: &str) -> Setup {
    resolved(&Request { tokenizer: tokenizer.to_string(), ..Request::default() })
}

/// Qwen's vocabulary with a ChatML template.
fn chatml() -> Setup {
    resolved(&Request {
        tokenizer: "sample:qwen".to_string(),
        template: TemplateChoice::parse("sample:chatml-no-tag"),
        preprocess: "axolotl_turn".parse::<LabelChoice>().expect("known"),
        ..Request::default()
    })
}

fn resolved(request: &Request) -> Setup {
    let base = load_tokenizer(request, &mut |_| std::ops::ControlFlow::Continue(())).expect("loads");
    resolve(&base, request).expect("resolves")
}

fn maskscope(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_maskscope")).args(arguments).output().expect("runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}
