//! Where every message of a conversation lies in its rendered text, and what each token of it is.
//!
//! The template engine records where each message's turn begins. The conversation is also rendered up to every
//! message: where a template renders history otherwise than the end of a conversation (Qwen3 strips thoughts), the
//! two diverge, and that place is kept, as it is why trainers that subtract prefixes go wrong.
//!
//! ```text
//! whole   <|im_start|>user⏎ q <|im_end|>⏎ <|im_start|>assistant⏎ answer <|im_end|>⏎ <|im_start|>user⏎ …
//!         └──────── block of message 0 ─┘ └─ header ────────────┘└ body ┘└ end ───┘↑after
//! prefix  …                               <|im_start|>assistant⏎ <think>…
//!                                                                ↑ divergence
//! ```
//!
//! All positions are code points of the text unless a name says tokens.

mod blocks;
mod content;
mod divergence;
mod history;
mod message;
mod place;
mod positions;
mod prompt;

use std::ops::Range;

pub use divergence::{Divergence, PrefixState};
pub use message::MessageAnatomy;
pub use place::{MessagePart, TokenPlace};
pub use prompt::PromptAnatomy;

pub(super) use blocks::{LocatedMessage, locate_messages};
use place::{place_tokens, tokens_in};

use super::encoder::Encoded;
use super::{Call, Chat, EncodedText, MaskError, affordable};
use crate::chat::Conversation;
use crate::chat::jinja::Span;

/// A conversation as text and tokens, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anatomy {
    pub text: String,
    pub encoded: Encoded,
    /// The `{% generation %}` blocks.
    pub generation: Vec<Span>,
    pub messages: Vec<MessageAnatomy>,
    /// One a token.
    pub places: Vec<TokenPlace>,
}

impl Anatomy {
    /// Renders a conversation, its prefixes and its generation prompts.
    ///
    /// # Errors
    /// Where the whole cannot be rendered or encoded; prefixes that raise are [`PrefixState::Raises`].
    pub fn measure(chat: &Chat, sample: &Conversation) -> Result<Self, MaskError> {
        Self::measure_within(chat, sample, usize::MAX)
    }

    /// The same for a conversation whose prefixes are no more than so many bytes.
    ///
    /// # Errors
    /// As [`Self::measure`], and where they are more.
    pub fn measure_within(chat: &Chat, sample: &Conversation, most: usize) -> Result<Self, MaskError> {
        let call = Call::whole(sample);
        let mut rendered = chat.render(call)?;
        affordable(2 * sample.messages.len(), rendered.text.len())?;
        let bytes = (2 * sample.messages.len()).saturating_mul(rendered.text.len());
        if bytes > most {
            return Err(MaskError::Unfit(format!("its prefixes are {bytes} bytes of text")));
        }
        let encoded = chat.encode(&rendered.text)?;
        let generation = std::mem::take(&mut rendered.spans);
        let (ids, source) = EncodedText::new(rendered, encoded);
        let messages = message::messages(chat, call, &source);
        let EncodedText { text, offsets, spans, .. } = source;
        let encoded = Encoded { ids, offsets, spans };
        let places = place_tokens(&text, &encoded, &messages, chat.encoder);
        Ok(Self { text, encoded, generation, messages, places })
    }

    /// Tokens whose first character lies in a stretch of the text.
    pub fn tokens(&self, chars: &Range<usize>) -> Range<usize> {
        tokens_in(&self.encoded, chars)
    }

    /// The token that lies on both sides of a position.
    pub fn straddling(&self, position: usize) -> Option<usize> {
        let behind = self.encoded.offsets.partition_point(|(start, _)| *start < position);
        let token = behind.checked_sub(1)?;
        self.encoded.offsets.get(token).filter(|(_, end)| *end > position).map(|_| token)
    }

    /// Text of some characters.
    pub fn slice(&self, chars: Range<usize>) -> String {
        self.text.chars().skip(chars.start).take(chars.len()).collect()
    }

    /// The first place where the rendering of a prefix differs from the whole, with the message it ends with. Only
    /// prefixes that end with an answer, or right before one, are looked at: no trainer renders others.
    pub fn first_divergence(&self) -> Option<(usize, &Divergence)> {
        let answers = |at: usize| self.messages.get(at).is_some_and(MessageAnatomy::is_answer);
        let edges = self.messages.iter().enumerate().filter(|(at, _)| answers(*at) || answers(*at + 1));
        edges.filter(|(_, m)| !m.block.is_empty()).find_map(|(at, m)| Some((at, m.prefix.divergence()?)))
    }

    /// The first answer whose generation prompt writes what the whole text lacks.
    pub fn first_missing(&self) -> Option<(usize, &str)> {
        let lacking = |message: &&MessageAnatomy| !message.block.is_empty();
        self.messages.iter().enumerate().filter(|(_, m)| lacking(m)).find_map(|(at, message)| {
            let missing = message.prompt.as_ref()?.missing.as_str();
            (!missing.is_empty()).then_some((at, missing))
        })
    }

    /// Tokens of a message's part.
    pub fn tokens_of(&self, message: usize, part: MessagePart) -> impl Iterator<Item = usize> + '_ {
        let here = TokenPlace { message, part };
        self.places.iter().enumerate().filter(move |(_, place)| **place == here).map(|(token, _)| token)
    }
}
