//! What a tokenizer puts around a text: found by encoding one, not by trusting attributes.

use serde_json::Value;
use tokenizers::processors::template::TemplateProcessing;

use super::encoding::TokenId;
use super::loaded::Tokenizer;
use super::special::Role;
use super::steps::part;
use crate::error::{Error, Result};

/// Texts that are encoded with and without special tokens; the first that has an id decides.
const PROBES: [&str; 4] = ["x", "a", "1", "."];

/// The ids that a tokenizer puts around a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IdsAroundText {
    pub before: Vec<TokenId>,
    pub behind: Vec<TokenId>,
}

impl Tokenizer {
    /// The ids that this tokenizer puts before and behind a text, with special tokens asked for.
    ///
    /// # Errors
    /// [`Error::Encode`] where a short text cannot be encoded.
    pub fn ids_around_text(&self) -> Result<IdsAroundText> {
        let mut bare = Vec::new();
        let mut whole = Vec::new();
        for probe in PROBES {
            bare = self.encode(probe, false)?.ids;
            whole = self.encode(probe, true)?.ids;
            if !bare.is_empty() {
                break;
            }
        }
        let at = match bare.len() {
            // A vocabulary with none of the texts: only the role of the first id tells.
            0 => {
                let is_first = |role| whole.first().is_some_and(|id| self.role_id(role) == Some(*id));
                usize::from(is_first(Role::Bos) || is_first(Role::Cls))
            }
            len => whole.windows(len).position(|ids| ids == bare).unwrap_or(0),
        };
        let behind = whole.get(at + bare.len()..).unwrap_or(&[]).to_vec();
        whole.truncate(at);
        Ok(IdsAroundText { before: whole, behind })
    }

    /// `tokenizer._tokenizer.post_processor = …`: another template around the ids of a text, as the library writes it down.
    ///
    /// # Errors
    /// [`Error::Usage`] for a description that is none, and for slow classes, which have no such step.
    pub fn replace_post_processor(&mut self, description: Value) -> Result<()> {
        if self.is_slow() {
            return Err(Error::Usage(format!("{} has no post-processor", self.facts.name)));
        }
        self.set_post_processor(part(description)?);
        measure_bos_and_eos(self)
    }

    /// Takes `adds_bos` and `adds_eos` from what the pipeline does, after a role or the pipeline changed.
    ///
    /// # Errors
    /// As [`Self::ids_around_text`].
    pub fn measure_bos_and_eos(&mut self) -> Result<()> {
        measure_bos_and_eos(self)
    }
}

/// Takes `adds_bos` and `adds_eos` from what the pipeline does.
pub(super) fn measure_bos_and_eos(tokenizer: &mut Tokenizer) -> Result<()> {
    let around = tokenizer.ids_around_text()?;
    let is = |id: Option<&TokenId>, role: Role| id.is_some() && id.copied() == tokenizer.role_id(role);
    let (adds_bos, adds_eos) = (is(around.before.first(), Role::Bos), is(around.behind.last(), Role::Eos));
    (tokenizer.facts.adds_bos, tokenizer.facts.adds_eos) = (adds_bos, adds_eos);
    Ok(())
}

/// Replaces the post-processor by one made of `adds_bos` and `adds_eos`, as the fast Llama class of 4.x does.
///
/// # Errors
/// A flag that is true without its token, and a token that the library's template language cannot write.
pub(super) fn remake_post_processor(tokenizer: &mut Tokenizer) -> Result<()> {
    let mut single = String::from("$A:0");
    let mut tokens: Vec<(String, TokenId)> = Vec::new();
    for (wanted, role) in [(tokenizer.facts.adds_bos, Role::Bos), (tokenizer.facts.adds_eos, Role::Eos)] {
        if !wanted {
            continue;
        }
        let token = tokenizer.special.get(role).map(|t| t.content.clone());
        let (Some(token), Some(id)) = (token, tokenizer.role_id(role)) else {
            let name = role.attribute();
            return Err(Error::Usage(format!(
                "add_{name} is true but there is no {name}: set one with --{}",
                role.name()
            )));
        };
        single = match role {
            Role::Bos => format!("{token}:0 {single}"),
            _ => format!("{single} {token}:0"),
        };
        tokens.push((token, id));
    }
    let processor = TemplateProcessing::builder()
        .try_single(single)
        .map_err(Error::Encode)?
        .special_tokens(tokens)
        .build()
        .map_err(|e| Error::Encode(e.to_string()))?;
    tokenizer.set_post_processor(Some(processor.into()));
    Ok(())
}
