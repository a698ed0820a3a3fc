//! Training text under the generation prompt: does supervision begin exactly where generation would, and end on a
//! token at which generation stops?
//!
//! ```text
//! inference  <|im_start|>user⏎ q <|im_end|>⏎ <|im_start|>assistant⏎
//! training   <|im_start|>user⏎ q <|im_end|>⏎ <|im_start|>assistant⏎ answer <|im_end|>⏎
//! supervised                                                        ▔▔▔▔▔▔ ▔▔▔▔▔▔▔▔▔▔ ▔
//!                                                    start is exact ┘             └ a stop token is supervised
//! ```

use std::ops::Range;

use super::anatomy::{Anatomy, MessageAnatomy, MessagePart};
use super::{IGNORE_INDEX, Masked};
use crate::tokenizer::TokenId;

/// Where the supervision of an answer begins, against the end of the generation prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerStart {
    /// On the first token behind the prompt.
    Exact,
    /// So many tokens of the prompt are supervised.
    Early(usize),
    /// So many tokens behind the prompt are masked.
    Late(usize),
    /// The first answer token lies on both sides of the seam, and is supervised (`true`) or not.
    Straddles(bool),
    /// Nothing of the answer is supervised.
    Never,
    /// Nothing of the answer is left by truncation.
    Cut,
}

/// How the supervision of an answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerStop {
    /// A stop token of the turn's end is supervised.
    Supervised(usize),
    /// The turn ends with this stop token, and it is masked.
    Masked(usize),
    /// The turn ends with this special token, at which generation does not stop.
    Other(usize),
    /// The template writes no special token behind the answer: the next message may bring it.
    Absent,
    /// Truncation took it away.
    Cut,
}

/// One answer with its generation prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelledAnswer {
    /// Index of the message.
    pub message: usize,
    /// Tokens of the whole answer, header and end included.
    pub tokens: Range<usize>,
    /// The first token that generation would write.
    pub generates: usize,
    pub start: AnswerStart,
    pub stop: AnswerStop,
    /// Supervised tokens behind the stop token (a newline, mostly).
    pub beyond_stop: usize,
    /// Tokens of the answer's own text that are masked, although others are supervised.
    pub body_masked: usize,
    pub supervised: usize,
}

impl LabelledAnswer {
    /// True where a model trained on it answers as the prompt asks and stops. Text that the template puts before the
    /// content may be left out: what counts is the answer's own.
    pub fn is_right(&self) -> bool {
        matches!(self.start, AnswerStart::Exact | AnswerStart::Straddles(true) | AnswerStart::Late(_))
            && matches!(self.stop, AnswerStop::Supervised(_))
            && self.body_masked == 0
    }
}

/// All answers of a conversation under one strategy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelOverlay {
    pub answers: Vec<LabelledAnswer>,
    /// Supervised tokens that lie in no answer, by message.
    pub outside: Vec<(usize, usize)>,
}

impl LabelOverlay {
    /// Lays labels over the text; `None` where they are for other ids than the text's (more of them, or different).
    pub fn new(turns: &Anatomy, masked: &Masked, stops: &[TokenId]) -> Option<Self> {
        let len = masked.input_ids.len();
        if turns.encoded.ids.get(..len)? != masked.input_ids {
            return None;
        }
        let labels = Labels { turns, masked, stops };
        let mut outside = Vec::new();
        let mut answers = Vec::new();
        for (index, message) in turns.messages.iter().enumerate() {
            let tokens = turns.tokens(&message.block);
            let supervised = labels.count(tokens.clone());
            if message.is_answer() && !tokens.is_empty() {
                answers.push(labels.answer(index, tokens, supervised));
            } else if supervised > 0 {
                outside.push((index, supervised));
            }
        }
        Some(Self { answers, outside })
    }

    /// True where every answer that is supervised at all is right, at least one is, and nothing else is supervised.
    pub fn is_right(&self) -> bool {
        let mut supervised = self.answers.iter().filter(|answer| answer.supervised > 0).peekable();
        self.outside.is_empty() && supervised.peek().is_some() && supervised.all(LabelledAnswer::is_right)
    }
}

struct Labels<'a> {
    turns: &'a Anatomy,
    masked: &'a Masked,
    stops: &'a [TokenId],
}

impl Labels<'_> {
    fn is_supervised(&self, token: usize) -> bool {
        self.masked.labels.get(token).is_some_and(|label| *label != IGNORE_INDEX)
    }

    fn count(&self, tokens: Range<usize>) -> usize {
        tokens.filter(|token| self.is_supervised(*token)).count()
    }

    fn answer(&self, message: usize, tokens: Range<usize>, supervised: usize) -> LabelledAnswer {
        let turns = self.turns;
        let seam = turns.messages.get(message).map_or(0, MessageAnatomy::body_start);
        let straddling = turns.straddling(seam).filter(|token| tokens.contains(token));
        let generates = straddling.unwrap_or_else(|| turns.tokens(&(seam..usize::MAX)).start);
        let start = self.start(&tokens, generates, straddling.is_some());
        let (stop, beyond_stop) = self.stop(message, &tokens);
        let body = turns.tokens_of(message, MessagePart::Body);
        let kept = self.masked.input_ids.len();
        let body_masked = match supervised {
            0 => 0,
            _ => body.filter(|token| *token < kept && !self.is_supervised(*token)).count(),
        };
        LabelledAnswer { message, tokens, generates, start, stop, beyond_stop, body_masked, supervised }
    }

    fn start(&self, tokens: &Range<usize>, generates: usize, straddles: bool) -> AnswerStart {
        if generates >= self.masked.input_ids.len() {
            return AnswerStart::Cut;
        }
        let early = self.count(tokens.start..generates);
        if early > 0 {
            return AnswerStart::Early(early);
        }
        match (generates..tokens.end).position(|token| self.is_supervised(token)) {
            None => AnswerStart::Never,
            Some(late) if straddles => {
                if late == 0 {
                    AnswerStart::Straddles(true)
                } else {
                    AnswerStart::Straddles(false)
                }
            }
            Some(0) => AnswerStart::Exact,
            Some(late) => AnswerStart::Late(late),
        }
    }

    fn stop(&self, message: usize, tokens: &Range<usize>) -> (AnswerStop, usize) {
        let ends: Vec<usize> = self.turns.tokens_of(message, MessagePart::End).collect();
        let stops =
            |token: &&usize| self.turns.encoded.ids.get(**token).is_some_and(|id| self.stops.contains(id));
        // The first stop token is where generation ends, whatever the template writes behind it.
        let Some(stop) = ends.iter().find(stops).copied() else {
            let kept = self.masked.input_ids.len();
            return match ends.last().copied() {
                Some(end) if end >= kept => (AnswerStop::Cut, 0),
                Some(end) => (AnswerStop::Other(end), 0),
                None if tokens.end > kept => (AnswerStop::Cut, 0),
                None => (AnswerStop::Absent, 0),
            };
        };
        if stop >= self.masked.input_ids.len() {
            return (AnswerStop::Cut, 0);
        }
        let beyond = self.count(stop + 1..tokens.end);
        (
            if self.is_supervised(stop) { AnswerStop::Supervised(stop) } else { AnswerStop::Masked(stop) },
            beyond,
        )
    }
}
