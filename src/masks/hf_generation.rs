//! `{% generation %}` tags: `apply_chat_template(return_assistant_tokens_mask=True)` of transformers 5.23,
//! which TRL's `assistant_only_loss` supervises. Two rules that differ:
//!
//! * tokenizers (`tokenization_utils_base.py`): the tokens of the first and last character, in a loop that
//!   ends at the first span whose first character has no token, and that runs to the end of the sequence
//!   when the last character has none or lies on token 0;
//! * processors (`processing_utils.py`, for images): every token that overlaps a span, after the spans were
//!   moved by what placeholders grew.

use std::ops::Range;

use super::encoder::Encoded;
use super::{Call, Chat, EncodedText, MaskError, Masked};
use crate::chat::Conversation;
use crate::chat::jinja::Rendered;
use crate::chat::jinja::limits::MAX_OUTPUT;

/// Labels of the tokenizer path.
///
/// # Errors
/// `ValueError` for a slow tokenizer, which has no offsets; `OverflowError` for an empty span at the very start, as the Python binding raises for position −1.
pub fn label(chat: &Chat, sample: &Conversation, max_length: Option<usize>) -> Result<Masked, MaskError> {
    if !chat.encoder.has_offsets() {
        let message = "char_to_token() is not available when using Python based tokenizers";
        return Err(MaskError::python("ValueError", message));
    }
    let rendered = chat.render(Call::whole(sample))?;
    let mut encoded = chat.encode(&rendered.text)?;
    if let Some(max_length) = max_length {
        encoded.ids.truncate(max_length);
        encoded.offsets.truncate(max_length);
        encoded.spans.truncate(max_length);
    }
    let spans: Vec<Range<usize>> = rendered.spans.iter().map(|span| span.chars.clone()).collect();
    let mut masked = supervise_spans(&encoded, &spans)?;
    let displaced = rendered.spans.iter().any(|span| span.displaced);
    masked.source = Some(EncodedText::new(rendered, encoded).1);
    if !chat.template.has_generation_tags() {
        masked.note(0..0, "the template has no {% generation %} tag: nothing is supervised");
    }
    if displaced {
        masked.note(
            0..0,
            "a {% generation %} tag stands inside a macro, set block, filter or another such tag: transformers \
             counts only text yielded before it, so its span is not where its text is",
        );
    }
    Ok(masked)
}

/// The tokenizer's loop from character spans to tokens.
pub fn supervise_spans(encoded: &Encoded, spans: &[Range<usize>]) -> Result<Masked, MaskError> {
    let mut masked = Masked::ignored(encoded.ids.clone());
    let len = encoded.ids.len();
    for (index, span) in spans.iter().enumerate() {
        let first = encoded.char_to_token(span.start);
        let Some(last_char) = span.end.checked_sub(1) else {
            return Err(MaskError::python("OverflowError", "can't convert negative int to unsigned"));
        };
        let last = encoded.char_to_token(last_char);
        let Some(first) = first else {
            let lost = spans.len() - index - 1;
            masked.note(
                len..len,
                format!(
                    "generation span {index} begins at a character without a token: it and {lost} later are dropped"
                ),
            );
            break;
        };
        let end = match last {
            // Python writes `end + 1 if end else len(ids)`: token 0 counts as "none".
            Some(last) if last > 0 => last + 1,
            _ => {
                masked.note(
                    first..len,
                    "the last character of a generation span lies on token 0 or on none: everything after it is \
                     supervised (transformers issue 47325)",
                );
                len
            }
        };
        if span.is_empty() && end > first {
            masked.note(first..end, "an empty generation span marks a token that straddles it");
        }
        masked.supervise(first..end);
    }
    Ok(masked)
}

/// A placeholder that the processor replaced: where it was and how long text and replacement are, in
/// characters of the text before replacement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replacement {
    pub start: usize,
    pub old_len: usize,
    pub new_len: usize,
}

/// What a processor puts in place of each placeholder of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placeholder<'a> {
    /// The text that stands once for an image in the rendered conversation, and `n` times after it.
    pub token: &'a str,
    /// Tokens of each image, in order; see [`super::image_tokens`].
    pub counts: &'a [usize],
}

