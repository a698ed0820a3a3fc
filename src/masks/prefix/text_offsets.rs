//! open-instruct's `_tokenize_tulu_sft_with_assistant_labels` (commit e6c3044): positions in the text, with a
//! fall-back to token counts that is verified by decoding. With [`Turns::Last`] only the last answer counts.

use crate::chat::Conversation;
use crate::chat::jinja::limits::MAX_OUTPUT;
use crate::masks::{Call, Chat, EncodedText, MaskError, Masked, affordable, content, role};

/// Characters of a span or content that the error messages show.
const SHOWN: usize = 80;

/// Which assistant messages are supervised.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Turns {
    #[default]
    All,
    Last,
}

/// Where an assistant message lies, before and after it in text.
struct Seam {
    message: usize,
    /// `R(m[:i], add_generation_prompt=True)`; empty for the first message.
    header: String,
    /// `R(m[:i+1])`.
    with_answer: String,
}

/// Labels by text offsets, token counts where a prefix is none.
///
/// # Errors
/// `NotImplementedError` for a slow tokenizer, which has no offsets; `AssistantSpanDerivationError` when the counts give a span that does not hold the answer; the trainer
/// drops such a row.
pub fn text_offsets(chat: &Chat, sample: &Conversation, turns: Turns) -> Result<Masked, MaskError> {
    if !chat.encoder.has_offsets() {
        let message = "return_offset_mapping is not available when using Python tokenizers. To use this feature, \
                       change your tokenizer to one deriving from transformers.PreTrainedTokenizerFast.";
        return Err(MaskError::python("NotImplementedError", message));
    }
    let whole = Call::whole(sample);
    let rendered = chat.render(whole)?;
    affordable(2 * sample.messages.len(), rendered.text.len())?;
    let encoded = chat.encode(&rendered.text)?;
    let (ids, source) = EncodedText::new(rendered, encoded);
    let full = source.text.as_str();
    let mut masked = Masked::ignored(ids);
    let seams = seams(chat, whole, turns)?;
    if seams.iter().all(|s| {
        full.starts_with(&s.header)
            && full.starts_with(&s.with_answer)
            && s.header.len() <= s.with_answer.len()
    }) {
        for seam in &seams {
            let (start, end) = (seam.header.chars().count(), seam.with_answer.chars().count());
            for (index, (from, to)) in source.offsets.iter().enumerate() {
                if from < to && *from < end && *to > start {
                    masked.supervise_token(index);
                }
            }
        }
        return Ok(masked.of_text(source));
    }
    for seam in &seams {
        let start = chat.ids(&seam.header)?.len().min(masked.input_ids.len());
        let end = chat.ids(&seam.with_answer)?.len().min(masked.input_ids.len());
        if start >= end {
            masked.note(
                start..start,
                format!("message {} gets no tokens: its prefix is as long as its header", seam.message),
            );
            continue;
        }
        verify(chat, sample, seam.message, full, masked.input_ids.get(start..end).unwrap_or_default())?;
        masked.note(
            start..end,
            "the template does not render prefixes as prefixes: this span comes from token counts",
        );
        masked.supervise(start..end);
    }
    Ok(masked.of_text(source))
}

fn seams(chat: &Chat, whole: Call, turns: Turns) -> Result<Vec<Seam>, MaskError> {
    let mut wanted: Vec<usize> =
        whole.messages.iter().enumerate().filter(|(_, m)| role(m) == "assistant").map(|(i, _)| i).collect();
    if turns == Turns::Last {
        wanted = wanted.last().copied().into_iter().collect();
    }
    let mut seams = Vec::with_capacity(wanted.len());
    let mut held = 0;
    for message in wanted {
        let header = if message == 0 { String::new() } else { chat.text(whole.prefix(message, true))? };
        let with_answer = chat.text(whole.prefix(message + 1, false))?;
        held += header.len() + with_answer.len();
        if held > MAX_OUTPUT {
            let message = format!(
                "the prefixes of {} messages are longer than the limit together",
                whole.messages.len()
            );
            return Err(MaskError::Tokenizer(crate::Error::Usage(message)));
        }
        seams.push(Seam { message, header, with_answer });
    }
    Ok(seams)
}

/// The check on a span that token counts gave: it must hold the answer, begin with it, and end before
/// the next message.
fn verify(
    chat: &Chat,
    sample: &Conversation,
    message: usize,
    full: &str,
    ids: &[u32],
) -> Result<(), MaskError> {
    let Some(answer) = sample.messages.get(message).and_then(content) else { return Ok(()) };
    if answer.is_empty() || !full.contains(answer) {
        return Ok(());
    }
    let decoded = chat.encoder.decode(ids)?;
    let shown = |text: &str| python_repr(&text.chars().take(SHOWN).collect::<String>());
    let fail = |what: String| {
        let message = format!("Assistant label span for message {message} {what}");
        Err(MaskError::python("AssistantSpanDerivationError", message))
    };
    let Some(at) = decoded.find(answer) else {
        return fail(format!(
            "does not cover its content: the span decodes to {} but the message content starts {}. The chat template \
             renders this prefix differently from the full conversation.",
            shown(&decoded),
            shown(answer)
        ));
    };
    if !decoded.trim_start_matches(crate::chat::jinja::is_space).starts_with(answer) {
        return fail(format!(
            "starts inside the assistant header: the span decodes to {}, which does not begin with the message content {}.",
            shown(&decoded),
            shown(answer)
        ));
    }
    let tail = decoded.get(at + answer.len()..).unwrap_or_default();
    for (later, other) in sample.messages.iter().enumerate().skip(message + 1) {
        let Some(text) = content(other).filter(|text| !text.is_empty()) else { continue };
        if tail.contains(text) {
            return fail(format!(
                "extends past its turn: the span decodes to {}, which contains message {later} ({}) content {}.",
                shown(&decoded),
                role(other),
                shown(text)
            ));
        }
    }
    Ok(())
}

fn python_repr(text: &str) -> String {
    crate::chat::jinja::string_repr(text)
}
