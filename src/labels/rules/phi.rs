//! `preprocess_phi`: for tokenizers without bos. Qwen and StableLM run the same function.

use super::rule_facts::{Counting, RuleFacts, TrainingCode, version_begins};
use super::two::TwoRule;

pub static RULE: RuleFacts = RuleFacts {
    name: "phi",
    aliases: &["qwen", "stablelm"],
    summary: "no bos: starts at 0 and adds 1 a round for the eos (qwen and stablelm run it too)",
    // LLaVA-pp's Phi-3 has a function of its own.
    runs_for: |template| version_begins(template, &["phi", "qwen", "stablelm"]) && template.version != "phi3",
    counting: Counting::Two(TwoRule::PHI),
    code: TrainingCode { function: Some("preprocess_phi"), also: "" },
};
