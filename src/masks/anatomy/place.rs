//! What each token of a message is: header, content, the end of the turn.

use std::ops::Range;

use super::message::MessageAnatomy;
use crate::chat::jinja::is_space;
use crate::masks::encoder::{Encoded, Encoder};

/// What a token of a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MessagePart {
    /// Before the text of the message: its role, and what stands in front of the conversation.
    Header,
    /// Of an answer: written by the template before the answer's own text.
    Inserted,
    /// The message's own text: content, thoughts of the data, tool calls.
    Body,
    /// The special token that ends the turn.
    End,
    /// White space and whatever else follows that.
    After,
}

impl MessagePart {
    /// As reports and screens name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Inserted => "before the content",
            Self::Body => "content",
            Self::End => "end of turn",
            Self::After => "behind the end of turn",
        }
    }
}

/// Where a token lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenPlace {
    /// Index of the message.
    pub message: usize,
    pub part: MessagePart,
}

/// Where each token of a text lies: one place a token.
pub(super) fn place_tokens(
    text: &str,
    encoded: &Encoded,
    messages: &[MessageAnatomy],
    encoder: &dyn Encoder,
) -> Vec<TokenPlace> {
    let tokens = PlacedText { text, encoded, encoder };
    let mut places = vec![TokenPlace { message: 0, part: MessagePart::Header }; encoded.ids.len()];
    for (index, message) in messages.iter().enumerate() {
        let block = tokens_in(encoded, &message.block);
        let body_start = message.body_start();
        let tail = tokens.tail(message, &block, body_start);
        let inserted_end = message.content.as_ref().filter(|_| message.is_answer()).map(|c| c.start);
        for token in block {
            let (start, end) = encoded.offsets.get(token).copied().unwrap_or_default();
            let special = tokens.is_special(token);
            let part = match () {
                () if tail.contains(&token) && special => MessagePart::End,
                () if tail.contains(&token) => MessagePart::After,
                // A token that straddles the seam is the answer's first.
                // A special token that eats white space behind it belongs to what it opens.
                () if end <= body_start || (special && start < body_start) => MessagePart::Header,
                () if inserted_end.is_some_and(|at| start < at && end <= at) => MessagePart::Inserted,
                () => MessagePart::Body,
            };
            if let Some(place) = places.get_mut(token) {
                *place = TokenPlace { message: index, part };
            }
        }
    }
    places
}

/// Tokens whose first character lies in a stretch of the text.
pub(super) fn tokens_in(encoded: &Encoded, chars: &Range<usize>) -> Range<usize> {
    let first = encoded.offsets.partition_point(|(start, _)| *start < chars.start);
    let end = encoded.offsets.partition_point(|(start, _)| *start < chars.end);
    first..end.max(first)
}

struct PlacedText<'a> {
    text: &'a str,
    encoded: &'a Encoded,
    encoder: &'a dyn Encoder,
}

impl PlacedText<'_> {
    fn is_special(&self, token: usize) -> bool {
        self.encoded.ids.get(token).is_some_and(|id| self.encoder.is_special(*id))
    }

    /// The special tokens and white space that close a block.
    fn tail(&self, message: &MessageAnatomy, block: &Range<usize>, body_start: usize) -> Range<usize> {
        let floor = message.content.as_ref().map_or(body_start, |content| content.end);
        let closes = |token: &usize| {
            let Some((start, end)) = self.encoded.offsets.get(*token).copied() else { return false };
            let blank = || self.text.chars().skip(start).take(end - start).all(is_space);
            // A special token that eats white space beside it may begin in the content.
            if self.is_special(*token) { end > floor } else { start >= floor && blank() }
        };
        let count = block.clone().rev().take_while(closes).count();
        block.end - count..block.end
    }
}
