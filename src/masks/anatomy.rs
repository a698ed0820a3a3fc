//! Where every message of a conversation lies in its rendered text, and what each token of it is.
//!
//! A template gives no positions, so they are measured: the conversation is rendered up to every message, and the
//! end of that rendering is looked for in the whole. Where a template renders history otherwise than the end of a
//! conversation (Qwen3 strips thoughts), the two part, and that place is kept: it is why trainers that subtract
//! prefixes go wrong.
//!
//! ```text
//! whole   <|im_start|>user⏎ q <|im_end|>⏎ <|im_start|>assistant⏎ answer <|im_end|>⏎ <|im_start|>user⏎ …
//!         └──────── block of message 0 ─┘ └─ header ────────────┘└ body ┘└ end ───┘↑after
//! prefix  …                               <|im_start|>assistant⏎ <think>…
//!                                                                ↑ parts here
//! ```
//!
//! All positions are code points of the text unless a name says tokens.

use std::cell::LazyCell;
use std::ops::Range;

use serde_json::Value;

use super::encoder::{Encoded, Encoder};
use super::{Call, Chat, MaskError, Sample, affordable, role};
use crate::chat::jinja::{Span, is_space};

/// Characters that an excerpt shows.
const EXCERPT: usize = 48;
/// Longest and shortest piece of a prefix's end that is looked for in the whole, in bytes.
const ANCHOR: Range<usize> = 3..96;
/// Bytes that candidates for an end are compared by.
const COMPARED: usize = 4096;
/// Tags that templates cut an answer's thought at.
const THOUGHT_END: &str = "</think>";

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

/// Two texts that were expected to agree stop doing so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parting {
    /// Character of the whole text.
    pub at: usize,
    /// What the shorter rendering has from there on, at most [`EXCERPT`] characters.
    pub alone: String,
    /// What the whole has.
    pub whole: String,
}

/// The generation prompt of one answer, `R(messages before it, add_generation_prompt=True)`, laid over the whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// The last character up to which both agree, counted from the answer's block on.
    pub end: usize,
    /// What the prompt writes beyond that and the training text lacks (`<think>` for one); empty where all of it
    /// is in the training text.
    pub missing: String,
    /// The messages before the answer are rendered otherwise at inference.
    pub history: Option<Parting>,
    /// `add_generation_prompt` changes nothing.
    pub ignored: bool,
    /// The header that the prompt adds, whether or not the training text has it.
    pub header: String,
}

/// One message in the rendered text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub role: String,
    /// Everything that it added; empty where the template merges it into the next one or leaves it out.
    pub block: Range<usize>,
    /// Its content as far as it is found in the block, with the thought of the data before it.
    pub content: Option<Range<usize>>,
    /// `R(messages up to this one)` is no prefix of the whole, or raises.
    pub prefix: PrefixState,
    /// For answers with a message before them.
    pub prompt: Option<Prompt>,
}

/// How the rendering up to a message relates to the whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrefixState {
    Whole,
    Parts(Parting),
    /// The template raises on it.
    Raises(String),
}

impl PrefixState {
    /// Where it parts, if it does.
    pub fn parting(&self) -> Option<&Parting> {
        match self {
            Self::Parts(parting) => Some(parting),
            _ => None,
        }
    }
}

impl Message {
    /// True for an answer of the model.
    pub fn is_answer(&self) -> bool {
        self.role == "assistant"
    }
}

/// A conversation as text and tokens, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anatomy {
    pub text: String,
    pub encoded: Encoded,
    /// The `{% generation %}` blocks.
    pub generation: Vec<Span>,
    pub messages: Vec<Message>,
    /// One a token.
    pub places: Vec<Place>,
}

impl Anatomy {
    /// Renders a conversation, its prefixes and its generation prompts.
    ///
    /// # Errors
    /// Where the whole cannot be rendered or encoded; prefixes that raise are [`PrefixState::Raises`].
    pub fn measure(chat: &Chat, sample: &Sample) -> Result<Self, MaskError> {
        let call = Call::whole(sample);
        let rendered = chat.render(call)?;
        affordable(2 * sample.messages.len(), rendered.text.len())?;
        let encoded = chat.encode(&rendered.text)?;
        let messages = messages(chat, call, &rendered.text, &encoded);
        let mut turns =
            Self { text: rendered.text, encoded, generation: rendered.spans, messages, places: Vec::new() };
        turns.places = turns.place_tokens(chat.encoder);
        Ok(turns)
    }

