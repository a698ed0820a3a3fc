//! What each token of a message is: header, content, the end of the turn.

use std::ops::Range;

use super::{Anatomy, Message};
use crate::chat::jinja::is_space;
use crate::masks::encoder::Encoder;

/// What a token of a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
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

impl Part {
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
pub struct Place {
    /// Index of the message.
    pub message: usize,
    pub part: Part,
}

impl Anatomy {
    pub(super) fn place_tokens(&self, encoder: &dyn Encoder) -> Vec<Place> {
        let mut places = vec![Place { message: 0, part: Part::Header }; self.encoded.ids.len()];
        for (index, message) in self.messages.iter().enumerate() {
            let block = self.tokens(&message.block);
            let body_start = match (&message.prompt, &message.content) {
                (Some(prompt), _) => prompt.end,
                (None, Some(content)) => content.start,
                (None, None) => message.block.start,
            };
            let tail = self.tail(encoder, message, &block, body_start);
            let inserted_end = message.content.as_ref().filter(|_| message.is_answer()).map(|c| c.start);
            for token in block {
                let (start, end) = self.encoded.offsets.get(token).copied().unwrap_or_default();
                let special = self.encoded.ids.get(token).is_some_and(|id| encoder.is_special(*id));
                let part = match () {
                    () if tail.contains(&token) && special => Part::End,
                    () if tail.contains(&token) => Part::After,
                    // A token that straddles the seam is the answer's first.
                    // A special token that eats white space behind it belongs to what it opens.
                    () if end <= body_start || (special && start < body_start) => Part::Header,
                    () if inserted_end.is_some_and(|at| start < at && end <= at) => Part::Inserted,
                    () => Part::Body,
                };
                if let Some(place) = places.get_mut(token) {
                    *place = Place { message: index, part };
                }
            }
        }
        places
    }

    /// The special tokens and white space that close a block.
    fn tail(
        &self,
        encoder: &dyn Encoder,
        message: &Message,
        block: &Range<usize>,
        body_start: usize,
    ) -> Range<usize> {
        let floor = message.content.as_ref().map_or(body_start, |content| content.end);
        let closes = |token: &usize| {
            let Some((start, end)) = self.encoded.offsets.get(*token).copied() else { return false };
            let special = self.encoded.ids.get(*token).is_some_and(|id| encoder.is_special(*id));
            // A special token that eats white space beside it may begin in the content.
            if special { end > floor } else { start >= floor && self.slice(start..end).chars().all(is_space) }
        };
        let count = block.clone().rev().take_while(closes).count();
        block.end - count..block.end
    }
}
