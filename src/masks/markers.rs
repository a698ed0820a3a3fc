//! The markers of a template: what stands before a user's text and before an answer, and the token that ends
//! an answer. Trainers that search for markers need them; here they are read off a rendering with
//! placeholders instead of being guessed from the model's name.

use serde_json::json;

use super::{Call, Chat, MaskError};
use crate::chat::jinja::is_space;

/// Placeholders that no template strips or splits.
const USER: &str = "QuserQ";
const ANSWER: &str = "QanswerQ";

/// Markers of one template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Markers {
    /// From the end of the last turn to the user's text, white space at the ends of the line included.
    pub instruction: String,
    /// From the end of the user's turn to the answer.
    pub response: String,
    /// The first special token behind an answer.
    pub end_of_turn: Option<String>,
}

/// Reads the markers off three rounds of placeholders.
///
/// # Errors
/// `ValueError` when the placeholders do not come through, or a marker would be empty.
pub fn detect(chat: &Chat) -> Result<Markers, MaskError> {
    let text = probe(chat, false).or_else(|_| probe(chat, true))?;
    let missing = || MaskError::python("ValueError", "the template does not render the placeholders: give the markers yourself");
    let mut pieces = text.split(USER).flat_map(|piece| piece.split(ANSWER));
    let head = pieces.next().ok_or_else(missing)?;
    let to_answer = pieces.next().ok_or_else(missing)?;
    let to_user = pieces.next().ok_or_else(missing)?;
    let end_of_turn = first_special(chat, to_user)?;
    let response = after_shared_end(chat, to_answer, to_user)?;
    let instruction = after_end(chat, to_user, head, end_of_turn.as_deref())?;
    if response.trim().is_empty() || instruction.trim().is_empty() {
        return Err(MaskError::python("ValueError", "a marker would be empty: give the markers yourself"));
    }
    Ok(Markers { instruction, response, end_of_turn })
}

fn probe(chat: &Chat, parts: bool) -> Result<String, MaskError> {
    let content = |text: &str| match parts {
        true => json!([{"type": "text", "text": text}]),
        false => json!(text),
    };
    let round = [json!({"role": "user", "content": content(USER)}), json!({"role": "assistant", "content": content(ANSWER)})];
    let messages: Vec<_> = round.iter().cycle().take(6).cloned().collect();
    let text = chat.text(Call { messages: &messages, tools: None, kwargs: None, add_generation_prompt: false })?;
    if text.matches(USER).count() == 3 && text.matches(ANSWER).count() == 3 {
        Ok(text)
    } else {
        Err(MaskError::python("ValueError", "the template does not render the placeholders: give the markers yourself"))
    }
}

/// The first token of `text` that is special, as text.
fn first_special(chat: &Chat, text: &str) -> Result<Option<String>, MaskError> {
    let ids = chat.ids(text)?;
    Ok(ids.into_iter().find(|id| chat.encoder.is_special(*id)).and_then(|id| chat.encoder.added_token(id)))
}

/// What is left of `gap` when the end of the turn is taken off: the tokens and white space that it shares
/// with the gap behind an answer, as long as they are whole special tokens or white space.
fn after_shared_end(chat: &Chat, gap: &str, other: &str) -> Result<String, MaskError> {
    let (mut gap, mut other) = (gap, other);
    loop {
        let spaces = gap.len() - gap.trim_start_matches(is_space).len();
        let other_spaces = other.len() - other.trim_start_matches(is_space).len();
        if spaces > 0 && gap.get(..spaces) == other.get(..other_spaces) {
            gap = gap.get(spaces..).unwrap_or_default();
            other = other.get(spaces..).unwrap_or_default();
            continue;
        }
        let Some(special) = leading_special(chat, gap)? else { break };
        // A special token that opens the answer is not the end of the user's turn.
        let rest = gap.get(special.len()..).unwrap_or_default();
        match other.strip_prefix(special.as_str()) {
            Some(other_rest) if !rest.is_empty() && !opens(rest, other_rest) => {
                gap = rest;
                other = other_rest;
            }
            _ => break,
        }
    }
    Ok(gap.trim_start_matches(' ').to_string())
}

/// True when what follows a shared special token differs at once: the token opens both turns.
fn opens(rest: &str, other_rest: &str) -> bool {
    let first = |text: &str| text.chars().next();
    first(rest).is_some_and(|c| !is_space(c)) && first(rest) != Some('<') && first(rest) != Some('[') && other_rest != rest
}

fn leading_special(chat: &Chat, text: &str) -> Result<Option<String>, MaskError> {
    Ok(first_special(chat, text)?.filter(|token| !token.is_empty() && text.starts_with(token.as_str())))
}

/// The user's marker: the gap behind an answer without the answer's end, checked against the text's head.
fn after_end(chat: &Chat, gap: &str, head: &str, end_of_turn: Option<&str>) -> Result<String, MaskError> {
    let mut rest = gap.trim_start_matches(' ');
    if let Some(end) = end_of_turn {
        rest = rest.strip_prefix(end).unwrap_or(rest);
    }
    let shared = rest.chars().rev().zip(head.chars().rev()).take_while(|(a, b)| a == b).map(|(c, _)| c.len_utf8()).sum::<usize>();
    let common = rest.get(rest.len() - shared..).unwrap_or(rest);
    let marker = if common.trim().is_empty() { rest } else { common };
    let _ = chat;
    let opening = marker.trim_start_matches([' ', '\n']);
    Ok(if opening.trim().is_empty() { marker.to_string() } else { opening.to_string() })
}
