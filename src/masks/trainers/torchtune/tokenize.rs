//! Messages as tokens: `tokenize_messages` of torchtune's tokenizer classes.

use super::messages::TorchtuneMessage;
use super::options::TorchtuneModel;
use super::prompt_template;
use crate::masks::MaskError;
use crate::masks::trainers::{Resources, TrainingSequence};
use crate::python::is_python_space;
use crate::tokenizer::TokenId;

/// torchtune's ids of Llama 3's special tokens.
const LLAMA3_SPECIALS: [(&str, u32); 7] = [
    ("<|begin_of_text|>", 128_000),
    ("<|end_of_text|>", 128_001),
    ("<|start_header_id|>", 128_006),
    ("<|end_header_id|>", 128_007),
    ("<|eom_id|>", 128_008),
    ("<|eot_id|>", 128_009),
    ("<|python_tag|>", 128_010),
];

/// torchtune's ids of Phi-3's special tokens.
const PHI3_SPECIALS: [(&str, u32); 4] =
    [("<|assistant|>", 32_001), ("<|system|>", 32_006), ("<|end|>", 32_007), ("<|user|>", 32_010)];

/// The vocabulary's id of a special token; that of torchtune's table where the vocabulary has none.
fn special(resources: &Resources, table: &[(&str, u32)], token: &str) -> TokenId {
    let of_table = table.iter().find(|(name, _)| *name == token).map_or(0, |(_, id)| *id);
    resources.encoder.token_to_id(token).unwrap_or(of_table)
}

/// Qwen 2.5's special tokens, which are found in contents too. The newer ones of Qwen 3 are text to torchtune.
const QWEN_SPECIALS: [(&str, u32); 22] = [
    ("<|endoftext|>", 151_643),
    ("<|im_start|>", 151_644),
    ("<|im_end|>", 151_645),
    ("<|object_ref_start|>", 151_646),
    ("<|object_ref_end|>", 151_647),
    ("<|box_start|>", 151_648),
    ("<|box_end|>", 151_649),
    ("<|quad_start|>", 151_650),
    ("<|quad_end|>", 151_651),
    ("<|vision_start|>", 151_652),
    ("<|vision_end|>", 151_653),
    ("<|vision_pad|>", 151_654),
    ("<|image_pad|>", 151_655),
    ("<|video_pad|>", 151_656),
    ("<tool_call>", 151_657),
    ("</tool_call>", 151_658),
    ("<|fim_prefix|>", 151_659),
    ("<|fim_middle|>", 151_660),
    ("<|fim_suffix|>", 151_661),
    ("<|fim_pad|>", 151_662),
    ("<|repo_name|>", 151_663),
    ("<|file_sep|>", 151_664),
];

/// The pad id of a class.
#[cfg(feature = "internals")]
pub fn pad_id(model: TorchtuneModel) -> TokenId {
    match model {
        TorchtuneModel::Llama3 | TorchtuneModel::Llama3Chatml => 128_004,
        TorchtuneModel::Qwen25 => 151_643,
        TorchtuneModel::Mistral | TorchtuneModel::MistralPlain | TorchtuneModel::Llama2 => 0,
        TorchtuneModel::Phi3 => 32_000,
    }
}

/// `tokenize_messages`.
///
/// # Errors
/// What the prompt template raises; a role that Phi-3 does not have.
pub fn tokenize(
    resources: &Resources,
    model: TorchtuneModel,
    messages: &[TorchtuneMessage],
    max_seq_len: Option<usize>,
) -> Result<TrainingSequence, MaskError> {
    let messages = prompt_template::apply(model, messages)?;
    let max = max_seq_len.filter(|max| *max > 0);
    match model {
        TorchtuneModel::Llama3 | TorchtuneModel::Llama3Chatml => llama3(resources, &messages, max),
        TorchtuneModel::Qwen25 => qwen25(resources, &messages, max),
        TorchtuneModel::Mistral | TorchtuneModel::MistralPlain | TorchtuneModel::Llama2 => {
            sentence_piece(resources, &messages, max)
        }
        TorchtuneModel::Phi3 => phi3(resources, &messages, max),
    }
}

