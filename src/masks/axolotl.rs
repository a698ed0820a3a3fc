//! axolotl's `chat_template` strategy (0.19.0): where a turn's content lies is found by rendering the whole
//! conversation again with a dummy in its place.
//!
//! Two dummies with different edges are tried and the wider difference counts, so a letter that template and
//! dummy share does not hide the edge. Header, end-of-turn and template white space stay outside the span; the
//! end-of-turn and end-of-sequence tokens are then looked for right behind it. An empty turn has no span, and
//! the search for its end token starts at position −1, the last token of the sample.

use std::collections::BTreeSet;
use std::ops::Range;

use serde_json::{Map, Value};

use super::{Call, Chat, EncodedText, MaskError, Masked, content, role};
use crate::chat::Conversation;
use crate::tokenizer::TokenId;

mod detail;

/// Stand-ins for a turn's content; their first and last characters differ.
const DUMMIES: [&str; 2] = ["[[dummy_message]]", "zzdummymessagezz"];
/// An end token counts when it is at most this far behind the content.
const END_TOKEN_REACH: usize = 3;

/// `train_on_eos` and `train_on_eot`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum EndTokens {
    /// After turns that are trained.
    #[default]
    Turn,
    /// After every turn.
    All,
    /// After the last turn that has one.
    Last,
    /// Never.
    None,
}

/// The settings of a dataset, with axolotl's defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AxolotlOptions {
    pub roles_to_train: Vec<String>,
    pub train_on_inputs: bool,
    pub train_on_eos: EndTokens,
    /// As `train_on_eos` when not set.
    pub train_on_eot: Option<EndTokens>,
    /// The eos token when not set.
    pub eot_tokens: Option<Vec<String>>,
    /// Key of a per-message flag (`message_field_training`).
    pub message_field_training: String,
    /// Key of a list of character ranges (`message_field_training_detail`).
    pub message_field_training_detail: String,
    /// `message_property_mappings`: template key and data key. Other keys are kept if the template reads them.
    pub property_mappings: Vec<(String, String)>,
    /// `remove_none_values`: nulls vanish everywhere in the row before it is used, tool arguments included.
    pub remove_none_values: bool,
}

impl Default for AxolotlOptions {
    fn default() -> Self {
        let same = |key: &str| (key.to_string(), key.to_string());
        Self {
            roles_to_train: vec!["assistant".into()],
            train_on_inputs: false,
            train_on_eos: EndTokens::Turn,
            train_on_eot: None,
            eot_tokens: None,
            message_field_training: "training".into(),
            message_field_training_detail: "training_detail".into(),
            property_mappings: ["role", "content", "reasoning_content"].map(same).to_vec(),
            remove_none_values: true,
        }
    }
}

/// A message as the strategy keeps it.
#[derive(Debug, Clone)]
struct Turn {
    message: Value,
    train: Option<bool>,
    detail: Option<Vec<detail::Detail>>,
}

/// The rendered conversation with the token edges in characters.
struct Located<'c> {
    chat: &'c Chat<'c>,
    messages: Vec<Value>,
    tools: Option<&'c [Value]>,
    text: Vec<char>,
    token_starts: Vec<usize>,
    token_ends: Vec<usize>,
}

