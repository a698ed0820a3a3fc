//! torchtune (0.6.1): every message is encoded by itself and carries one flag, `masked`.
//!
//! [`llama3`] is `Llama3Tokenizer.tokenize_messages`: header and end of turn belong to the message, so an
//! answer's header is supervised; bos and the last eos never are. [`sentencepiece`] is
//! `tokenize_messages_no_special_tokens`: a bos before and an eos after every turn.

use serde_json::Value;

use super::encoder::Encoder;
use super::{IGNORE_INDEX, MaskError, Masked, content, role, train_flag};
use crate::chat::jinja::is_space;
use crate::tokenizer::TokenId;

/// Which messages are masked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Prompts are supervised too (`masking_strategy: train_on_all`).
    pub train_on_input: bool,
    pub max_seq_len: Option<usize>,
}

fn supervised(message: &Value, options: &Options) -> bool {
    train_flag(message).unwrap_or(options.train_on_input || role(message) == "assistant")
}

fn text(message: &Value) -> Result<&str, MaskError> {
    content(message).ok_or_else(|| MaskError::python("RuntimeError", "Unsupported message content type"))
}

fn special(encoder: &dyn Encoder, token: &str) -> Result<TokenId, MaskError> {
    encoder.token_to_id(token).ok_or_else(|| MaskError::python("KeyError", format!("'{token}'")))
}

fn push(masked: &mut Masked, ids: impl IntoIterator<Item = TokenId>, supervised: bool) {
    for id in ids {
        masked.input_ids.push(id);
        masked.labels.push(if supervised { i64::from(id) } else { IGNORE_INDEX });
    }
}

/// Labels with Llama-3's special tokens.
pub fn llama3(encoder: &dyn Encoder, messages: &[Value], options: &Options) -> Result<Masked, MaskError> {
    let [bos, eos, start, end, eot, eom] = [
        "<|begin_of_text|>",
        "<|end_of_text|>",
        "<|start_header_id|>",
        "<|end_header_id|>",
        "<|eot_id|>",
        "<|eom_id|>",
    ]
    .map(|token| special(encoder, token));
    let (bos, eos, start, end, eot) = (bos?, eos?, start?, end?, eot?);
    let mut masked = Masked::default();
    push(&mut masked, [bos], false);
    for message in messages {
        let trained = supervised(message, options);
        let mut ids = vec![start];
        ids.extend(encoder.ids(role(message).trim_matches(is_space))?);
        ids.push(end);
        ids.extend(encoder.ids("\n\n")?);
        ids.extend(encoder.ids(text(message)?.trim_matches(is_space))?);
        let tool_call = message.get("ipython").is_some_and(|flag| *flag == Value::Bool(true));
        ids.push(match (tool_call, &eom) {
            (true, Ok(eom)) => *eom,
            _ => eot,
        });
        push(&mut masked, ids, trained);
        if options.max_seq_len.is_some_and(|max| masked.input_ids.len() >= max) {
            break;
        }
    }
    push(&mut masked, [eos], false);
    truncate(&mut masked, options.max_seq_len, eos, IGNORE_INDEX);
    Ok(masked)
}

/// Labels of a vocabulary without message tokens (Llama-2, Mistral).
///
/// A continuation that does not follow a space must not begin with a word-start mark: it is encoded behind a
/// newline, whose tokens are then taken off.
pub fn sentencepiece(
    encoder: &dyn Encoder,
    messages: &[Value],
    options: &Options,
) -> Result<Masked, MaskError> {
    let mut masked = Masked::default();
    let (mut start_of_turn, mut after_space) = (true, false);
    let mut last_trained = false;
    for message in messages {
        let trained = supervised(message, options);
        last_trained = trained;
        if start_of_turn {
            push(&mut masked, encoder.bos_id(), trained);
        }
        let text = text(message)?;
        let body = text.trim_end_matches(' ');
        let ids = match !start_of_turn && !after_space {
            true => {
                let prefix = encoder.ids("\n")?.len();
                encoder.ids(&format!("\n{body}"))?.into_iter().skip(prefix).collect()
            }
            false => encoder.ids(body)?,
        };
        push(&mut masked, ids, trained);
        after_space = text.ends_with(' ');
        start_of_turn = role(message) == "assistant";
        if start_of_turn {
            push(&mut masked, encoder.eos_id(), trained);
        }
        if options.max_seq_len.is_some_and(|max| masked.input_ids.len() >= max) {
            break;
        }
    }
    if let Some(eos) = encoder.eos_id() {
        let label = if last_trained { i64::from(eos) } else { IGNORE_INDEX };
        truncate(&mut masked, options.max_seq_len, eos, label);
    }
    Ok(masked)
}

/// torchtune's `truncate`: the last position becomes eos.
fn truncate(masked: &mut Masked, max_seq_len: Option<usize>, eos: TokenId, label: i64) {
    let Some(max) = max_seq_len else { return };
    if masked.input_ids.len() < max {
        return;
    }
    masked.input_ids.truncate(max);
    masked.labels.truncate(max);
    if let (Some(last_id), Some(last_label)) = (masked.input_ids.last_mut(), masked.labels.last_mut()) {
        *last_id = eos;
        *last_label = label;
    }
}
