//! Formats that come without a Python class: GGUF, tekken, and rank files that no class is named for.
//!
//! They are shown as `PreTrainedTokenizerFast` would show them: a pipeline and special tokens.

use crate::error::Result;
use crate::tokenizer::bos_and_eos::{measure_bos_and_eos, remake_post_processor};
use crate::tokenizer::classes::{BACKEND, GENERIC_FAST};
use crate::tokenizer::core::CoreParts;
use crate::tokenizer::facts::{ClassFacts, PaddingSide, VERY_LARGE_INTEGER};
use crate::tokenizer::formats::tokenizer_json;
use crate::tokenizer::loaded::{Engine, Tokenizer};
use crate::tokenizer::release::{Loader, Release};
use crate::tokenizer::special::{Role, SpecialToken, SpecialTokens};

/// What such a file gives.
pub struct ClasslessFormat {
    pub parts: CoreParts,
    pub roles: Vec<(Role, String)>,
    pub adds_bos: bool,
    pub adds_eos: bool,
    pub note: Option<String>,
}

impl ClasslessFormat {
    /// The tokenizer, in the name of a release.
    pub fn into_tokenizer(self, release: Release) -> Result<Tokenizer> {
        let Self { parts, roles, adds_bos, adds_eos, note } = self;
        let (mut core, added) = parts.assemble()?;
        tokenizer_json::add_tokens(&mut core, added)?;
        let mut special = SpecialTokens::default();
        for (role, content) in roles {
            special.set(role, Some(SpecialToken::added(&content, false, true)));
        }
        let is_v5 = release == Release::V5;
        let facts = ClassFacts {
            name: if is_v5 { BACKEND } else { GENERIC_FAST }.to_string(),
            loader: Loader::Fast,
            release,
            legacy: None,
            adds_bos,
            adds_eos,
            ends: [Role::Bos, Role::Eos],
            add_bos_token: None,
            add_eos_token: None,
            add_prefix_space: None,
            can_add_tokens: true,
            model_max_length: VERY_LARGE_INTEGER,
            padding_side: PaddingSide::Right,
            truncation_side: PaddingSide::Right,
            clean_up_tokenization_spaces: false,
        };
        let mut tokenizer = Tokenizer::new(facts, special, Engine::Fast(Box::new(core)));
        tokenizer.notes.extend(note);
        tokenizer.read_added_from_core();
        if adds_bos || adds_eos {
            remake_post_processor(&mut tokenizer)?;
        }
        measure_bos_and_eos(&mut tokenizer)?;
        Ok(tokenizer)
    }
}
