//! Lines of Python that write what a running trainer feeds: for a person to save beside a training script.
//!
//! The trainers of this list are all subclasses of transformers' `Trainer`, and none of them gets a batch to its model but
//! through `training_step`. They differ in how they are started.

use crate::diagnose::python_string;
use crate::error::{Error, Result};
use crate::text;

/// A trainer that can be hooked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HookTrainer {
    pub name: &'static str,
    /// How its training is started with the lines in place.
    start: &'static str,
    /// What to know of its batches.
    remark: &'static str,
}

/// All of them.
pub const HOOK_TRAINERS: &[HookTrainer] = &[
    HookTrainer {
        name: "transformers",
        start: "import maskscope_hook      # in the training script, before trainer.train()",
        remark: "Batches are written as the data collator made them: the model shifts labels by itself.",
    },
    HookTrainer {
        name: "trl",
        start: "import maskscope_hook      # in the training script, before trainer.train()",
        remark: "SFTTrainer and DPOTrainer: with padding_free or packing a batch is one row, and position_ids start again.",
    },
    HookTrainer {
        name: "axolotl",
        start: "python -c 'import maskscope_hook, runpy; runpy.run_module(\"axolotl.cli.train\", run_name=\"__main__\")' config.yml",
        remark: "With sample_packing attention_mask numbers the documents of a row. last_run_prepared opens as well.",
    },
    HookTrainer {
        name: "llamafactory",
        start: "python -c 'import maskscope_hook; from llamafactory.cli import main; main()' train config.yaml",
        remark: "On one GPU: torchrun starts other processes without these lines. tokenized_path opens as well.",
    },
    HookTrainer {
        name: "llava",
        start: "python -c 'import maskscope_hook; from llava.train.train import train; train()' --model_name_or_path …",
        remark: "Batches are written before the model puts image features in the place of −200.",
    },
];

/// The lines for a trainer.
///
/// # Errors
/// A name that is none of [`HOOK_TRAINERS`].
pub fn hook_lines(trainer: &str, path: &str, batches: usize) -> Result<String> {
    let known =
        HOOK_TRAINERS.iter().find(|known| known.name == trainer).ok_or_else(|| Error::UnknownName {
            kind: "trainer",
            name: trainer.to_string(),
            known: HOOK_TRAINERS.iter().map(|known| known.name.to_string()).collect(),
        })?;
    // In a comment, which a line break would end.
    let path_text = text::plain(path);
    let head = [
        format!("The first {batches} batches that {} feeds, one row a line, in {path_text}.", known.name),
        "Save these lines as maskscope_hook.py where training starts, and start it with them:".to_string(),
        format!("    {}", known.start),
        known.remark.to_string(),
        format!("Then: maskscope tokens {path_text} -t TOKENIZER"),
    ];
    let head: String = head.iter().map(|line| format!("# {line}\n")).collect();
    let body = include_str!("hook.py")
        .replace("@PATH@", &python_string(path))
        .replace("@BATCHES@", &batches.to_string());
    Ok(head + &body)
}