/// Labels of a conversation.
///
/// # Errors
/// Template errors, `ValueError` for end-of-turn tokens that are not one token.
pub fn label(chat: &Chat, sample: &Conversation, options: &AxolotlOptions) -> Result<Masked, MaskError> {
    let turns = turns(chat, &sample.messages, options)?;
    let messages: Vec<Value> = turns.iter().map(|turn| turn.message.clone()).collect();
    let tools = sample.tools.as_deref().filter(|tools| !tools.is_empty());
    let rendered = chat.render(call(&messages, tools))?;
    super::affordable(2 * turns.len(), rendered.text.len())?;
    let encoded = chat.encode(&rendered.text)?;
    let (token_starts, token_ends) = encoded.offsets.iter().copied().unzip();
    let text = rendered.text.chars().collect();
    let located = Located { chat, messages, tools, text, token_starts, token_ends };
    let (ids, source) = EncodedText::new(rendered, encoded);
    let mut masked = Masked::ignored(ids).of_text(source);
    let ends = EndSearch::new(chat, options)?;
    let mut last = [None, None];
    for (index, turn) in turns.iter().enumerate() {
        let trained = turn.train.unwrap_or_else(|| match &turn.detail {
            Some(detail) => !detail.is_empty(),
            None => {
                options.train_on_inputs || options.roles_to_train.iter().any(|r| r == role(&turn.message))
            }
        });
        if !trained && !ends.kinds.iter().any(|kind| kind.when == EndTokens::All) {
            continue;
        }
        let span = located.find(index)?;
        if let (true, Some(span)) = (trained, &span) {
            train_span(chat, &mut masked, turn, span)?;
        }
        for (kind, last) in ends.kinds.iter().zip(&mut last) {
            let Some(at) = kind.find(&masked.input_ids, span.as_ref().map(|s| s.end)) else { continue };
            *last = Some(at);
            if kind.when == EndTokens::All || (kind.when == EndTokens::Turn && trained) {
                masked.supervise_token(at);
            }
        }
        if span.is_none() && trained && !content(&turn.message).unwrap_or_default().is_empty() {
            masked.note(
                0..0,
                format!("the content of turn {index} is not in the rendered text: it is not supervised"),
            );
        }
    }
    for (kind, last) in ends.kinds.iter().zip(last) {
        if let (EndTokens::Last, Some(at)) = (kind.when, last) {
            masked.supervise_token(at);
        }
    }
    if ends.kinds.iter().all(|kind| kind.ids.iter().all(|id| !masked.input_ids.contains(id))) {
        masked.note(
            0..0,
            "no end-of-turn token of the settings occurs in the text: set eot_tokens to the template's own, or the \
             model does not learn to stop",
        );
    }
    Ok(masked)
}

fn call<'c>(messages: &'c [Value], tools: Option<&'c [Value]>) -> Call<'c> {
    Call { messages, tools, kwargs: None, add_generation_prompt: false }
}

fn render(chat: &Chat, messages: &[Value], tools: Option<&[Value]>) -> Result<String, MaskError> {
    chat.text(call(messages, tools))
}

fn train_span(chat: &Chat, masked: &mut Masked, turn: &Turn, span: &Range<usize>) -> Result<(), MaskError> {
    match turn.detail.as_deref().filter(|detail| !detail.is_empty()) {
        None => masked.supervise(span.clone()),
        Some(details) => {
            let text = content(&turn.message).ok_or_else(|| {
                MaskError::python(
                    "ValueError",
                    "`train_detail` is not supported when `content` is not a string.",
                )
            })?;
            let alone = chat.encode(text)?;
            let trained = detail::trained_tokens(&alone.offsets, text.chars().count(), details);
            for index in trained {
                masked.supervise_token(span.start + index);
            }
            let in_place = masked.input_ids.get(span.clone()).unwrap_or_default();
            if in_place != alone.ids {
                masked.note(
                    span.clone(),
                    "the content tokenises differently alone: train_detail labels are placed by its own token \
                     count and drift",
                );
            }
        }
    }
    Ok(())
}

