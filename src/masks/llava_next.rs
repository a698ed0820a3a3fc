//! LLaVA-NeXT's own preprocess functions (commit df17966): [`qwen`], [`llama3`] and [`gemma`].
//!
//! `preprocess_qwen` and `preprocess_llama3` render and encode every message by itself with a plain template
//! and a fixed system text; the conversation's own system message is dropped. An answer is supervised with its
//! header, and then every position whose id is one of a few special tokens is supervised *everywhere*, in
//! user turns too (LLaVA-NeXT issue 212). `preprocess_gemma` counts rounds as LLaVA-1.5 does.

use serde_json::Value;

use super::encoder::Encoder;
use super::{IGNORE_INDEX, MaskError, Masked, content, role};
use crate::chat::jinja::is_space;
use crate::tokenizer::TokenId;

const QWEN_SYSTEM: &str = "You are a helpful assistant.";
const LLAMA3_SYSTEM: &str = "You are a helpful language and vision assistant. You are able to understand the visual \
                             content that the user provides, and assist the user with a variety of tasks using natural \
                             language.";
const GEMMA_SEPARATOR: &str = "<end_of_turn>\n";
const GEMMA_USER: &str = "<start_of_turn>user\n";
const GEMMA_MODEL: &str = "<start_of_turn>model\n";

/// The turns as these functions see them: from the first user turn on, without system messages.
fn turns(messages: &[Value]) -> Result<Vec<(&str, &str)>, MaskError> {
    let mut turns = Vec::with_capacity(messages.len());
    for message in messages.iter().filter(|m| role(m) != "system") {
        let name = match role(message) {
            "human" => "user",
            "gpt" => "assistant",
            other => other,
        };
        let text = content(message).ok_or_else(|| {
            MaskError::python("TypeError", "can only concatenate str (not \"list\") to str")
        })?;
        turns.push((name, text));
    }
    if turns.first().is_some_and(|(name, _)| *name != "user") {
        turns.remove(0);
    }
    Ok(turns)
}

/// A plain template: the fixed system text, what is put around a message, and the ids that are unmasked.
struct Plain<'a> {
    system: &'a str,
    bos: Option<TokenId>,
    render: fn(&str, &str) -> String,
    unmasked: &'a [Option<TokenId>],
}

/// `preprocess_qwen`.
pub fn qwen(encoder: &dyn Encoder, messages: &[Value]) -> Result<Masked, MaskError> {
    let newline = encoder.ids("\n")?.first().copied();
    let unmasked = [newline, encoder.token_to_id("<|im_start|>"), encoder.token_to_id("<|im_end|>")];
    let render = |name: &str, text: &str| format!("<|im_start|>{name}\n{text}<|im_end|>\n");
    by_message(encoder, messages, &Plain { system: QWEN_SYSTEM, bos: None, render, unmasked: &unmasked })
}

/// `preprocess_llama3`. It wants the "\n\n" token unmasked too, but no token has that text, so nothing comes of it.
pub fn llama3(encoder: &dyn Encoder, messages: &[Value]) -> Result<Masked, MaskError> {
    let bos = encoder.bos_id();
    let unmasked = [
        bos,
        encoder.token_to_id("<|start_header_id|>"),
        encoder.token_to_id("<|end_header_id|>"),
        encoder.token_to_id("<|eot_id|>"),
    ];
    let render = |name: &str, text: &str| {
        let text = text.trim_matches(is_space);
        format!("<|start_header_id|>{name}<|end_header_id|>\n\n{text}<|eot_id|>")
    };
    by_message(encoder, messages, &Plain { system: LLAMA3_SYSTEM, bos, render, unmasked: &unmasked })
}

fn by_message(encoder: &dyn Encoder, messages: &[Value], plain: &Plain) -> Result<Masked, MaskError> {
    let mut masked = Masked::default();
    masked.input_ids.extend(plain.bos);
    masked.input_ids.extend(encoder.ids(&(plain.render)("system", plain.system))?);
    masked.labels.resize(masked.input_ids.len(), IGNORE_INDEX);
    for (name, text) in turns(messages)? {
        let ids = encoder.ids(&(plain.render)(name, text))?;
        let trained = !matches!(name, "user" | "system");
        masked.labels.extend(ids.iter().map(|id| if trained { i64::from(*id) } else { IGNORE_INDEX }));
        masked.input_ids.extend(ids);
    }
    for (id, label) in masked.input_ids.iter().zip(&mut masked.labels) {
        if plain.unmasked.contains(&Some(*id)) {
            *label = i64::from(*id);
        }
    }
    if messages.iter().any(|m| role(m) == "system") {
        masked
            .note(0..0, "the conversation's system message is dropped; the function's own text stands there");
    }
    masked.note(0..0, "special tokens and newlines of user turns are supervised too (LLaVA-NeXT issue 212)");
    Ok(masked)
}

/// `preprocess_gemma` for text; `model_max_length` is the tokenizer's.
pub fn gemma(
    encoder: &dyn Encoder,
    messages: &[Value],
    model_max_length: usize,
) -> Result<Masked, MaskError> {
    let mut prompt = String::new();
    for (index, (name, text)) in turns(messages)?.into_iter().enumerate() {
        let expected = if index % 2 == 0 { "user" } else { "assistant" };
        if name != expected {
            return Err(MaskError::python("AssertionError", format!("{index}")));
        }
        let header = if name == "user" { GEMMA_USER } else { GEMMA_MODEL };
        prompt.push_str(&format!("{header}{text}{GEMMA_SEPARATOR}"));
    }
    let mut ids = encoder.encode(&prompt, true)?.ids;
    ids.truncate(model_max_length);
    let total_len = ids.iter().filter(|id| Some(**id) != encoder.pad_id()).count();
    let mut masked = Masked::ignored(ids);
    masked.supervise(1..masked.input_ids.len());
    let cur_len = mask_rounds(encoder, &mut masked, &prompt)?;
    masked.ignore(cur_len..masked.labels.len());
    if cur_len < model_max_length && cur_len != total_len {
        masked.ignore(0..masked.labels.len());
        masked.note(0..0, format!("WARNING: tokenization mismatch: {cur_len} vs. {total_len}. (ignored)"));
    }
    Ok(masked)
}

/// Masks the instruction of every round; gives the length that the rounds add up to.
fn mask_rounds(encoder: &dyn Encoder, masked: &mut Masked, prompt: &str) -> Result<usize, MaskError> {
    let pieces: Vec<&str> = prompt.split(GEMMA_SEPARATOR).collect();
    let header = format!("{GEMMA_SEPARATOR}{GEMMA_MODEL}");
    let mut cur_len = 1;
    for pair in pieces.chunks(2) {
        let round = pair.join(GEMMA_SEPARATOR);
        if round.is_empty() {
            break;
        }
        let parts: Vec<&str> = round.split(header.as_str()).collect();
        let [instruction, _] = parts.as_slice() else { break };
        let count = |text: &str| -> Result<usize, MaskError> { Ok(encoder.encode(text, true)?.ids.len()) };
        let instruction_len = count(&format!("{instruction}{header}"))?.saturating_sub(1);
        // The separator's two ids are not in the round's own text.
        let round_len = count(&round)?.saturating_sub(1) + 2;
        masked.ignore(cur_len..cur_len + instruction_len);
        cur_len += round_len;
    }
    Ok(cur_len)
}