fn is_full(sequence: &TrainingSequence, max: Option<usize>) -> bool {
    max.is_some_and(|max| sequence.input_ids.len() >= max)
}

/// torchtune's `truncate` of tokens and mask: what is last becomes eos, and masked or not as given, even where nothing is
/// cut.
fn truncate(sequence: &mut TrainingSequence, max: Option<usize>, end: Option<(TokenId, bool)>) {
    let Some(max) = max else { return };
    sequence.cut(0..max);
    if let Some((eos, target)) = end {
        sequence.input_ids.last_mut().into_iter().for_each(|last| *last = eos);
        sequence.targets.last_mut().into_iter().for_each(|last| *last = target);
    }
}

fn llama3(
    resources: &Resources,
    messages: &[TorchtuneMessage],
    max: Option<usize>,
) -> Result<TrainingSequence, MaskError> {
    let special = |token| special(resources, &LLAMA3_SPECIALS, token);
    let eos = special("<|end_of_text|>");
    let mut sequence = TrainingSequence::default();
    sequence.push([special("<|begin_of_text|>")], false);
    for message in messages {
        let mut ids = vec![special("<|start_header_id|>")];
        ids.extend(resources.ordinary_ids(message.role.trim_matches(is_python_space))?);
        ids.push(special("<|end_header_id|>"));
        ids.extend(resources.ordinary_ids("\n\n")?);
        if message.ipython {
            ids.push(special("<|python_tag|>"));
        }
        for text in &message.content {
            ids.extend(resources.ordinary_ids(text.trim_matches(is_python_space))?);
        }
        ids.push(special(if message.eot { "<|eot_id|>" } else { "<|eom_id|>" }));
        sequence.push(ids, !message.masked);
        if is_full(&sequence, max) {
            break;
        }
    }
    sequence.push([eos], false);
    truncate(&mut sequence, max, Some((eos, false)));
    Ok(sequence)
}

/// Text of Qwen: the class's own special tokens by id, everything else as text.
fn qwen_ids(resources: &Resources, text: &str) -> Result<Vec<TokenId>, MaskError> {
    let mut ids = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let found = QWEN_SPECIALS
            .iter()
            .filter_map(|(token, _)| rest.find(token).map(|at| (at, *token)))
            .min_by_key(|(at, _)| *at);
        let Some((at, token)) = found else { break };
        ids.extend(resources.ordinary_ids(rest.get(..at).unwrap_or_default())?);
        ids.push(special(resources, &QWEN_SPECIALS, token));
        rest = rest.get(at + token.len()..).unwrap_or_default();
    }
    ids.extend(resources.ordinary_ids(rest)?);
    Ok(ids)
}

fn qwen25(
    resources: &Resources,
    messages: &[TorchtuneMessage],
    max: Option<usize>,
) -> Result<TrainingSequence, MaskError> {
    let mut sequence = TrainingSequence::default();
    let special = |token| special(resources, &QWEN_SPECIALS, token);
    let eos = special("<|im_end|>");
    let newline = qwen_ids(resources, "\n")?;
    let is_result = |index: usize| messages.get(index).is_some_and(|message| message.role == "ipython");
    for (index, message) in messages.iter().enumerate() {
        let result = message.role == "ipython";
        let after_result = index > 0 && is_result(index - 1);
        let mut ids = Vec::new();
        if !(result && after_result) {
            let role = if result { "user" } else { message.role.as_str() };
            ids.push(special("<|im_start|>"));
            ids.extend(qwen_ids(resources, &format!("{role}\n"))?);
        }
        let call = message.role == "assistant" && message.ipython;
        if result {
            let opening = if after_result { "\n<tool_response>\n" } else { "<tool_response>\n" };
            ids.extend(qwen_ids(resources, opening)?);
        } else if call {
            ids.push(special("<tool_call>"));
            ids.extend(&newline);
        }
        for text in &message.content {
            ids.extend(qwen_ids(resources, text)?);
        }
        if result {
            ids.extend(qwen_ids(resources, "\n</tool_response>")?);
        } else if call {
            ids.extend(&newline);
            ids.push(special("</tool_call>"));
        }
        let last = index + 1 == messages.len();
        let closed = if result { !is_result(index + 1) } else { message.role != "assistant" || !last };
        if closed {
            ids.push(eos);
            ids.extend(&newline);
        }
        sequence.push(ids, !message.masked);
        if is_full(&sequence, max) {
            break;
        }
    }
    let target = sequence.targets.last().copied().unwrap_or_default();
    sequence.push([eos], target);
    // The last position is masked whenever a length is set.
    truncate(&mut sequence, max, Some((eos, false)));
    Ok(sequence)
}