    /// Tokens whose first character lies in a stretch of the text.
    pub fn tokens(&self, chars: &Range<usize>) -> Range<usize> {
        let first = self.encoded.offsets.partition_point(|(start, _)| *start < chars.start);
        let end = self.encoded.offsets.partition_point(|(start, _)| *start < chars.end);
        first..end.max(first)
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
    /// prefixes that end with an answer, or right before one, matter to anybody.
    pub fn first_parting(&self) -> Option<(usize, &Parting)> {
        let answers = |at: usize| self.messages.get(at).is_some_and(Message::is_answer);
        let edges = self.messages.iter().enumerate().filter(|(at, _)| answers(*at) || answers(*at + 1));
        edges.filter(|(_, m)| !m.block.is_empty()).find_map(|(at, m)| Some((at, m.prefix.parting()?)))
    }

    /// The first answer whose generation prompt writes what the whole text lacks.
    pub fn first_missing(&self) -> Option<(usize, &str)> {
        let lacking = |message: &&Message| !message.block.is_empty();
        self.messages.iter().enumerate().filter(|(_, m)| lacking(m)).find_map(|(at, message)| {
            let missing = message.prompt.as_ref()?.missing.as_str();
            (!missing.is_empty()).then_some((at, missing))
        })
    }

    /// Tokens of a message's part.
    pub fn tokens_of(&self, message: usize, part: Part) -> impl Iterator<Item = usize> + '_ {
        let here = Place { message, part };
        self.places.iter().enumerate().filter(move |(_, place)| **place == here).map(|(token, _)| token)
    }

    fn place_tokens(&self, encoder: &dyn Encoder) -> Vec<Place> {
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

/// Bytes of every message's block and of its own text in it, for a text that the template made of the sample. Costs
/// a rendering a message; `None` where that would be too many.
pub(super) fn spans(chat: &Chat, sample: &Sample, text: &str) -> Option<Vec<Located>> {
    if sample.messages.len() > MAX_RENDERED || affordable(sample.messages.len(), text.len()).is_err() {
        return None;
    }
    let call = Call::whole(sample);
    let tokens = Tokens::of(text, || chat.encode(text).unwrap_or_default());
    let mut located = locate(chat, call, text, &tokens);
    for (index, message) in located.iter_mut().enumerate() {
        // An answer of nothing but calls or thoughts: all behind its header.
        let is_answer = call.messages.get(index).is_some_and(|m| role(m) == "assistant");
        if message.content.is_none() && is_answer && !message.block.is_empty() {
            let prompt = prompt_of(chat, call, index, text, message.block.start, &tokens);
            let start = prompt.map_or(message.block.start, |prompt| tokens.byte(prompt.end));
            let end = text.get(..message.block.end).unwrap_or_default().trim_end_matches(is_space).len();
            message.content = (start < end).then_some(start..end);
        }
    }
    Some(located)
}

/// Above this many messages, nobody waits for a rendering of each prefix.
const MAX_RENDERED: usize = 200;

/// A message in a text, in bytes.
pub(super) struct Located {
    pub block: Range<usize>,
    pub content: Option<Range<usize>>,
    prefix: PrefixState,
}

fn locate<'t>(chat: &Chat, call: Call, whole: &'t str, tokens: &Tokens<'t>) -> Vec<Located> {
    let last = call.messages.len().saturating_sub(1);
    let mut start = 0;
    let mut located = Vec::with_capacity(call.messages.len());
    for (index, value) in call.messages.iter().enumerate() {
        let (end, prefix) = match index == last {
            true => (whole.len(), PrefixState::Whole),
            false => match chat.text(call.prefix(index + 1, false)) {
                Ok(text) if whole.starts_with(&text) => (text.len().max(start), PrefixState::Whole),
                Ok(text) => {
                    let own = content_text(value).unwrap_or_default();
                    let end = end_in(whole, &text, start, own.trim_matches(is_space)).unwrap_or(start);
                    let end = tokens.start_of(end).max(start);
                    let state = parting(whole, &text, tokens).map_or(PrefixState::Whole, PrefixState::Parts);
                    (end, state)
                }
                Err(error) => (start, PrefixState::Raises(error.to_string())),
            },
        };
        let content = find_content(value, whole.get(start..end).unwrap_or_default())
            .map(|found| start + found.start..start + found.end);
        located.push(Located { block: start..end, content, prefix });
        start = end;
    }
    located
}

fn messages(chat: &Chat, call: Call, whole: &str, encoded: &Encoded) -> Vec<Message> {
    let tokens = Tokens::of(whole, || encoded.clone());
    let chars = |bytes: &Range<usize>| tokens.chars.at(bytes.start)..tokens.chars.at(bytes.end);
    let located = locate(chat, call, whole, &tokens);
    let message = |(index, (value, located)): (usize, (&Value, Located))| {
        let name = role(value);
        let prompt = (name == "assistant" && index > 0)
            .then(|| prompt_of(chat, call, index, whole, located.block.start, &tokens));
        Message {
            role: name.to_string(),
            block: chars(&located.block),
            content: located.content.as_ref().map(chars),
            prefix: located.prefix,
            prompt: prompt.flatten(),
        }
    };
    let mut messages: Vec<Message> = call.messages.iter().zip(located).enumerate().map(message).collect();
    let header = messages.iter().find_map(|m| Some(m.prompt.as_ref()?.header.clone()));
    if let (Some(header), Some(first)) = (header, messages.first_mut()) {
        first.prompt = first_prompt(whole, &header, first, &tokens);
    }
    messages
}

/// A conversation that begins with an answer: nothing can be rendered before it, but its header is that of the others.
fn first_prompt(whole: &str, header: &str, first: &Message, tokens: &Tokens) -> Option<Prompt> {
    if !first.is_answer() || header.is_empty() {
        return None;
    }
    let block = whole.get(..tokens.byte(first.block.end))?;
    let end = block.find(header)? + header.len();
    let end = tokens.chars.at(end);
    Some(Prompt { end, missing: String::new(), history: None, ignored: false, header: header.to_string() })
}

/// The generation prompt of message `index`, whose block starts at byte `start`.
fn prompt_of<'t>(
    chat: &Chat,
    call: Call,
    index: usize,
    whole: &'t str,
    start: usize,
    tokens: &Tokens<'t>,
) -> Option<Prompt> {
    let text = chat.text(call.prefix(index, true)).ok()?;
    let without = chat.text(call.prefix(index, false)).ok();
    Some(prompt(whole, start, &text, without.as_deref(), tokens))
}

