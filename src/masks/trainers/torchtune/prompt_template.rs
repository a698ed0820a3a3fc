//! Text that torchtune's prompt templates put around contents. It is tokenised as text, each piece by itself.

use super::messages::TorchtuneMessage;
use super::options::TorchtuneModel;
use crate::masks::MaskError;

/// The messages as the tokenizer gets them.
///
/// # Errors
/// `ValueError` for a system message with Mistral's template, `KeyError` for a role that a template does not have.
pub fn apply(
    model: TorchtuneModel,
    messages: &[TorchtuneMessage],
) -> Result<Vec<TorchtuneMessage>, MaskError> {
    match model {
        TorchtuneModel::Llama3Chatml => chatml(messages),
        TorchtuneModel::Mistral => mistral(messages),
        TorchtuneModel::Llama2 => llama2(messages),
        TorchtuneModel::Llama3
        | TorchtuneModel::Qwen25
        | TorchtuneModel::MistralPlain
        | TorchtuneModel::Phi3 => Ok(messages.to_vec()),
    }
}

fn unknown_role(role: &str) -> MaskError {
    MaskError::python("KeyError", format!("'{role}'"))
}

fn chatml(messages: &[TorchtuneMessage]) -> Result<Vec<TorchtuneMessage>, MaskError> {
    let mut out = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let mut content = message.content.clone();
        match message.role.as_str() {
            role @ ("system" | "user" | "assistant") => {
                let open = role == "assistant" && index + 1 == messages.len() && content.concat().is_empty();
                content.insert(0, format!("<|im_start|>{role}\n"));
                if !open {
                    content.push("<|im_end|>\n".into());
                }
            }
            "ipython" => {}
            role => return Err(unknown_role(role)),
        }
        out.push(TorchtuneMessage { content, ..message.clone() });
    }
    Ok(out)
}

/// What stands around a user's text.
const INSTRUCTION: (&str, &str) = ("[INST] ", " [/INST] ");

fn mistral(messages: &[TorchtuneMessage]) -> Result<Vec<TorchtuneMessage>, MaskError> {
    let mut out = Vec::new();
    for message in messages {
        let (before, after) = match message.role.as_str() {
            "system" => {
                let message = "System prompts are not supported in MistralChatTemplate";
                return Err(MaskError::python("ValueError", message));
            }
            "user" => INSTRUCTION,
            "assistant" | "ipython" => ("", ""),
            role => return Err(unknown_role(role)),
        };
        let content = [&[before.to_string()], message.content.as_slice(), &[after.to_string()]].concat();
        out.push(TorchtuneMessage { content, ..message.clone() });
    }
    Ok(out)
}

fn llama2(messages: &[TorchtuneMessage]) -> Result<Vec<TorchtuneMessage>, MaskError> {
    let mut system: Vec<String> = Vec::new();
    // Other roles keep the content of the message before.
    let mut content: Option<Vec<String>> = None;
    let mut out = Vec::new();
    for message in messages {
        match message.role.as_str() {
            "system" => {
                let (before, after) = (["<<SYS>>\n".to_string()], ["\n<</SYS>>\n\n".to_string()]);
                system = [before.as_slice(), message.content.as_slice(), after.as_slice()].concat();
                continue;
            }
            // The system text is never cleared, so every user message has it.
            "user" => {
                let (before, after) = ([INSTRUCTION.0.to_string()], [INSTRUCTION.1.to_string()]);
                let pieces =
                    [before.as_slice(), system.as_slice(), message.content.as_slice(), after.as_slice()];
                content = Some(pieces.concat());
            }
            "assistant" => content = Some(message.content.clone()),
            _ => {}
        }
        let content = content.clone().ok_or_else(|| {
            let message = "cannot access local variable 'content' where it is not associated with a value";
            MaskError::python("UnboundLocalError", message)
        })?;
        out.push(TorchtuneMessage { content, ..message.clone() });
    }
    Ok(out)
}
