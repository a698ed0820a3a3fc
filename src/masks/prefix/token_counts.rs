//! open-instruct's older `mask_labels` (commit e6c3044): token counts of prefixes, never verified.

use crate::chat::Conversation;
use crate::masks::{Call, Chat, EncodedText, MaskError, Masked, affordable, role};

/// Labels by token counts: every message that is not an assistant's is masked from where its prefix ends.
/// Tools are not passed to the prefixes.
pub fn token_counts(chat: &Chat, sample: &Conversation) -> Result<Masked, MaskError> {
    let rendered = chat.render(Call::whole(sample))?;
    affordable(2 * sample.messages.len(), rendered.text.len())?;
    let encoded = chat.encode(&rendered.text)?;
    let (ids, source) = EncodedText::new(rendered, encoded);
    let mut masked = Masked::ignored(ids).of_text(source);
    masked.supervise(0..masked.input_ids.len());
    let plain = Call { messages: &sample.messages, tools: None, kwargs: None, add_generation_prompt: false };
    let count = |prefix: Call| -> Result<usize, MaskError> { Ok(chat.ids(&chat.text(prefix)?)?.len()) };
    for (index, _) in sample.messages.iter().enumerate().filter(|(_, m)| role(m) != "assistant") {
        let start = if index == 0 { 0 } else { count(plain.prefix(index, false))? };
        let next_is_answer = sample.messages.get(index + 1).is_some_and(|m| role(m) == "assistant");
        let end = count(plain.prefix(index + 1, next_is_answer))?;
        masked.ignore(start..end);
    }
    Ok(masked)
}