/// The prompt for an answer whose block starts at `start`; `without` is the same call without the generation prompt.
fn prompt(whole: &str, start: usize, text: &str, without: Option<&str>, tokens: &Tokens) -> Prompt {
    let history = whole.get(..start).unwrap_or_default();
    let header_at = end_in(text, history, 0, "").unwrap_or(0);
    let header = text.get(header_at..).unwrap_or_default();
    let rest = whole.get(start..).unwrap_or_default();
    let mut shared = shared_prefix(rest, header);
    if shared < header.len() {
        shared = tokens.seam(start + shared).saturating_sub(start);
    }
    let differs = text.get(..header_at).is_none_or(|head| head != history);
    Prompt {
        end: tokens.chars.at(start + shared),
        missing: header.get(shared..).unwrap_or_default().to_string(),
        history: differs.then(|| parting(whole, text, tokens)).flatten(),
        ignored: without == Some(text),
        header: header.to_string(),
    }
}

/// Bytes that two texts share from the start, on a character boundary of both.
fn shared_prefix(a: &str, b: &str) -> usize {
    a.chars().zip(b.chars()).take_while(|(a, b)| a == b).map(|(c, _)| c.len_utf8()).sum()
}

/// Where `alone` stops being a prefix of `whole`.
fn parting(whole: &str, alone: &str, tokens: &Tokens) -> Option<Parting> {
    let shared = shared_prefix(whole, alone);
    if shared == alone.len() {
        return None;
    }
    let at = tokens.seam(shared);
    let excerpt = |text: &str| text.get(at..).unwrap_or_default().chars().take(EXCERPT).collect();
    Some(Parting { at: tokens.chars.at(at), alone: excerpt(alone), whole: excerpt(whole) })
}

/// The byte of `whole` up to which it says what `prefix` says, not before `from`.
///
/// A prefix is that by itself; else its end is looked for, as much of it as can be found. What it has behind `own`, the
/// text of its last message, only closes it (an eos, the end of several tool results) and is no part of the history.
fn end_in(whole: &str, prefix: &str, from: usize, own: &str) -> Option<usize> {
    let shared = shared_prefix(whole, prefix);
    let rest = prefix.get(shared..).unwrap_or_default();
    let said = || match own {
        "" => whole.ends_with(rest),
        own => {
            let before = || whole.get(from..shared).is_some_and(|text| text.contains(own));
            !rest.contains(own) && (whole.ends_with(rest) || before())
        }
    };
    if shared >= from && (rest.is_empty() || (shared > from && said())) {
        return Some(shared);
    }
    // The message's own text with what closes it; the first place is the right one, as answers may repeat.
    let closed = prefix.rfind(own).filter(|_| !own.is_empty()).and_then(|at| prefix.get(at..));
    if let Some((closed, at)) = closed.and_then(|closed| Some((closed, whole.get(from..)?.find(closed)?))) {
        return Some(from + at + closed.len());
    }
    let mut width = ANCHOR.end.min(prefix.len());
    let area = whole.get(from..)?;
    while width >= ANCHOR.start {
        let cut = (prefix.len() - width..prefix.len()).find(|at| prefix.is_char_boundary(*at))?;
        let anchor = prefix.get(cut..)?;
        let ends = area.match_indices(anchor).map(|(at, _)| from + at + anchor.len());
        let best = ends.map(|end| (shared_suffix(whole.get(..end).unwrap_or_default(), prefix), end));
        if let Some((_, end)) = best.max_by_key(|(shared, end)| (*shared, usize::MAX - end)) {
            return Some(end);
        }
        width = width * 2 / 3;
    }
    None
}

