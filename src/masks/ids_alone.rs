//! Ids without the conversation that they came from: the text that they spell, and its turns by the template's own markers.

use serde_json::{Value, json};

use super::assemble::{LocatedMessages, assembled, spelled};
use super::markers::Markers;
use crate::chat::jinja::is_space;
use crate::chat::{Conversation, PromptLayout, Speaker, TurnLayout};
use crate::labels::{Inspection, Note};
use crate::tokenizer::Tokenizer;

/// Roles that templates write where `assistant` stands in the marker of an answer.
const OTHER_ROLES: [&str; 8] =
    ["system", "tool", "developer", "function", "observation", "ipython", "environment", "tool_response"];

/// Ids with their labels as a result, in turns where the template's markers stand in the text.
pub fn inspect_ids(
    tokenizer: &Tokenizer,
    markers: Option<&Markers>,
    id: &str,
    (input_ids, labels): (&[i64], &[i64]),
    notes: Vec<Note>,
) -> Inspection {
    let (text, spans) = spelled(tokenizer, input_ids);
    let layout = markers.map(|markers| turns_of(&text, markers)).unwrap_or_default();
    let messages = messages(&text, &layout);
    let located = LocatedMessages::new(&messages, &layout);
    let labelled = assembled(input_ids.to_vec(), labels.to_vec(), spans, located, notes);
    Inspection {
        id: id.to_string(),
        has_image: false,
        template: "none".to_string(),
        preprocess: "as dumped".to_string(),
        prompt: Some(text),
        layout,
        result: Ok(labelled),
    }
}

/// The conversation that a text says, where the template's markers stand in it.
pub fn recovered(inspection: &Inspection) -> Option<Conversation> {
    let messages = messages(inspection.prompt.as_deref()?, &inspection.layout);
    let answers = messages.iter().any(|message| super::role(message) == "assistant");
    answers.then(|| Conversation { messages, ..Conversation::default() })
}

fn messages(text: &str, layout: &PromptLayout) -> Vec<Value> {
    let message = |turn: &TurnLayout| {
        let content = text.get(turn.content.clone()).unwrap_or_default().trim_matches(is_space);
        let role = match turn.speaker {
            Speaker::System => "system",
            Speaker::User => "user",
            Speaker::Assistant => "assistant",
            Speaker::Tool => "tool",
        };
        json!({"role": role, "content": content})
    };
    layout.turns.iter().map(message).collect()
}

/// The turns between the markers of a text.
fn turns_of(text: &str, markers: &Markers) -> PromptLayout {
    let (response, instruction) =
        (markers.response.trim_start_matches(is_space), markers.instruction.trim_start_matches(is_space));
    let mut known: Vec<(String, Speaker)> =
        vec![(instruction.to_string(), Speaker::User), (response.to_string(), Speaker::Assistant)];
    if response.contains("assistant") {
        let other = |role: &str| (response.replace("assistant", role), Speaker::of_role(role));
        known.extend(OTHER_ROLES.map(other));
    }
    known.retain(|(marker, _)| !marker.trim().is_empty());
    let mut heads: Vec<(usize, usize, Speaker)> = Vec::new();
    for (marker, speaker) in &known {
        heads.extend(text.match_indices(marker.as_str()).map(|(at, found)| (at, found.len(), *speaker)));
    }
    heads.sort_by_key(|(at, len, _)| (*at, usize::MAX - len));
    let mut end = 0;
    heads.retain(|(at, len, _)| {
        let free = *at >= end;
        if free {
            end = at + len;
        }
        free
    });
    let first = heads.first().map_or(text.len(), |(at, ..)| *at);
    let mut turns = Vec::new();
    // What stands before the first marker is a system text, or nothing but bos.
    let before = text.get(..first).unwrap_or_default();
    if !heads.is_empty()
        && before.chars().any(char::is_alphanumeric)
        && before.trim_matches(is_space).len() > 16
    {
        turns.push(turn(turns.len(), text, Speaker::System, 0..0, first, markers));
    }
    for (index, (at, len, speaker)) in heads.iter().enumerate() {
        let end = heads.get(index + 1).map_or(text.len(), |(next, ..)| *next);
        turns.push(turn(turns.len(), text, *speaker, *at..at + len, end, markers));
    }
    PromptLayout { turns }
}

fn turn(
    index: usize,
    text: &str,
    speaker: Speaker,
    header: std::ops::Range<usize>,
    end: usize,
    markers: &Markers,
) -> TurnLayout {
    let inside = text.get(header.end..end).unwrap_or_default();
    let close =
        markers.end_of_turn.as_deref().filter(|mark| !mark.is_empty()).and_then(|mark| inside.find(mark));
    let content = header.end..header.end + close.unwrap_or_else(|| inside.trim_end_matches(is_space).len());
    TurnLayout { index, speaker, whole: header.start..end, header, separator: content.end..end, content }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_found_by_markers() {
        let markers = Markers {
            instruction: "<|im_start|>user\n".into(),
            response: "<|im_start|>assistant\n".into(),
            end_of_turn: Some("<|im_end|>".into()),
        };
        let text = "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHo\n<|im_end|>\n";
        let layout = turns_of(text, &markers);
        let told: Vec<(Speaker, &str)> =
            layout.turns.iter().map(|turn| (turn.speaker, &text[turn.content.clone()])).collect();
        let wanted = [(Speaker::System, "Be kind."), (Speaker::User, "Hi"), (Speaker::Assistant, "Ho\n")];
        assert_eq!(told, wanted);
        assert_eq!(layout.turns.last().map(|turn| turn.whole.end), Some(text.len()));
        let messages = messages(text, &layout);
        assert_eq!(messages[2], json!({"role": "assistant", "content": "Ho"}));
    }

    #[test]
    fn a_text_without_markers_has_no_turns() {
        let markers = Markers {
            instruction: "USER:".into(),
            response: "ASSISTANT:".into(),
            end_of_turn: Some("</s>".into()),
        };
        assert_eq!(turns_of("no conversation", &markers), PromptLayout::default());
        let text = "A chat between two people. USER: Hi ASSISTANT: Ho</s>";
        let layout = turns_of(text, &markers);
        assert_eq!(layout.turns.len(), 3);
        assert_eq!(&text[layout.turns[2].content.clone()], " Ho");
    }
}
