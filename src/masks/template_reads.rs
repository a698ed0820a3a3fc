//! What a chat template reads of a message, found by rendering small messages: places for media, thoughts.

use serde_json::{Value, json};

use crate::chat::{Conversation, MediaKind};

/// A text that no template writes.
const SAID: &str = "Zq7 said this";
const THOUGHT: &str = "Zq7 thought this";

/// What a template does with the parts of messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TemplateReads {
    /// For each type of part that has a place: its kind, the type, and the text that stands for it.
    pub places: Vec<(MediaKind, &'static str, String)>,
    /// The template writes a content that is a list of parts.
    pub lists: bool,
    /// `reasoning_content` of the last answer is written.
    pub thought_field: bool,
    /// A thought between tags in the content of the last answer is kept.
    pub thought_in_content: bool,
}

impl TemplateReads {
    /// The texts that stand for one kind of media, each once.
    pub fn places_of(&self, kind: MediaKind) -> Vec<&str> {
        let mut texts: Vec<&str> =
            self.places.iter().filter(|(of, ..)| *of == kind).map(|(_, _, text)| text.as_str()).collect();
        texts.sort_unstable();
        texts.dedup();
        texts
    }

    /// True where a part of this type has a place.
    pub fn takes(&self, part_type: &str) -> bool {
        self.places.iter().any(|(_, of, _)| *of == part_type)
    }

    /// Renders the small messages.
    pub(super) fn measure(rendered: &dyn Fn(&Conversation) -> Option<String>) -> Self {
        let render = |messages| rendered(&Conversation { messages, ..Conversation::default() });
        let user = |content: Value| vec![json!({"role": "user", "content": content})];
        let answered = |answer: Value| vec![json!({"role": "user", "content": "x"}), answer];
        let text = json!({"type": "text", "text": SAID});
        let plain = render(user(json!([text])));
        let lists = plain.as_ref().is_some_and(|text| text.contains(SAID) && !text.contains("'type'"));
        let mut places = Vec::new();
        if let (true, Some(plain)) = (lists, &plain) {
            for (kind, part_type) in MediaKind::PART_TYPES {
                let part = match part_type.ends_with("_url") {
                    true => json!({"type": part_type, part_type: {"url": "x"}}),
                    false => json!({"type": part_type}),
                };
                let with = render(user(json!([part, text])));
                if let Some(place) = with.and_then(|with| inserted(plain, &with)) {
                    places.push((kind, part_type, place));
                }
            }
        }
        let thinks = |answer: Value| render(answered(answer)).is_some_and(|text| text.contains(THOUGHT));
        Self {
            places,
            lists,
            thought_field: thinks(
                json!({"role": "assistant", "reasoning_content": THOUGHT, "content": SAID}),
            ),
            thought_in_content: thinks(
                json!({"role": "assistant", "content": format!("<think>\n{THOUGHT}\n</think>\n\n{SAID}")}),
            ),
        }
    }
}

/// What `with` has more than `plain`, from its first bracket to its last: templates may number their images.
fn inserted(plain: &str, with: &str) -> Option<String> {
    let head = plain.bytes().zip(with.bytes()).take_while(|(a, b)| a == b).count();
    let tail = plain.bytes().rev().zip(with.bytes().rev()).take_while(|(a, b)| a == b).count();
    let most = with.len().min(plain.len());
    let tail = tail.min(most.saturating_sub(head));
    // Where the text before the place begins as the place does, the cut lies a little late: up to the last bracket.
    let start = with.get(..head)?.rfind(['<', '[']).filter(|at| {
        with.get(*at..head).is_some_and(|shared| !shared.contains(['>', ']', '\n', ' ']) && shared.len() < 24)
    });
    let more = with.get(start.unwrap_or(head)..with.len() - tail)?.trim();
    let bracketed = match (more.find(['<', '[']), more.rfind(['>', ']'])) {
        (Some(first), Some(last)) if first < last => more.get(first..=last),
        _ => Some(more),
    };
    bracketed.filter(|place| !place.is_empty()).map(String::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_an_image_is_what_it_adds() {
        let plain = "<|im_start|>user\nsaid<|im_end|>";
        for (with, place) in [
            (
                "<|im_start|>user\n<|vision_start|><|image_pad|>said<|im_end|>",
                "<|vision_start|><|image_pad|>",
            ),
            ("<|im_start|>user\nPicture 1: <img>said<|im_end|>", "<img>"),
            ("<|im_start|>user\n[IMG]said<|im_end|>", "[IMG]"),
            ("<|im_start|>user\nsaid<|im_end|>", ""),
        ] {
            assert_eq!(inserted(plain, with).unwrap_or_default(), place);
        }
        assert_eq!(inserted("<|user|>x", "<|user|><|image|>x").as_deref(), Some("<|image|>"));
    }
}
