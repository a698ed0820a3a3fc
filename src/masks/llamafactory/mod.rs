//! LLaMA-Factory (0.9.5): every turn is encoded by itself from its own slot template and the pieces are put
//! together (`Template.encode_multiturn`, `SupervisedDatasetProcessor`).
//!
//! The text need not equal that of the model's Jinja template. With `efficient_eos` the label of the first
//! token of every later prompt is the eos id although the input there is another: labels are *not* the ids.

mod choice;
mod fields;
mod gemma4;
mod template;
mod tool_prompts;
mod tools;

use std::borrow::Cow;

use serde_json::Value;

pub use choice::slot_template;
pub use template::{Fusion, SlotTemplate, TEMPLATES};
pub use tools::ToolFormat;
use tools::Words;

use super::encoder::Encoder;
use super::{IGNORE_INDEX, MaskError, Masked, content, role};
use crate::chat::jinja::Clock;
use crate::tokenizer::TokenId;

/// Data arguments that matter for labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LlamaFactoryOptions {
    /// Train on the last answer only; older thoughts are removed from reasoning templates.
    pub mask_history: bool,
    /// Prompts are supervised too.
    pub train_on_prompt: bool,
    /// Tokens that a sample may have.
    pub cutoff_len: usize,
    /// Overrides the template's own setting for reasoning templates.
    pub enable_thinking: Option<bool>,
    /// Overrides the template's own tool format.
    pub tool_format: Option<ToolFormat>,
    /// The time that tools are written with.
    pub clock: Clock,
}

impl Default for LlamaFactoryOptions {
    fn default() -> Self {
        Self {
            mask_history: false,
            train_on_prompt: false,
            cutoff_len: 2048,
            enable_thinking: Some(true),
            tool_format: None,
            clock: Clock::System,
        }
    }
}

/// Ids of a prompt and of its answer.
type Pair = (Vec<TokenId>, Vec<TokenId>);

/// Labels of a conversation.
///
/// # Errors
/// [`MaskError::Dropped`] where the trainer drops the row: turns that do not alternate, or an odd number.
pub fn label(
    encoder: &dyn Encoder,
    template: &SlotTemplate,
    messages: &[Value],
    tools: &[Value],
    options: &LlamaFactoryOptions,
) -> Result<Masked, MaskError> {
    if options.train_on_prompt && template.efficient_eos {
        let message = "Current template does not support `train_on_prompt`.";
        return Err(MaskError::python("ValueError", message));
    }
    let messages = joined_results(messages);
    let (system, turns) = split_system(&messages)?;
    let eos = match template.eos() {
        Some(token) => encoder.token_to_id(token),
        None => encoder.eos_id(),
    };
    let mut pairs = encode_pairs(encoder, template, (system, tools), turns, options)?;
    if options.mask_history {
        pairs.reverse();
    }
    let mut pieces: Vec<Masked> = Vec::new();
    let mut total = usize::from(template.efficient_eos);
    for (index, (mut source, mut target)) in pairs.into_iter().enumerate() {
        if total >= options.cutoff_len {
            break;
        }
        let (source_len, target_len) = infer_seqlen(source.len(), target.len(), options.cutoff_len - total);
        source.truncate(source_len);
        target.truncate(target_len);
        total += source_len + target_len;
        let seam = eos.filter(|_| template.efficient_eos && index != 0);
        pieces.push(piece(source, target, seam, options, index));
    }
    if options.mask_history {
        pieces.reverse();
    }
    let mut masked = Masked::default();
    for piece in pieces {
        masked.input_ids.extend(piece.input_ids);
        masked.labels.extend(piece.labels);
    }
    if let (true, Some(eos)) = (template.efficient_eos, eos) {
        masked.input_ids.push(eos);
        masked.labels.push(i64::from(eos));
        masked.note(
            0..0,
            "efficient_eos: the label at the start of each later prompt is eos, its input id is not",
        );
    }
    Ok(masked)
}

