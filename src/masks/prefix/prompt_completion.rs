//! Prompt and completion: open-instruct's `sft_tokenize_mask_out_prompt_v1` (commit e6c3044) and axolotl's legacy path count
//! the prompt's ids off; TRL 1.16 goes by where the ids part.

use std::ops::Range;

use crate::chat::Conversation;
use crate::masks::{Call, Chat, MaskError, Masked};
use crate::tokenizer::TokenId;

/// Labels of prompt and completion: the prompt is the first `prompt` messages and the generation prompt.
///
/// # Errors
/// `AssertionError` when the prompt has more tokens than the whole.
pub fn prompt_completion(chat: &Chat, sample: &Conversation, prompt: usize) -> Result<Masked, MaskError> {
    let whole = Call::whole(sample);
    let (ids, source) = chat.encoded(whole)?;
    let prompt_ids = chat.ids(&chat.text(whole.prefix(prompt, true))?)?;
    if prompt_ids.len() > ids.len() {
        return Err(MaskError::python("AssertionError", format!("({}, {})", prompt_ids.len(), ids.len())));
    }
    let supervised: Range<usize> = prompt_ids.len()..ids.len();
    let mismatch = !ids.starts_with(&prompt_ids);
    let mut masked = Masked::ignored(ids).of_text(source);
    masked.supervise(supervised.clone());
    if mismatch {
        masked.note(
            supervised,
            "the ids of the prompt are not a prefix of all ids: TRL warns \"Mismatch between tokenized prompt and the \
             start of tokenized prompt+completion\" and trains on",
        );
    }
    Ok(masked)
}

/// Labels of TRL 1.16's `completion_only_loss`: what follows where the ids of prompt and whole part, which is the end of
/// the prompt in most templates (`common_prefix_length` in `trl/data_utils.py`).
pub fn completion_only(ids: Vec<TokenId>, prompt_ids: &[TokenId]) -> Masked {
    let shared = ids.iter().zip(prompt_ids).take_while(|(a, b)| a == b).count();
    let mut masked = Masked::ignored(ids);
    masked.supervise(shared..masked.labels.len());
    if shared < prompt_ids.len() {
        let lost = prompt_ids.len() - shared;
        masked.note(
            shared..shared,
            format!(
                "the ids of the prompt are not a prefix of all ids: its last {lost} are not in the training sequence, \
                 and the completion begins where they part"
            ),
        );
    }
    masked
}