/// Labels of the processor path: placeholders are expanded in the text before it is tokenised.
///
/// # Errors
/// `ValueError` when there are not as many placeholders as images.
pub fn label_processor(
    chat: &Chat,
    sample: &Conversation,
    images: &Placeholder,
) -> Result<Masked, MaskError> {
    let rendered = chat.render(Call::whole(sample))?;
    let pieces: Vec<&str> = rendered.text.split(images.token).collect();
    if pieces.len() != images.counts.len() + 1 || images.token.is_empty() {
        let found = pieces.len() - 1;
        let message =
            format!("{found} placeholders {:?} in the text for {} images", images.token, images.counts.len());
        return Err(MaskError::python("ValueError", message));
    }
    let total = images.counts.iter().fold(0_usize, |sum, count| sum.saturating_add(*count));
    if total.saturating_mul(images.token.len()) > MAX_OUTPUT {
        return Err(MaskError::python(
            "ValueError",
            format!("{total} image tokens are too many for one sample"),
        ));
    }
    let old_len = images.token.chars().count();
    let (mut text, mut replacements, mut position) = (String::new(), Vec::new(), 0);
    for (index, piece) in pieces.iter().enumerate() {
        text.push_str(piece);
        position += piece.chars().count();
        if let Some(count) = images.counts.get(index) {
            text.push_str(&images.token.repeat(*count));
            replacements.push(Replacement { start: position, old_len, new_len: old_len * count });
            position += old_len;
        }
    }
    let spans: Vec<Range<usize>> = rendered.spans.iter().map(|span| span.chars.clone()).collect();
    let encoded = chat.encode(&text)?;
    let masked = supervise_overlaps(&encoded, &shift_spans(&spans, &replacements));
    // The starts of turns were those of the text before the placeholders grew.
    let expanded = Rendered { text, ..Rendered::default() };
    Ok(masked.of_text(EncodedText::new(expanded, encoded).1))
}

/// Spans after placeholders before or inside them have grown.
pub fn shift_spans(spans: &[Range<usize>], replacements: &[Replacement]) -> Vec<Range<usize>> {
    let shift = |position: usize| {
        let before = replacements.iter().filter(|r| r.start + r.old_len <= position);
        let (old, new) = before.fold((0, 0), |(old, new), r| (old + r.old_len, new + r.new_len));
        (position + new).saturating_sub(old)
    };
    spans.iter().map(|span| shift(span.start)..shift(span.end)).collect()
}

/// The processor's rule: every token that overlaps a span of the expanded text.
pub fn supervise_overlaps(encoded: &Encoded, spans: &[Range<usize>]) -> Masked {
    let mut masked = Masked::ignored(encoded.ids.clone());
    for (index, (start, end)) in encoded.offsets.iter().enumerate() {
        if spans.iter().any(|span| *start < span.end && *end > span.start) {
            masked.supervise_token(index);
        }
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(offsets: &[(usize, usize)]) -> Encoded {
        Encoded { ids: (0..offsets.len() as u32).collect(), offsets: offsets.to_vec(), ..Encoded::default() }
    }

    fn single(span: Range<usize>) -> Vec<Range<usize>> {
        std::iter::once(span).collect()
    }

    #[test]
    fn a_span_on_token_zero_runs_to_the_end() {
        let masked = supervise_spans(&encoded(&[(0, 1), (1, 4), (4, 6)]), &single(0..1)).unwrap();
        assert_eq!(masked.spans(), single(0..3));
        assert_eq!(masked.notes.len(), 1);
    }

    #[test]
    fn a_lost_start_drops_later_spans_too() {
        let masked = supervise_spans(&encoded(&[(0, 2), (3, 5), (5, 8)]), &[2..4, 5..8]).unwrap();
        assert!(masked.spans().is_empty());
    }

    #[test]
    fn processors_take_overlaps_after_the_shift() {
        let spans = shift_spans(&single(10..12), &[Replacement { start: 2, old_len: 3, new_len: 9 }]);
        assert_eq!(spans, single(16..18));
        let masked = supervise_overlaps(&encoded(&[(0, 15), (15, 17), (17, 18), (18, 20)]), &spans);
        assert_eq!(masked.spans(), single(1..3));
    }
}
