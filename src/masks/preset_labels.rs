//! Records that bring their own labels: ids with labels, segments, text, prompt and completion, preference rows.

use super::assemble::{LocatedMessages, assembled, labelled, python_error, spelled};
use super::{Call, EncodedText, IGNORE_INDEX, MaskError, Masked, Method, prefix};
use crate::chat::{Body, Conversation, PromptLayout, Sample, TextSegment};
use crate::labels::{Inspection, Labelled, Note};
use crate::tokenizer::{Role, Tokenizer};

/// Labels of a record that is no conversation; `None` for one that is, or where the strategy can work on its text.
///
/// * ids and labels are shown as they are;
/// * segments are encoded one by one and put together (axolotl's `input_output`);
/// * a text is supervised whole, a completion behind its prompt, each closed with eos (TRL's language modelling and
///   prompt-completion).
pub fn inspect_preset_labels(
    tokenizer: &Tokenizer,
    sample: &Sample,
    method: Option<&Method>,
) -> Option<Inspection> {
    let (name, result) = match &sample.body {
        Body::Turns | Body::Messages(_) | Body::PromptCompletion { .. } => return None,
        // With a chat template they have a trainer: Method::inspect_row.
        Body::Preference(_) => ("preference", Err(MaskError::Unfit(PREFERENCE.into()))),
        Body::Pretokenised { input_ids, labels } => {
            ("pretokenised", Ok(pretokenised(tokenizer, input_ids, labels)))
        }
        Body::Segments(pieces) => ("segments", segments(tokenizer, pieces)),
        Body::Text(text) => match method.filter(|m| !m.auto && m.strategy.searches_ids()) {
            Some(method) => (method.strategy.name(), searched(method, tokenizer, text)),
            None => ("text", text_and_completion(tokenizer, "", text)),
        },
        Body::PromptCompletionText { prompt, completion } => {
            match method.filter(|m| !m.auto && m.strategy.searches_ids()) {
                Some(method) => {
                    (method.strategy.name(), searched(method, tokenizer, &format!("{prompt}{completion}")))
                }
                None => ("prompt_completion", text_and_completion(tokenizer, prompt, completion)),
            }
        }
    };
    let (prompt, result) = match result {
        Ok((text, labelled)) => (Some(text), Ok(labelled)),
        Err(error) => (None, Err(python_error(error))),
    };
    Some(Inspection {
        id: sample.id.clone(),
        has_image: sample.has_image,
        template: "none".to_string(),
        preprocess: name.to_string(),
        prompt,
        layout: PromptLayout::default(),
        result,
    })
}

/// Why LLaVA's rules have no part in preference rows.
const PREFERENCE: &str = "a preference row has two answers, or one that is wanted or not; take a chat template \
    (--template chat), with which it is labelled as TRL's DPOTrainer or KTOTrainer does";

type Shown = (String, Labelled);

fn pretokenised(tokenizer: &Tokenizer, input_ids: &[i64], labels: &[i64]) -> Shown {
    let (text, spans) = spelled(tokenizer, input_ids);
    let mut notes = Vec::new();
    let differs = |at: &usize| {
        let (id, label) = (input_ids.get(*at), labels.get(*at));
        label != Some(&IGNORE_INDEX) && label != id
    };
    let odd: Vec<usize> = (0..input_ids.len()).filter(differs).collect();
    if let Some(first) = odd.first() {
        let text = format!("{} labels are neither the id at their place nor {IGNORE_INDEX}", odd.len());
        notes.push(Note { tokens: *first..*first + 1, text });
    }
    let unknown =
        |id: &&i64| **id >= 0 && u32::try_from(**id).map_or(true, |id| tokenizer.piece(id).is_none());
    let strange = input_ids.iter().filter(unknown).count();
    if strange > 0 {
        let text =
            format!("{strange} ids have no token in this vocabulary: the file may be of another tokenizer");
        notes.push(Note { tokens: 0..0, text });
    }
    (text, assembled(input_ids.to_vec(), labels.to_vec(), spans, LocatedMessages::default(), notes))
}

fn segments(tokenizer: &Tokenizer, pieces: &[TextSegment]) -> Result<Shown, MaskError> {
    let (mut masked, mut text, mut spans) = (Masked::default(), String::new(), Vec::new());
    for piece in pieces {
        let encoding = tokenizer.encode(&piece.text, false)?;
        let offset = text.len();
        spans.extend(encoding.spans.iter().map(|span| span.start + offset..span.end + offset));
        let label = |id: &u32| if piece.trained { i64::from(*id) } else { IGNORE_INDEX };
        masked.labels.extend(encoding.ids.iter().map(label));
        masked.input_ids.extend(encoding.ids);
        text.push_str(&piece.text);
    }
    Ok((text, labelled(masked, spans, LocatedMessages::default())))
}

fn searched(method: &Method, tokenizer: &Tokenizer, text: &str) -> Result<Shown, MaskError> {
    let mut masked = method.label_text(tokenizer, text)?;
    let mut spans = masked.source.take().map(|source| source.spans).unwrap_or_default();
    spans.truncate(masked.input_ids.len());
    Ok((text.to_string(), labelled(masked, spans, LocatedMessages::default())))
}

/// TRL's prompt-completion of messages: the prompt ends with the header of an answer.
pub(super) fn completion_labels(
    method: &Method,
    tokenizer: &Tokenizer,
    conversation: &Conversation,
    prompt: usize,
) -> Result<Masked, MaskError> {
    let chat = method.chat(tokenizer, conversation)?;
    let whole = Call::whole(conversation);
    let rendered = chat.render(whole)?;
    let head = chat.text(whole.prefix(prompt, true))?;
    let encoded = chat.encode(&rendered.text)?;
    let (ids, source) = EncodedText::new(rendered, encoded);
    Ok(prefix::completion_only(ids, &chat.ids(&head)?).of_text(source))
}

/// Both are encoded with the tokenizer's special tokens.
fn text_and_completion(tokenizer: &Tokenizer, prompt: &str, completion: &str) -> Result<Shown, MaskError> {
    let mut text = format!("{prompt}{completion}");
    if let Some(eos) = tokenizer.special.get(Role::Eos).filter(|eos| !completion.ends_with(&eos.content)) {
        text.push_str(&eos.content);
    }
    let encoding = tokenizer.encode(&text, true)?;
    let prompt_ids = match prompt.is_empty() {
        true => Vec::new(),
        false => tokenizer.encode(prompt, true)?.ids,
    };
    let masked = prefix::completion_only(encoding.ids, &prompt_ids);
    Ok((text, labelled(masked, encoding.spans, LocatedMessages::default())))
}