impl Located<'_> {
    /// Tokens of a turn's content; `None` when it is not found or empty.
    fn find(&self, index: usize) -> Result<Option<Range<usize>>, MaskError> {
        let Some(original) = self.messages.get(index) else { return Ok(None) };
        let (mut start, mut end) = (usize::MAX, 0);
        for dummy in DUMMIES {
            let mut messages = self.messages.clone();
            let mut stand_in = Map::new();
            stand_in.insert("role".into(), original.get("role").cloned().unwrap_or(Value::Null));
            stand_in.insert("content".into(), dummy.into());
            if let Some(message) = messages.get_mut(index) {
                *message = Value::Object(stand_in);
            }
            let text: Vec<char> = render(self.chat, &messages, self.tools)?.chars().collect();
            let span = difference(&self.text, &text);
            start = start.min(span.start);
            end = end.max(span.end);
        }
        if end <= start {
            return Ok(None);
        }
        let first = self.token_ends.partition_point(|token_end| *token_end <= start);
        let last = self.token_starts.partition_point(|token_start| *token_start < end);
        if first >= self.token_ends.len() || !self.chat.encoder.has_offsets() {
            return self.find_by_tokens(index);
        }
        Ok((first < last).then_some(first..last))
    }

    /// The older search: token ids of the conversation up to the turn, with and without a dummy.
    fn find_by_tokens(&self, index: usize) -> Result<Option<Range<usize>>, MaskError> {
        let mut messages: Vec<Value> = self.messages.iter().take(index + 1).cloned().collect();
        let full = self.chat.ids(&render(self.chat, &messages, self.tools)?)?;
        if let Some(last) = messages.last_mut() {
            *last = serde_json::json!({"role": role(last), "content": DUMMIES[0]});
        }
        let dummy = self.chat.ids(&render(self.chat, &messages, self.tools)?)?;
        let start = full.iter().zip(&dummy).position(|(a, b)| a != b);
        let from_end = full.iter().rev().zip(dummy.iter().rev()).position(|(a, b)| a != b);
        Ok(match (start, from_end) {
            (Some(start), Some(from_end)) if start < full.len() - from_end => {
                Some(start..full.len() - from_end)
            }
            _ => None,
        })
    }
}

/// The part of `full` that differs from `other`; the common end may not reach into the common beginning.
fn difference(full: &[char], other: &[char]) -> Range<usize> {
    let start = full.iter().zip(other).take_while(|(a, b)| a == b).count();
    let limit = full.len().min(other.len()) - start;
    let same_end = full.iter().rev().zip(other.iter().rev()).take(limit).take_while(|(a, b)| a == b).count();
    start..full.len() - same_end
}

/// One kind of end token, and when it is trained.
struct EndKind {
    ids: BTreeSet<TokenId>,
    when: EndTokens,
}

/// End-of-turn and end-of-sequence, in the order in which axolotl looks.
struct EndSearch {
    kinds: [EndKind; 2],
}

impl EndSearch {
    fn new(chat: &Chat, options: &AxolotlOptions) -> Result<Self, MaskError> {
        let eos = chat.encoder.eos_id();
        let eos_token = chat.special_tokens.get("eos_token").and_then(Value::as_str);
        let mut eot = BTreeSet::new();
        match &options.eot_tokens {
            None => eot.extend(eos),
            Some(tokens) => {
                for token in tokens {
                    let only_eos = tokens.len() == 1 && Some(token.as_str()) == eos_token;
                    if !only_eos && !chat.template.source().contains(token.as_str()) {
                        continue;
                    }
                    match chat.ids(token)?.as_slice() {
                        [id] => {
                            eot.insert(*id);
                        }
                        ids => {
                            let message =
                                format!("EOT token '{token}' is encoded as multiple tokens: {ids:?}.");
                            return Err(MaskError::python("ValueError", message));
                        }
                    }
                }
            }
        }
        let on_eot = options.train_on_eot.unwrap_or(options.train_on_eos);
        let eos_kind = EndKind { ids: eos.into_iter().collect(), when: options.train_on_eos };
        Ok(Self { kinds: [EndKind { ids: eot, when: on_eot }, eos_kind] })
    }
}

