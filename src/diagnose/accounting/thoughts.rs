//! The thoughts that stand in the content of a message, and those that are no text.

use serde_json::Value;

/// Tags that templates part a thought from an answer at.
const TAGS: [(&str, &str); 4] = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
];

/// A stretch of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThoughtStretch<'t> {
    Thought(&'t str),
    Said(&'t str),
}

impl<'t> ThoughtStretch<'t> {
    pub fn text(self) -> &'t str {
        match self {
            Self::Thought(text) | Self::Said(text) => text,
        }
    }
}

/// The thoughts of a text and what is said between them, in order; `None` for a text without a tag that closes one.
///
/// A thought need not be opened: where the generation prompt ends in `<think>`, data holds `…</think>` alone. What stands
/// before the tag that opens one is said. Only an answer has thoughts that nothing opens; others may quote the tag.
pub fn parted(text: &str, is_answer: bool) -> Option<Vec<ThoughtStretch<'_>>> {
    let (open, close) = TAGS.iter().find(|(_, close)| text.contains(close))?;
    let mut stretches = Vec::new();
    let mut rest = text;
    while let Some((head, behind)) = rest.split_once(close) {
        match head.split_once(open) {
            Some((before, thought)) => {
                stretches.extend([ThoughtStretch::Said(before), ThoughtStretch::Thought(thought)]);
            }
            None if is_answer && stretches.is_empty() => stretches.push(ThoughtStretch::Thought(head)),
            None => break,
        }
        rest = behind;
    }
    stretches.push(ThoughtStretch::Said(rest));
    stretches.retain(|stretch| !stretch.text().trim().is_empty());
    let has_thought = stretches.iter().any(|stretch| matches!(stretch, ThoughtStretch::Thought(_)));
    has_thought.then_some(stretches)
}

/// What a reasoning that is no text says: its values without the types of its parts.
pub fn said_in(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(said_in).collect(),
        Value::Object(map) => {
            let said =
                map.iter().filter(|(key, _)| !["type", "id", "index", "signature"].contains(&key.as_str()));
            Value::Object(said.map(|(key, value)| (key.clone(), said_in(value))).collect())
        }
        leaf => leaf.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::ThoughtStretch::{Said, Thought};
    use super::*;

    #[test]
    fn thoughts_are_opened_or_not_and_stand_anywhere() {
        for (text, stretches) in [
            ("<think>\na\n</think>\n\nb", Some(vec![Thought("\na\n"), Said("\n\nb")])),
            ("a</think>b", Some(vec![Thought("a"), Said("b")])),
            ("x <think>a</think>b", Some(vec![Said("x "), Thought("a"), Said("b")])),
            (
                "<think>a</think>b<think>c</think>d",
                Some(vec![Thought("a"), Said("b"), Thought("c"), Said("d")]),
            ),
            ("<think></think>b", None),
            ("<think>a", None),
            ("a", None),
        ] {
            assert_eq!(parted(text, true), stretches, "{text}");
        }
        assert_eq!(parted("What is </think>?", false), None);
    }
}