/// Text behind other text: encoded after a newline whose ids are taken off, so that no word start is added.
fn continued_ids(resources: &Resources, text: &str) -> Result<Vec<TokenId>, MaskError> {
    let prefix = resources.ordinary_ids("\n")?.len();
    Ok(resources.ordinary_ids(&format!("\n{text}"))?.into_iter().skip(prefix).collect())
}

/// `tokenize_messages_no_special_tokens`: a bos before and an eos behind every turn.
fn sentence_piece(
    resources: &Resources,
    messages: &[TorchtuneMessage],
    max: Option<usize>,
) -> Result<TrainingSequence, MaskError> {
    let mut sequence = TrainingSequence::default();
    let (bos, eos) = (resources.encoder.bos_id(), resources.encoder.eos_id());
    let (mut start_of_turn, mut after_space) = (true, false);
    let mut last_target = false;
    for message in messages {
        let target = !message.masked;
        last_target = target;
        if start_of_turn {
            sequence.push(bos, target);
        }
        let continues = !start_of_turn && !after_space;
        for text in &message.content {
            let body = text.trim_end_matches(' ');
            let ids =
                if continues { continued_ids(resources, body)? } else { resources.ordinary_ids(body)? };
            sequence.push(ids, target);
        }
        after_space = message.content.last().is_some_and(|text| text.ends_with(' '));
        start_of_turn = message.role == "assistant";
        if start_of_turn {
            sequence.push(eos, target);
        }
        if is_full(&sequence, max) {
            break;
        }
    }
    truncate(&mut sequence, max, eos.map(|eos| (eos, last_target)));
    Ok(sequence)
}

fn phi3(
    resources: &Resources,
    messages: &[TorchtuneMessage],
    max: Option<usize>,
) -> Result<TrainingSequence, MaskError> {
    let mut sequence = TrainingSequence::default();
    let special = |token| special(resources, &PHI3_SPECIALS, token);
    let newline = resources.ordinary_ids("\n")?;
    for (index, message) in messages.iter().enumerate() {
        let role = match message.role.as_str() {
            "user" => special("<|user|>"),
            "assistant" => special("<|assistant|>"),
            "system" => special("<|system|>"),
            role => {
                let content = crate::masks::trainers::python_json::repr(&message.content.concat().into());
                let message = format!("Unknown role '{role}' for message: '{content}'");
                return Err(MaskError::python("ValueError", message));
            }
        };
        // Without eos behind answers no later message starts a turn.
        let mut ids: Vec<TokenId> = resources.encoder.bos_id().into_iter().filter(|_| index == 0).collect();
        ids.push(role);
        ids.extend(&newline);
        for text in &message.content {
            ids.extend(continued_ids(resources, text.trim_end_matches(' '))?);
        }
        ids.push(special("<|end|>"));
        ids.extend(&newline);
        sequence.push(ids, !message.masked);
        if is_full(&sequence, max) {
            break;
        }
    }
    truncate(&mut sequence, max, None);
    Ok(sequence)
}
