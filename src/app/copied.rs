//! What can be copied from the sample on screen, as text for the clipboard.

use super::view::SampleView;
use crate::chat::Sample;
use crate::labels::IGNORE_INDEX;
use crate::masks::encoder::Encoder;
use crate::report::{SampleJson, json};
use crate::tokenizer::TokenId;

/// A part of the sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyPart {
    /// The text that the token under the cursor stands for.
    TokenText,
    TokenId,
    InputIds,
    /// With −100 where nothing is supervised.
    Labels,
    /// The text that the tokens were made of.
    Prompt,
    /// The sample as `inspect --format jsonl` prints it.
    Json,
}

impl CopyPart {
    /// In the order of the list.
    pub const ALL: [Self; 6] =
        [Self::TokenText, Self::TokenId, Self::InputIds, Self::Labels, Self::Prompt, Self::Json];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::TokenText => "text of the token",
            Self::TokenId => "id of the token",
            Self::InputIds => "input_ids",
            Self::Labels => "labels",
            Self::Prompt => "prompt",
            Self::Json => "sample as JSON",
        }
    }

    /// The text, with the cursor on a token; `None` where the sample has no such part.
    pub fn text(self, view: &SampleView, sample: &Sample, token: usize) -> Option<String> {
        match self {
            Self::Prompt => view.inspection.prompt.clone(),
            Self::Json => {
                let row =
                    SampleJson::from(&view.inspection).with_account(&view.setup, sample, &view.inspection);
                json::to_line(&row, false).ok()
            }
            Self::TokenText => token_text(view, token),
            Self::TokenId => view.token(token).map(|token| token.id.to_string()),
            Self::InputIds => Some(list(&view.labelled()?.input_ids)),
            Self::Labels => {
                let labelled = view.labelled()?;
                let cut = labelled.labels.len().saturating_sub(labelled.kept_len);
                let kept = labelled.labels.iter().take(labelled.kept_len).copied();
                // What the collator cuts off reaches no loss.
                Some(list(&kept.chain(std::iter::repeat_n(IGNORE_INDEX, cut)).collect::<Vec<i64>>()))
            }
        }
    }
}

/// The text of the prompt that a token stands for; where it stands for none, its name in the vocabulary.
fn token_text(view: &SampleView, index: usize) -> Option<String> {
    let labelled = view.labelled()?;
    let span = labelled.spans.get(index)?;
    let text = view.inspection.prompt.as_deref()?.get(span.clone()).filter(|text| !text.is_empty());
    let named = || {
        let id = TokenId::try_from(*labelled.input_ids.get(index)?).ok()?;
        view.setup.tokenizer.id_to_token(id)
    };
    text.map(str::to_string).or_else(named)
}

/// Numbers as a Python or JSON list.
fn list(numbers: &[i64]) -> String {
    let numbers: Vec<String> = numbers.iter().map(i64::to_string).collect();
    format!("[{}]", numbers.join(", "))
}