/// One pair with its labels; `seam` is the eos label that stands at the start of a later prompt.
fn piece(
    mut source: Vec<TokenId>,
    target: Vec<TokenId>,
    seam: Option<TokenId>,
    options: &LlamaFactoryOptions,
    index: usize,
) -> Masked {
    let mut labels = if options.train_on_prompt { signed(&source) } else { vec![IGNORE_INDEX; source.len()] };
    if let Some(eos) = seam {
        match labels.first_mut() {
            Some(first) => *first = i64::from(eos),
            // Python prepends the eos label even when no prompt token is left.
            None => labels.push(i64::from(eos)),
        }
    }
    match options.mask_history && index != 0 {
        true => labels.resize(labels.len() + target.len(), IGNORE_INDEX),
        false => labels.extend(signed(&target)),
    }
    source.extend(target);
    Masked { input_ids: source, labels, ..Masked::default() }
}

/// How much of prompt and answer a limit leaves (`infer_seqlen`).
pub fn infer_seqlen(source_len: usize, target_len: usize, cutoff_len: usize) -> (usize, usize) {
    let max_target = if target_len * 2 < cutoff_len {
        cutoff_len
    } else if source_len * 2 < cutoff_len {
        cutoff_len - source_len
    } else {
        // Python's float division and truncation.
        (cutoff_len as f64 * (target_len as f64 / (source_len + target_len) as f64)) as usize
    };
    let target = max_target.min(target_len);
    (cutoff_len.saturating_sub(target).min(source_len), target)
}

fn signed(ids: &[TokenId]) -> Vec<i64> {
    ids.iter().map(|id| i64::from(*id)).collect()
}

/// Results of tools that follow each other as one turn, as the converter of OpenAI's rows puts them together; ShareGPT's rows
/// keep theirs apart, and are dropped.
fn joined_results(messages: &[Value]) -> Cow<'_, [Value]> {
    let is_result = |message: &Value| role(message) == "tool" && message.get("from").is_none();
    let follow = messages.windows(2).any(|pair| pair.iter().all(is_result));
    if !follow {
        return Cow::Borrowed(messages);
    }
    let mut joined: Vec<Value> = Vec::with_capacity(messages.len());
    for message in messages {
        let last = joined.last_mut().filter(|last| is_result(last) && is_result(message));
        match last.and_then(Value::as_object_mut) {
            Some(last) => {
                let texts =
                    [last.get("content"), message.get("content")].map(|text| text.and_then(Value::as_str));
                let [Some(before), Some(text)] = texts else { continue };
                let both = format!("{before}\n</tool_response>\n<tool_response>\n{text}");
                last.insert("content".into(), both.into());
            }
            None => joined.push(message.clone()),
        }
    }
    Cow::Owned(joined)
}

/// A leading system message apart; the rest must alternate and end with an answer.
fn split_system(messages: &[Value]) -> Result<(Option<&str>, &[Value]), MaskError> {
    let (system, turns) = match messages.split_first() {
        Some((first, rest)) if role(first) == "system" => (content(first), rest),
        _ => (None, messages),
    };
    for (index, message) in turns.iter().enumerate() {
        let expected: &[&str] =
            if index % 2 == 0 { &["user", "tool", "observation"] } else { &["assistant", "function"] };
        if !expected.contains(&role(message)) {
            let found = role(message);
            return Err(MaskError::Dropped(format!(
                "message {index} has role {found:?}: the turns do not alternate"
            )));
        }
    }
    if turns.is_empty() || turns.len() % 2 != 0 {
        return Err(MaskError::Dropped(format!(
            "{} messages do not make prompt and answer pairs",
            turns.len()
        )));
    }
    Ok((system, turns))
}

