//! Where a text may be cut so that the ids of the parts, one after another, are the ids of the whole.
//!
//! The place is between a visible ASCII character and a space. Two families of pipelines cut every text there:
//!
//! - *Byte-level BPE*: a split pattern in which a space stands only at the beginning of a match (` ?\p{L}+`) or in a
//!   match that is white space alone. The visible character before ends its match, the space begins the next one, no
//!   pattern looks back, and a match that ends in a visible character is the same whether a space or the end of the
//!   text follows. NFC composes nothing with a space.
//! - *BPE over a whole stretch with visible spaces* (Llama): a merge across the place would make a piece that has `▁`
//!   behind that character. The characters for which the vocabulary has such a piece are left out.

use serde_json::Value;

use crate::tokenizer::core::Core;
use crate::tokenizer::formats::tiktoken;

/// How the parts of a text are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Each part as a text of its own.
    ByteLevel,
    /// A space is put before each stretch: a part behind a split point is a text without its own first space.
    DummySpace,
}

/// The split points of a pipeline.
#[derive(Debug, Clone)]
pub struct SplitPoints {
    pub family: Family,
    /// Bytes behind which a space begins a new part.
    before: Vec<bool>,
}

impl SplitPoints {
    /// Split points behind every visible ASCII character.
    pub fn byte_level() -> Self {
        Self { family: Family::ByteLevel, before: (0..=u8::MAX).map(|b| b.is_ascii_graphic()).collect() }
    }

    /// Split points behind every visible ASCII character that no piece of a vocabulary has before a `▁`.
    pub fn dummy_space<'t>(pieces: impl Iterator<Item = &'t str>) -> Self {
        let mut points = Self { family: Family::DummySpace, ..Self::byte_level() };
        for piece in pieces.filter(|piece| piece.chars().skip(1).any(|c| c == '▁')) {
            for (c, next) in piece.chars().zip(piece.chars().skip(1)) {
                if let (Ok(byte), '▁') = (u8::try_from(c), next)
                    && let Some(is_point) = points.before.get_mut(usize::from(byte))
                {
                    *is_point = false;
                }
            }
        }
        points
    }

    /// The split points of a `tokenizers` pipeline, or why it has none that are known.
    pub fn of_core(core: &Core) -> Result<Self, String> {
        let shape = |part: serde_json::Result<Value>| part.unwrap_or_default();
        let normalizer = shape(serde_json::to_value(core.get_normalizer()));
        let pre_tokenizer = shape(serde_json::to_value(core.get_pre_tokenizer()));
        let model = core.get_model();
        if !model.is_plain_bpe() {
            return Err("the model is no byte-pair encoding without dropout and affixes".to_string());
        }
        if is_byte_level(&pre_tokenizer) && matches!(kind(&normalizer), "" | "NFC") {
            return Ok(Self::byte_level());
        }
        if pre_tokenizer.is_null() && adds_dummy_space(&normalizer) {
            let vocabulary = tokenizers::Model::get_vocab(model);
            return Ok(Self::dummy_space(vocabulary.keys().map(String::as_str)));
        }
        Err(format!(
            "its pipeline ({} and {}) is none of those for which it is known where texts may be cut",
            name(&normalizer),
            name(&pre_tokenizer)
        ))
    }

    /// True where a space behind this byte begins a new part.
    pub fn is_behind(&self, byte: u8) -> bool {
        self.before.get(usize::from(byte)).copied().unwrap_or(false)
    }

    /// Length of the first part of a text.
    pub fn part(&self, text: &[u8]) -> usize {
        let mut last = 0;
        for (at, byte) in text.iter().enumerate() {
            if *byte == b' ' && self.is_behind(last) {
                return at;
            }
            last = *byte;
        }
        text.len()
    }
}

fn kind(part: &Value) -> &str {
    part.get("type").and_then(Value::as_str).unwrap_or("")
}

fn name(part: &Value) -> &str {
    if part.is_null() { "nothing" } else { kind(part) }
}

/// GPT-2's step alone, or a known pattern and the step without its own.
fn is_byte_level(pre_tokenizer: &Value) -> bool {
    let flag = |step: &Value, key: &str| step.get(key).and_then(Value::as_bool).unwrap_or(true);
    let is_step = |step: &Value, own: bool| {
        kind(step) == "ByteLevel" && !flag(step, "add_prefix_space") && flag(step, "use_regex") == own
    };
    let steps = pre_tokenizer.get("pretokenizers").and_then(Value::as_array).map(Vec::as_slice);
    match steps {
        None => is_step(pre_tokenizer, true),
        Some([split, step]) => is_known_split(split) && is_step(step, false),
        Some(_) => false,
    }
}

fn is_known_split(step: &Value) -> bool {
    let pattern = step.get("pattern").and_then(|p| p.get("Regex")).and_then(Value::as_str).unwrap_or("");
    let known = [
        tiktoken::DIGIT_BY_DIGIT_PATTERN,
        tiktoken::THREE_DIGITS_PATTERN,
        tiktoken::GPT2_PATTERN,
        tiktoken::O200K_PATTERN,
    ];
    kind(step) == "Split"
        && step.get("behavior").and_then(Value::as_str) == Some("Isolated")
        && step.get("invert").and_then(Value::as_bool) == Some(false)
        && known.contains(&pattern)
}

/// `▁` put in front, then every space made visible.
fn adds_dummy_space(normalizer: &Value) -> bool {
    let steps = normalizer.get("normalizers").and_then(Value::as_array).map(Vec::as_slice);
    let Some([prepend, replace]) = steps else { return false };
    let text = |step: &Value, key: &str| step.get(key).and_then(Value::as_str).map(str::to_string);
    kind(prepend) == "Prepend"
        && text(prepend, "prepend").as_deref() == Some("▁")
        && kind(replace) == "Replace"
        && text(replace, "content").as_deref() == Some("▁")
        && replace.get("pattern").and_then(|p| p.get("String")).and_then(Value::as_str) == Some(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(points: &SplitPoints, mut text: &str) -> Vec<String> {
        let mut parts = Vec::new();
        while !text.is_empty() {
            let (part, rest) = text.split_at(points.part(text.as_bytes()));
            parts.push(part.to_string());
            text = rest;
        }
        parts
    }

    #[test]
    fn a_text_is_cut_between_a_visible_character_and_a_space() {
        let points = SplitPoints::byte_level();
        assert_eq!(parts(&points, "A  b.\n c é d"), ["A", "  b.\n c", " é d"]);
        assert_eq!(parts(&points, " x "), [" x", " "]);
    }

    #[test]
    fn a_character_that_a_piece_has_before_a_space_is_no_split_point() {
        let points = SplitPoints::dummy_space(["▁▁", "▁a", "b.▁c"].into_iter());
        assert_eq!(parts(&points, "a b. c"), ["a", " b. c"]);
    }
}
