//! The collator: labelled samples become one batch, padded on the right and cut at `model_max_length`.

use super::rules::pad_id;
use super::{IGNORE_INDEX, Labelled, PythonError};
use crate::tokenizer::Tokenizer;

/// A batch of B samples, S positions each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollatedBatch {
    /// `[B][S]`, padded with the pad id.
    pub input_ids: Vec<Vec<i64>>,
    /// `[B][S]`, padded with [`IGNORE_INDEX`].
    pub labels: Vec<Vec<i64>>,
    /// `[B][S]`, false where the id equals pad: also in the middle of a text that holds the pad token.
    pub attention_mask: Vec<Vec<bool>>,
}

/// Collates samples.
///
/// # Errors
/// `TypeError` without a pad id, as torch cannot pad with None.
pub fn collate(
    tokenizer: &Tokenizer,
    samples: &[&Labelled],
    model_max_length: usize,
) -> Result<CollatedBatch, PythonError> {
    let pad = pad_id(tokenizer)?;
    let longest = samples.iter().map(|s| s.input_ids.len()).max().unwrap_or(0);
    let width = longest.min(model_max_length);
    let fit = |values: &[i64], filler: i64| -> Vec<i64> {
        values.iter().copied().chain(std::iter::repeat(filler)).take(width).collect()
    };
    let input_ids: Vec<Vec<i64>> = samples.iter().map(|s| fit(&s.input_ids, pad)).collect();
    Ok(CollatedBatch {
        attention_mask: input_ids.iter().map(|ids| ids.iter().map(|id| *id != pad).collect()).collect(),
        labels: samples.iter().map(|s| fit(&s.labels, IGNORE_INDEX)).collect(),
        input_ids,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Sample, Template, Turn};
    use crate::labels::{PromptOptions, Rule, inspect};

    #[test]
    fn a_pad_token_inside_a_text_gets_no_attention() {
        let files = crate::samples::SampleTokenizer::named("mistral").expect("the sample").files();
        let mut tokenizer = crate::tokenizer::load("mistral", &files, Default::default()).expect("loads");
        tokenizer.set_special_token(crate::tokenizer::Role::Pad, "<unk>").expect("is set");
        let template = Template::named("mistral").expect("the template");
        let label = |question: &str| {
            let sample = Sample::text("s", vec![Turn::new("human", question), Turn::new("gpt", "Yes.")]);
            inspect(&tokenizer, &template, Rule::Openchat, &PromptOptions::default(), &sample)
                .result
                .expect("labels")
        };
        let (plain, padded) = (label("Is this a long enough question?"), label("<unk>"));
        let batch = collate(&tokenizer, &[&plain, &padded], 2048).expect("collates");
        let at = padded.input_ids.iter().position(|id| *id == 0).expect("unk is there");
        assert!(!batch.attention_mask[1][at] && at < padded.input_ids.len());
        assert_eq!(batch.input_ids[1].len(), plain.input_ids.len());
        assert!(batch.labels[1][padded.labels.len()..].iter().all(|l| *l == IGNORE_INDEX));
        let cut = collate(&tokenizer, &[&plain], 3).expect("collates");
        assert_eq!(cut.input_ids[0], plain.input_ids[..3]);
    }
}