fn encode_pairs(
    encoder: &dyn Encoder,
    template: &SlotTemplate,
    (system, tools): (Option<&str>, &[Value]),
    turns: &[Value],
    options: &LlamaFactoryOptions,
) -> Result<Vec<Pair>, MaskError> {
    let texts = contents(template, turns, options)?;
    let system = system.filter(|s| !s.is_empty()).unwrap_or(template.default_system);
    let format = options.tool_format.unwrap_or(template.tool_format);
    let tool_text = format.tools(tools, options.clock)?;
    let system = &format!("{system}{tool_text}");
    let mut encoded = Vec::with_capacity(turns.len());
    for (index, (message, text)) in turns.iter().zip(&texts).enumerate() {
        let mut ids = Vec::new();
        let mut text = text.clone();
        if index == 0 {
            ids = template.encode(encoder, template.prefix, "")?;
            if !system.is_empty() {
                match template.fusion {
                    // A conversation that begins with the result of a tool loses the system text there.
                    Fusion::IntoFirstUser if role(message) != "user" => {}
                    Fusion::IntoFirstUser => text = format!("{}{text}", template.system_text(system)),
                    Fusion::OwnTurn => ids.extend(template.encode(encoder, template.system, system)?),
                }
            }
        }
        let calls = tools::is_function(message);
        if calls {
            let words = Words { thought: template.thought_words, call: template.tool_call_words };
            text = format.calls(&text, (template.fusion == Fusion::OwnTurn).then_some(words))?;
        }
        let slots = match role(message) {
            "function" | "assistant" if calls => template.function_slots(options.tool_format.is_some()),
            "assistant" => template.assistant,
            "tool" | "observation" => template.observation,
            "user" => template.user,
            other => {
                return Err(MaskError::Dropped(format!("{other} is no role of a turn")));
            }
        };
        ids.extend(template.encode(encoder, slots, &text)?);
        encoded.push(ids);
    }
    if template.reasoning {
        add_empty_thoughts(encoder, template, &texts, options, &mut encoded)?;
    }
    let mut pairs = Vec::with_capacity(encoded.len() / 2);
    let mut rest = encoded.into_iter();
    while let (Some(source), Some(target)) = (rest.next(), rest.next()) {
        pairs.push((source, target));
    }
    Ok(pairs)
}

/// The texts of the turns, thoughts removed where a reasoning template removes them.
fn contents(
    template: &SlotTemplate,
    turns: &[Value],
    options: &LlamaFactoryOptions,
) -> Result<Vec<String>, MaskError> {
    let mut texts = Vec::with_capacity(turns.len());
    for (index, message) in turns.iter().enumerate() {
        let calls = tools::calls_as_json(message);
        let Some(text) = calls.as_deref().or(content(message)) else {
            return Err(MaskError::python(
                "RuntimeError",
                format!("Expected a string, got the content of message {index}"),
            ));
        };
        let answer = index % 2 == 1;
        let history = index + 2 < turns.len();
        let strip = template.reasoning
            && answer
            && (options.enable_thinking == Some(false) || (options.mask_history && history));
        texts.push(if strip { template.without_thought(text) } else { text.to_string() });
    }
    Ok(texts)
}

fn add_empty_thoughts(
    encoder: &dyn Encoder,
    template: &SlotTemplate,
    texts: &[String],
    options: &LlamaFactoryOptions,
    encoded: &mut [Vec<TokenId>],
) -> Result<(), MaskError> {
    let thought = encoder.ids(&template.thought_words.concat())?;
    let pairs = texts.len() / 2;
    for (pair, (text, ids)) in texts.chunks(2).zip(encoded.chunks_mut(2)).enumerate() {
        if options.mask_history && pair + 1 != pairs {
            continue;
        }
        let ([_, answer], [prompt, target]) = (text, ids) else { continue };
        if template.thought_words.iter().any(|word| answer.contains(word.trim())) {
            continue;
        }
        if options.enable_thinking == Some(true) {
            target.splice(0..0, thought.iter().copied());
        } else {
            prompt.extend(&thought);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_follow_the_limit() {
        assert_eq!(infer_seqlen(3000, 2000, 1000), (600, 400));
        assert_eq!(infer_seqlen(2000, 3000, 1000), (400, 600));
        assert_eq!(infer_seqlen(1000, 100, 1000), (900, 100));
        assert_eq!(infer_seqlen(100, 1000, 1000), (100, 900));
    }
}