impl EndKind {
    /// The first such token from `content_end` on, if it is near. Without a span Python looks from −1.
    fn find(&self, ids: &[TokenId], content_end: Option<usize>) -> Option<usize> {
        let is_end = |id: &TokenId| self.ids.contains(id);
        match content_end {
            Some(end) => {
                let at = end + ids.iter().skip(end).position(is_end)?;
                (at - end <= END_TOKEN_REACH).then_some(at)
            }
            // Position −1 is the last token; an end token there is taken for "not found".
            None if ids.last().is_some_and(is_end) => None,
            None => ids.iter().position(is_end).filter(|at| *at < END_TOKEN_REACH),
        }
    }
}

/// Messages as `transform_message` leaves them.
fn turns(chat: &Chat, messages: &[Value], options: &AxolotlOptions) -> Result<Vec<Turn>, MaskError> {
    let read_keys = keys_read(chat.template.source());
    let mut turns = Vec::with_capacity(messages.len());
    for message in messages {
        let message = if options.remove_none_values { without_nulls(message) } else { message.clone() };
        let mut kept = Map::new();
        for (template_key, data_key) in &options.property_mappings {
            if let Some(value) = message.get(data_key).filter(|v| !v.is_null()) {
                kept.insert(template_key.clone(), value.clone());
            }
        }
        if let Some(name) = kept.get("role").and_then(Value::as_str).map(plain_role) {
            kept.insert("role".into(), name.into());
        }
        let mapped = |key: &str| options.property_mappings.iter().any(|(_, data_key)| data_key == key);
        for (key, value) in message.as_object().into_iter().flatten() {
            if !mapped(key) && !value.is_null() && read_keys.contains(key.as_str()) {
                kept.insert(key.clone(), value.clone());
            }
        }
        parse_arguments(&mut kept)?;
        let mut details = detail::read(message.get(&options.message_field_training_detail))?;
        if let Some(Value::Array(parts)) = kept.get("content") {
            let (text, part_details) = detail::join_parts(parts);
            kept.insert("content".into(), text.into());
            details = part_details.or(details);
        }
        let train = message.get(&options.message_field_training).and_then(|flag| match flag {
            Value::Null => None,
            Value::Bool(flag) => Some(*flag),
            Value::Number(number) => Some(number.as_f64() != Some(0.0)),
            _ => Some(true),
        });
        turns.push(Turn { message: Value::Object(kept), train, detail: details });
    }
    Ok(turns)
}

/// ShareGPT's names for roles.
fn plain_role(name: &str) -> &str {
    match name {
        "human" => "user",
        "gpt" => "assistant",
        other => other,
    }
}

/// Tool arguments that are JSON text become objects.
fn parse_arguments(message: &mut Map<String, Value>) -> Result<(), MaskError> {
    let calls = message.get_mut("tool_calls").and_then(Value::as_array_mut);
    for call in calls.into_iter().flatten() {
        let Some(arguments) = call.get_mut("function").and_then(|f| f.get_mut("arguments")) else { continue };
        if let Some(text) = arguments.as_str() {
            *arguments = serde_json::from_str(text).map_err(|error| {
                MaskError::python("JSONDecodeError", format!("tool_calls arguments: {error}"))
            })?;
        }
    }
    Ok(())
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.clone(), without_nulls(v))).collect(),
        ),
        Value::Array(items) => Value::Array(items.iter().map(without_nulls).collect()),
        other => other.clone(),
    }
}

/// Every name that the template reads as `.name` or `['name']`. axolotl's own analysis follows variables
/// from `messages`; for a message's keys that comes to the same.
fn keys_read(source: &str) -> BTreeSet<&str> {
    let name_end = |text: &str| text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    let mut keys = BTreeSet::new();
    for (at, _) in source.match_indices('.') {
        let rest = source.get(at + 1..).unwrap_or_default();
        keys.extend(rest.get(..name_end(rest)).filter(|name| !name.is_empty()));
    }
    for quote in ['\'', '"'] {
        for (at, opening) in source.match_indices(&format!("[{quote}")) {
            let rest = source.get(at + opening.len()..).unwrap_or_default();
            keys.extend(rest.split(quote).next());
        }
    }
    keys
}
