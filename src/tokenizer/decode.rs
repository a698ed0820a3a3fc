//! Ids back to text, as each class does it.

use super::core::Core;
use super::encoding::{Piece, TokenId};
use super::loaded::{Engine, Tokenizer};
use super::release::Release;
use super::slow::SlowClass;
use crate::error::{Error, Result};
use tokenizers::{Decoder, Model};

impl Tokenizer {
    /// `decode(ids, skip_special_tokens=…)`: the text of a sequence of ids.
    ///
    /// # Errors
    /// [`Error::Encode`] for an id that a slow class has no token for (fast classes leave such ids out).
    pub fn decode(&self, ids: &[TokenId], skip_special_tokens: bool) -> Result<String> {
        let text = match &self.engine {
            Engine::Fast(core) if self.facts.release == Release::V5 => {
                core.decode(ids, skip_special_tokens).map_err(|e| Error::Encode(e.to_string()))?
            }
            Engine::Fast(core) => self.decode_fast(core, ids, skip_special_tokens)?,
            Engine::Slow(class, _) => match class.decode_whole(ids, skip_special_tokens) {
                Some(text) => return Ok(text),
                None => self.decode_slow(class.as_ref(), ids, skip_special_tokens)?,
            },
        };
        Ok(if self.cleans_up() { clean_up_tokenization(&text) } else { text })
    }

    /// The library as 4.x came with it decodes the contents of added tokens (the newer one their normalised form).
    fn decode_fast(&self, core: &Core, ids: &[TokenId], skip_special_tokens: bool) -> Result<String> {
        let special = core.get_added_vocabulary();
        let tokens: Vec<String> = ids
            .iter()
            .filter_map(|id| match self.added.get(*id) {
                Some(token) => Some(token.content.clone()),
                None => core.get_model().id_to_token(*id),
            })
            .filter(|token| !(skip_special_tokens && special.is_special_token(token)))
            .collect();
        match core.get_decoder() {
            Some(decoder) => decoder.decode(tokens).map_err(|e| Error::Encode(e.to_string())),
            None => Ok(tokens.join(" ")),
        }
    }

    /// 5.x leaves the texts of BPE models alone whatever the setting says.
    fn cleans_up(&self) -> bool {
        let is_bpe = match &self.engine {
            Engine::Fast(core) => core.get_model().is_bpe(),
            Engine::Slow(..) => false,
        };
        self.facts.clean_up_tokenization_spaces && !(self.facts.release == Release::V5 && is_bpe)
    }

    /// `PreTrainedTokenizer._decode`: runs of ordinary tokens go to the class, added tokens stand alone, and all
    /// are joined with spaces.
    fn decode_slow(
        &self,
        class: &dyn SlowClass,
        ids: &[TokenId],
        skip_special_tokens: bool,
    ) -> Result<String> {
        let skipped: Vec<TokenId> = match skip_special_tokens {
            true => self.special.all().iter().filter_map(|t| self.resolve(&t.content)).collect(),
            false => Vec::new(),
        };
        let mut parts: Vec<String> = Vec::new();
        let mut run: Vec<String> = Vec::new();
        for id in ids.iter().filter(|id| !skipped.contains(id)) {
            let token = match self.piece(*id) {
                Some(Piece::Text(token)) => token,
                _ => return Err(Error::Encode(format!("{} has no token with id {id}", self.facts.name))),
            };
            if !self.stands_alone(&token) {
                run.push(token);
                continue;
            }
            if !run.is_empty() {
                let text = class.tokens_to_string(&run, &self.special);
                if !text.is_empty() || self.facts.release == Release::V4_31 {
                    parts.push(text);
                }
                run.clear();
            }
            parts.push(token);
        }
        if !run.is_empty() {
            parts.push(class.tokens_to_string(&run, &self.special));
        }
        Ok(parts.join(class.decoded_separator()))
    }

    /// Whether an added token is kept apart from its neighbours: every one in 4.31; later those that are not
    /// special, and additional special tokens beyond the base vocabulary.
    fn stands_alone(&self, token: &str) -> bool {
        let Some(id) = self.added.id_of(token) else { return false };
        if self.facts.release == Release::V4_31 || !self.special.contains(token) {
            return true;
        }
        let additional = self.special.additional.iter().any(|t| t.content == token);
        additional && id as usize >= self.vocab_size()
    }
}

/// `clean_up_tokenization`: takes back the spaces that English tokenizers once put before punctuation.
pub fn clean_up_tokenization(text: &str) -> String {
    const STEPS: [(&str, &str); 10] = [
        (" .", "."),
        (" ?", "?"),
        (" !", "!"),
        (" ,", ","),
        (" ' ", "'"),
        (" n't", "n't"),
        (" 'm", "'m"),
        (" 's", "'s"),
        (" 've", "'ve"),
        (" 're", "'re"),
    ];
    STEPS.iter().fold(text.to_string(), |text, (from, to)| text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clean_up_takes_spaces_before_punctuation_in_order() {
        assert_eq!(clean_up_tokenization("a . b ' s ca n't"), "a. b's can't");
    }
}
