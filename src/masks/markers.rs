//! The markers of a template: what stands before a user's text and before an answer, and the token that ends
//! an answer. Trainers that search for markers need them; here they are read off a rendering with
//! placeholders instead of being guessed from the model's name.

use serde_json::{Value, json};

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
    let (text, structured) = match probe(chat, false) {
        Ok(text) => (text, false),
        Err(_) => (probe(chat, true)?, true),
    };
    let mut pieces = text.split(USER).flat_map(|piece| piece.split(ANSWER));
    let (Some(head), Some(to_answer), Some(to_user)) = (pieces.next(), pieces.next(), pieces.next()) else {
        return Err(missing());
    };
    let end_of_turn = first_special(chat, to_user)?.filter(|end| opens_nothing(to_user, end));
    let header = generation_header(chat, structured).unwrap_or_default();
    let (user_end, response) = match answer_header(to_answer, header.trim_start_matches(' ')) {
        Some((user_end, response)) => (user_end, response.to_string()),
        None => ("", without_shared_end(chat, to_answer, to_user)?),
    };
    let instruction = without_end(to_user, head, user_end, end_of_turn.as_deref());
    let trim = |marker: &str| marker.trim_matches([' ', '\t']).to_string();
    let markers = Markers { instruction: trim(&instruction), response: trim(&response), end_of_turn };
    if markers.instruction.trim().is_empty() || markers.response.trim().is_empty() {
        return Err(MaskError::python("ValueError", "a marker would be empty: give the markers yourself"));
    }
    Ok(markers)
}

fn missing() -> MaskError {
    MaskError::python(
        "ValueError",
        "the template does not render the placeholders: give the markers yourself",
    )
}

fn common_prefix<'a>(a: &'a str, b: &str) -> &'a str {
    let len = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).map(|(c, _)| c.len_utf8()).sum();
    a.get(..len).unwrap_or_default()
}

/// Rounds of placeholder texts, `count` messages of them.
fn rounds(structured: bool, count: usize) -> Vec<Value> {
    let content = |text: &str| match structured {
        true => json!([{"type": "text", "text": text}]),
        false => json!(text),
    };
    let round = [
        json!({"role": "user", "content": content(USER)}),
        json!({"role": "assistant", "content": content(ANSWER)}),
    ];
    round.iter().cycle().take(count).cloned().collect()
}

fn render(chat: &Chat, messages: &[Value], add_generation_prompt: bool) -> Result<String, MaskError> {
    chat.text(Call { messages, tools: None, kwargs: None, add_generation_prompt })
}

/// What `add_generation_prompt` adds behind a user turn.
fn generation_header(chat: &Chat, structured: bool) -> Result<String, MaskError> {
    let messages = rounds(structured, 5);
    let without = render(chat, &messages, false)?;
    let with = render(chat, &messages, true)?;
    Ok(with.strip_prefix(without.as_str()).unwrap_or_default().to_string())
}

fn probe(chat: &Chat, structured: bool) -> Result<String, MaskError> {
    let text = render(chat, &rounds(structured, 6), false)?;
    let whole = text.matches(USER).count() == 3 && text.matches(ANSWER).count() == 3;
    if whole { Ok(text) } else { Err(missing()) }
}

/// The first token of `text` that is special, as text.
fn first_special(chat: &Chat, text: &str) -> Result<Option<String>, MaskError> {
    let ids = chat.ids(text)?;
    Ok(ids.into_iter().find(|id| chat.encoder.is_special(*id)).and_then(|id| chat.encoder.added_token(id)))
}

/// What is left of `gap` when the end of the turn is taken off: the tokens and white space that it shares
/// with the gap behind an answer, as long as they are whole special tokens or white space.
fn without_shared_end(chat: &Chat, gap: &str, other: &str) -> Result<String, MaskError> {
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
    first(rest).is_some_and(|c| !is_space(c))
        && first(rest) != Some('<')
        && first(rest) != Some('[')
        && other_rest != rest
}

fn leading_special(chat: &Chat, text: &str) -> Result<Option<String>, MaskError> {
    Ok(first_special(chat, text)?.filter(|token| !token.is_empty() && text.starts_with(token.as_str())))
}

/// True when something visible follows `end` in the gap: the token ends the answer and opens no user turn.
fn opens_nothing(gap: &str, end: &str) -> bool {
    gap.split_once(end).is_some_and(|(_, rest)| !rest.trim().is_empty())
}

/// Splits the gap before an answer into the end of the user's turn and the answer's header: the part that
/// agrees best with what a generation prompt adds. What a template puts between the two (an empty thought)
/// is no part of the header. `None` for templates without a header.
fn answer_header<'g>(gap: &'g str, header: &str) -> Option<(&'g str, &'g str)> {
    let candidates = gap.char_indices().map(|(at, _)| {
        let rest = gap.get(at..).unwrap_or_default();
        (common_prefix(rest, header), at)
    });
    let (shared, at) = candidates.max_by_key(|(shared, at)| (shared.len(), usize::MAX - at))?;
    // A header that both share by half ends at its last whole piece.
    let whole = if shared.len() < header.len() {
        shared.rfind(['>', ']', '\n', ':', ' ']).map_or("", |last| shared.get(..=last).unwrap_or_default())
    } else {
        shared
    };
    (!whole.trim().is_empty()).then(|| (gap.get(..at).unwrap_or_default(), whole))
}

/// The user's marker: the gap behind an answer without the answer's end. Where the text begins with the
/// same marker, that tells where it starts.
fn without_end(gap: &str, head: &str, user_end: &str, end_of_turn: Option<&str>) -> String {
    let spaceless = gap.trim_start_matches(' ');
    let shared_end = gap.strip_prefix(user_end).filter(|_| !user_end.trim().is_empty());
    let rest = shared_end.or_else(|| spaceless.strip_prefix(end_of_turn?)).unwrap_or(spaceless);
    let matching = rest.chars().rev().zip(head.chars().rev()).take_while(|(a, b)| a == b);
    let shared: usize = matching.map(|(c, _)| c.len_utf8()).sum();
    let common = rest.get(rest.len() - shared..).unwrap_or(rest);
    let marker = if common.trim().is_empty() { rest } else { common };
    let opening = marker.trim_start_matches([' ', '\n']);
    if opening.is_empty() { marker } else { opening }.to_string()
}