fn shared_suffix(a: &str, b: &str) -> usize {
    a.bytes().rev().zip(b.bytes().rev()).take(COMPARED).take_while(|(a, b)| a == b).count()
}

/// Bytes of a message's text in its block: as it is, without white space around it, or without its thought.
fn find_content(message: &Value, block: &str) -> Option<Range<usize>> {
    let text = content_text(message)?;
    let trimmed = text.trim_matches(is_space);
    let said = text.rsplit(THOUGHT_END).next().unwrap_or_default().trim_matches(is_space);
    [text.as_str(), trimmed, said].into_iter().filter(|text| !text.is_empty()).find_map(|text| {
        // What is written last is the content: role names and tools stand before it.
        let at = block.rfind(text)?;
        Some(with_thought(message, block, at)..at + text.len())
    })
}

/// The byte at which a message's thought begins, its opening tag included, where the block has it before the content.
fn with_thought(message: &Value, block: &str, content: usize) -> usize {
    let head = block.get(..content).unwrap_or_default();
    let thought =
        ["reasoning_content", "thinking", "reasoning"].iter().find_map(|key| message.get(key)?.as_str());
    let Some(at) =
        thought.map(|text| text.trim_matches(is_space)).filter(|t| !t.is_empty()).and_then(|t| head.rfind(t))
    else {
        return content;
    };
    let before = head.get(..at).unwrap_or_default().trim_end_matches(is_space);
    let tag = before.ends_with('>').then(|| before.rfind('<')).flatten();
    tag.unwrap_or(at)
}

/// The text of a message, parts put together.
fn content_text(message: &Value) -> Option<String> {
    match message.get("content")? {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => Some(parts.iter().filter_map(|part| part.get("text")?.as_str()).collect()),
        _ => None,
    }
}

/// Bytes of a text to its characters.
struct Chars<'t> {
    /// Byte of every [`Chars::STRIDE`]th character.
    marks: Vec<usize>,
    text: &'t str,
}

impl<'t> Chars<'t> {
    const STRIDE: usize = 64;

    fn new(text: &'t str) -> Self {
        Self { marks: text.char_indices().step_by(Self::STRIDE).map(|(at, _)| at).collect(), text }
    }

    /// The character that begins at a byte.
    fn at(&self, byte: usize) -> usize {
        let mark = self.marks.partition_point(|mark| *mark <= byte).saturating_sub(1);
        let from = self.marks.get(mark).copied().unwrap_or(0);
        mark * Self::STRIDE + self.text.get(from..byte).map_or(0, |text| text.chars().count())
    }

    /// The byte at which a character begins.
    fn byte(&self, character: usize) -> usize {
        let from = self.marks.get(character / Self::STRIDE).copied().unwrap_or(self.text.len());
        let rest = self.text.get(from..).unwrap_or_default();
        rest.char_indices().nth(character % Self::STRIDE).map_or(self.text.len(), |(at, _)| from + at)
    }
}

/// The whole text with its tokens, which are asked for only where a prefix is none.
struct Tokens<'t> {
    chars: Chars<'t>,
    encoded: LazyCell<Encoded, Box<dyn FnOnce() -> Encoded + 't>>,
}

impl<'t> Tokens<'t> {
    fn of(text: &'t str, encode: impl FnOnce() -> Encoded + 't) -> Self {
        Self { chars: Chars::new(text), encoded: LazyCell::new(Box::new(encode)) }
    }

    fn byte(&self, character: usize) -> usize {
        self.chars.byte(character)
    }

    /// Where two texts part that agree up to a byte: what two special tokens or tags share is no common text.
    fn seam(&self, byte: usize) -> usize {
        let start = self.start_of(byte);
        let head = self.chars.text.get(..start).unwrap_or_default();
        start - usize::from(head.ends_with(['<', '[']))
    }

    /// The byte at which the token begins that lies on both sides of a byte; the byte itself between tokens.
    fn start_of(&self, byte: usize) -> usize {
        let position = self.chars.at(byte);
        let behind = self.encoded.offsets.partition_point(|(start, _)| *start < position);
        let token = behind.checked_sub(1).and_then(|token| self.encoded.offsets.get(token));
        let Some((start, _)) = token.filter(|(_, end)| *end > position) else { return byte };
        let back = self.chars.text.get(..byte).unwrap_or_default().chars().rev().take(position - start);
        byte - back.map(char::len_utf8).sum::<usize>()
    }
}
