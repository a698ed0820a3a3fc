//! Tokens with the message that each belongs to, and how renderers put them down.

use crate::masks::MaskError;
use crate::masks::trainers::Resources;
use crate::tokenizer::TokenId;

/// What a renderer makes of a conversation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RenderedTokens {
    pub ids: Vec<TokenId>,
    /// The message of each token; `None` for what belongs to none.
    pub owners: Vec<Option<usize>>,
    /// Whether the model would write the token itself. Empty where the renderer cannot tell.
    pub sampled: Vec<bool>,
    /// Whether the token is of a message's own text. Empty where the renderer cannot tell.
    pub content: Vec<bool>,
}

/// A rendering in the making.
pub(super) struct Writer<'w, 'a> {
    resources: &'w Resources<'a>,
    pub rendered: RenderedTokens,
}

/// What tokens are: written by the model, of a message's own text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    sampled: bool,
    content: bool,
}

/// Around messages.
pub(super) const SCAFFOLD: Kind = Kind { sampled: false, content: false };
/// What the model writes.
pub(super) const ANSWER: Kind = Kind { sampled: true, content: true };
/// What others say.
pub(super) const BODY: Kind = Kind { sampled: false, content: true };

impl<'w, 'a> Writer<'w, 'a> {
    pub fn new(resources: &'w Resources<'a>) -> Self {
        Self { resources, rendered: RenderedTokens::default() }
    }

    fn push(&mut self, id: TokenId, owner: Option<usize>, kind: Kind) {
        self.rendered.ids.push(id);
        self.rendered.owners.push(owner);
        self.rendered.sampled.push(kind.sampled);
        self.rendered.content.push(kind.content);
    }

    /// One special token.
    pub fn special(&mut self, token: &str, owner: Option<usize>, kind: Kind) {
        if let Some(id) = self.resources.encoder.token_to_id(token) {
            self.push(id, owner, kind);
        }
    }

    /// A text.
    pub fn text(&mut self, text: &str, owner: Option<usize>, kind: Kind) -> Result<(), MaskError> {
        if !text.is_empty() {
            self.resources.ids(text)?.into_iter().for_each(|id| self.push(id, owner, kind));
        }
        Ok(())
    }

    /// Texts that are tokenised as one; a token is of the text that has its first character.
    pub fn segments(&mut self, segments: &[(&str, Kind)], owner: Option<usize>) -> Result<(), MaskError> {
        let text: String = segments.iter().map(|(text, _)| *text).collect();
        if text.is_empty() {
            return Ok(());
        }
        let mut ends = Vec::new();
        let mut end = 0;
        for (text, kind) in segments {
            end += text.chars().count();
            ends.push((end, *kind));
        }
        let last = segments.last().map_or(SCAFFOLD, |(_, kind)| *kind);
        let encoded = self.resources.encoder.encode(&text, false)?;
        for (id, (start, _)) in encoded.ids.iter().zip(&encoded.offsets) {
            let kind = ends.iter().find(|(end, _)| start < end).map_or(last, |(_, kind)| *kind);
            self.push(*id, owner, kind);
        }
        Ok(())
    }
}
