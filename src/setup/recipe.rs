//! The set-up of each known backbone in one word: template, rule and special tokens.

use super::overrides::TokenChoice;
use crate::tokenizer::{Role, Tokenizer};

/// What the training scripts of one backbone do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipe {
    pub name: &'static str,
    pub template: &'static str,
    /// Tokens that are given to roles, before pad becomes unk.
    tokens: &'static [(Role, &'static str)],
    pub summary: &'static str,
}

/// All recipes.
pub const RECIPES: &[Recipe] = &[
    Recipe {
        name: "qwen",
        template: "qwen",
        tokens: &[(Role::Unk, "<|extra_0|>"), (Role::Eos, "<|endoftext|>")],
        summary: "unk <|extra_0|> (exists), eos <|endoftext|>, pad = unk",
    },
    Recipe {
        name: "phi",
        template: "phi",
        tokens: &[(Role::Unk, "<|extra_0|>")],
        summary: "unk <|extra_0|> (added), pad = unk",
    },
    Recipe {
        name: "stablelm",
        template: "stablelm",
        tokens: &[(Role::Unk, "<|reg0|>")],
        summary: "unk <|reg0|> (assigned, as the class cannot add), pad = unk",
    },
    Recipe { name: "llama", template: "v1", tokens: &[], summary: "pad = unk" },
    Recipe { name: "mistral", template: "mistral", tokens: &[], summary: "pad = unk" },
    Recipe { name: "openchat", template: "openchat", tokens: &[], summary: "pad = unk" },
    Recipe { name: "minicpm", template: "minicpm", tokens: &[], summary: "pad = unk" },
];

impl Recipe {
    /// A recipe by name.
    pub fn named(name: &str) -> Option<&'static Self> {
        RECIPES.iter().find(|r| r.name == name)
    }

    /// The names of all recipes.
    pub fn names() -> Vec<&'static str> {
        RECIPES.iter().map(|r| r.name).collect()
    }

    /// The recipe for a tokenizer; `None` where no backbone's set-up is known to fit.
    ///
    /// Backbones that share the Llama class are told apart by a token that only one has, else by name.
    pub fn for_tokenizer(tokenizer: &Tokenizer) -> Option<&'static Self> {
        let class = tokenizer.facts.name.as_str();
        let name = tokenizer.name.to_lowercase();
        let chosen = match class.strip_suffix("Fast").unwrap_or(class) {
            "QWenTokenizer" => "qwen",
            "CodeGenTokenizer" => "phi",
            "Arcade100kTokenizer" => "stablelm",
            "LlamaTokenizer" if tokenizer.token_to_id("<|end_of_turn|>").is_some() => "openchat",
            "LlamaTokenizer" if name.contains("mistral") => "mistral",
            "LlamaTokenizer" if name.contains("minicpm") => "minicpm",
            "LlamaTokenizer" if tokenizer.token_to_id("</s>").is_some() => "llama",
            _ => return None,
        };
        Self::named(chosen)
    }

    /// The overrides, pad last.
    pub fn overrides(&self) -> Vec<(Role, TokenChoice)> {
        let tokens = self.tokens.iter().map(|(role, token)| (*role, TokenChoice::Surface(token.to_string())));
        tokens.chain([(Role::Pad, TokenChoice::CopyOf(Role::Unk))]).collect()
    }
}
