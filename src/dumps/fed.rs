//! A row as the loss sees it: each token's label at the token's own place, whatever the file's convention is.

use std::ops::Range;

use super::convention::{Convention, LabelAgreement, LabelForm, MaskForm, restarts};
use super::keys::Field;
use super::row::DumpRow;
use super::token_facts::TokenFacts;
use crate::labels::IGNORE_INDEX;

/// Tokens of a document of a packed row.
pub type Document = Range<usize>;

/// A row in the form of this program's own strategies.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FedRow {
    /// At each token what the loss compares its prediction with, or [`IGNORE_INDEX`].
    pub labels: Vec<i64>,
    /// How much each token counts, where the file says so.
    pub weights: Option<Vec<f32>>,
    /// What is no padding.
    pub content: Range<usize>,
    /// One, where the row is not packed.
    pub documents: Vec<Document>,
    /// How the row's own labels stand, where they do not as the file's do.
    pub deviates: Option<LabelForm>,
    /// A label stands where the model never predicts: at the first token of the row.
    pub first_is_supervised: bool,
}

impl FedRow {
    /// Whether the loss sees a token.
    pub fn is_supervised(&self, token: usize) -> bool {
        self.labels.get(token).is_some_and(|label| *label != IGNORE_INDEX)
    }

    /// Tokens that the loss sees.
    pub fn supervised(&self) -> usize {
        self.labels.iter().filter(|label| **label != IGNORE_INDEX).count()
    }

    /// Runs of supervised tokens, cut at the begin of documents.
    pub fn runs(&self) -> Vec<Range<usize>> {
        let mut runs: Vec<Range<usize>> = Vec::new();
        let starts = |at: usize| self.documents.iter().any(|document| document.start == at);
        for at in (0..self.labels.len()).filter(|at| self.is_supervised(*at)) {
            match runs.last_mut() {
                Some(run) if run.end == at && (self.documents.len() < 2 || !starts(at)) => run.end += 1,
                _ => runs.push(at..at + 1),
            }
        }
        runs
    }
}

impl Convention {
    /// A row as the loss sees it.
    pub fn feed(&self, row: &DumpRow, facts: &TokenFacts) -> FedRow {
        let content = self.content(row, facts);
        let documents = documents(row, &content);
        let tokens = row.ids.len();
        let mut labels = vec![IGNORE_INDEX; tokens];
        let mut deviates = None;
        if let Some(own) = &row.labels {
            let agreement = LabelAgreement::of(&row.ids, &own.values, self.ignored);
            let mut form = self.labels;
            if agreement.labels > 0 && !agreement.is_wholly(form) {
                let mut other = [LabelForm::Shifted, LabelForm::Late, LabelForm::Aligned].into_iter();
                deviates = other.find(|other| agreement.is_wholly(*other)).or(Some(agreement.form()));
                deviates = deviates.filter(|other| *other != form);
                // A row that holds another form wholly is shown as it was meant.
                form = deviates.filter(|other| *other != LabelForm::Unrelated).unwrap_or(form);
            }
            let shift = match form {
                LabelForm::Shifted => 1,
                LabelForm::Late => -1,
                _ => 0,
            };
            for (at, label) in
                own.values.iter().enumerate().filter(|(_, label)| Some(**label) != self.ignored)
            {
                if let Some(place) = at.checked_add_signed(shift).and_then(|at| labels.get_mut(at)) {
                    *place = *label;
                }
            }
        }
        let weights = self.masked(row, &mut labels);
        if row.labels.is_none() && row.mask.is_none() {
            // An answer that stood apart from its prompt is what such rows are trained on.
            let answer = row.prompt_len.unwrap_or(tokens)..content.end;
            copy(&row.ids, &mut labels, answer);
        }
        let first_is_supervised = labels.first().is_some_and(|label| *label != IGNORE_INDEX);
        FedRow { labels, weights, content, documents, deviates, first_is_supervised }
    }

    /// Applies the row's mask; gives the weights of the tokens.
    fn masked(&self, row: &DumpRow, labels: &mut [i64]) -> Option<Vec<f32>> {
        let (mask, told) = (row.mask.as_ref()?, self.mask.as_ref()?);
        let shift = usize::from(told.shifted);
        let mut weights = vec![0.0; row.ids.len()];
        // A mask of the answer alone stands at the end of the row, one of targets alone one place further on.
        let first = match row.ids.len().checked_sub(mask.values.len()) {
            Some(1) => 1,
            Some(missing) => missing + shift,
            None => shift,
        };
        for (at, value) in mask.values.iter().enumerate() {
            let value = match told.form {
                MaskForm::Inverted => 1.0 - value,
                MaskForm::Binary | MaskForm::Weights => *value,
            };
            if let Some(weight) = weights.get_mut(first + at) {
                *weight = value;
            }
        }
        for (at, label) in labels.iter_mut().enumerate() {
            let counts = weights.get(at).is_some_and(|weight| *weight != 0.0);
            match (counts, &row.labels) {
                (false, _) => *label = IGNORE_INDEX,
                (true, Some(_)) => {}
                (true, None) => *label = row.ids.get(at).copied().unwrap_or(IGNORE_INDEX),
            }
        }
        (told.form == MaskForm::Weights).then_some(weights)
    }

    /// What of a row is no padding: what attention sees at its ends, else what is no pad token there.
    pub(super) fn content(&self, row: &DumpRow, facts: &TokenFacts) -> Range<usize> {
        let tokens = row.ids.len();
        if let Some(mask) = &row.attention_mask {
            let start = mask.iter().take_while(|seen| **seen == 0).count();
            let end = tokens
                - mask.iter().rev().take_while(|seen| **seen == 0).count().min(tokens - start.min(tokens));
            if start > 0 || end < tokens {
                return start.min(end)..end;
            }
        }
        let Some(pad) = self.pad_id.or(facts.pad) else { return 0..tokens };
        let is_pad = |at: usize| row.ids.get(at) == Some(&pad);
        let mut end = tokens;
        while end > 0 && is_pad(end - 1) {
            end -= 1;
        }
        let mut start = 0;
        while start < end && is_pad(start) {
            start += 1;
        }
        if Some(pad) == facts.eos || facts.is_end(pad) {
            // The first of them ends the answer, unless something else did.
            end += usize::from(end < tokens && end > start);
        }
        if Some(pad) == facts.bos {
            start = start.saturating_sub(1);
        }
        start..end
    }
}

fn copy(ids: &[i64], labels: &mut [i64], range: Range<usize>) {
    if let (Some(ids), Some(labels)) = (ids.get(range.clone()), labels.get_mut(range)) {
        labels.copy_from_slice(ids);
    }
}

/// The documents of a row, which cover its content.
fn documents(row: &DumpRow, content: &Range<usize>) -> Vec<Document> {
    let mut starts: Vec<usize> = match (&row.documents, &row.attention_mask, &row.position_ids) {
        (Some((field, values)), ..) => starts_by(*field, values, content),
        (None, Some(mask), _) if mask.iter().any(|number| *number > 1) => changes(mask, content),
        (None, _, Some(positions)) => restarts(positions, content),
        _ => Vec::new(),
    };
    starts.retain(|start| content.contains(start) && *start > content.start);
    starts.sort_unstable();
    starts.dedup();
    let ends = starts.iter().copied().chain([content.end]);
    let all: Vec<usize> = std::iter::once(content.start).chain(starts.iter().copied()).collect();
    all.into_iter().zip(ends).map(|(start, end)| start..end).collect()
}

fn starts_by(field: Field, values: &[i64], content: &Range<usize>) -> Vec<usize> {
    let index = |value: &i64| usize::try_from(*value).unwrap_or(usize::MAX);
    match field {
        Field::CuSeqLens => values.iter().map(index).collect(),
        Field::DocumentIds => changes(values, content),
        _ => {
            let add = |at: &mut usize, len: &i64| {
                *at = at.saturating_add(index(len));
                Some(*at)
            };
            values.iter().scan(0, add).collect()
        }
    }
}

/// Where numbers of documents change.
fn changes(numbers: &[i64], content: &Range<usize>) -> Vec<usize> {
    (content.start + 1..content.end).filter(|at| numbers.get(*at) != numbers.get(*at - 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dumps::row::{RowLabels, RowMask};

    const X: i64 = IGNORE_INDEX;

    fn facts() -> TokenFacts {
        TokenFacts { eos: Some(2), pad: Some(0), ends: vec![2], ..TokenFacts::default() }
    }

    fn fed(row: DumpRow) -> FedRow {
        let rows = [row];
        Convention::of(&rows, &facts()).feed(&rows[0], &facts())
    }

    fn labelled(ids: &[i64], labels: &[i64]) -> DumpRow {
        let labels = Some(RowLabels { key: "labels".into(), values: labels.to_vec() });
        DumpRow { ids: ids.to_vec(), labels, ..DumpRow::default() }
    }

    #[test]
    fn every_convention_comes_to_the_same_labels() {
        let ids = [7, 8, 9, 10, 2, 0, 0];
        let own = [X, X, 9, 10, 2, X, X];
        let mask = |key: &str, values: &[f32]| RowMask { key: key.into(), values: values.to_vec() };
        let masked = |values: &[f32]| {
            fed(DumpRow { ids: ids.to_vec(), mask: Some(mask("loss_mask", values)), ..DumpRow::default() })
        };
        assert_eq!(fed(labelled(&ids, &own)).labels, own);
        assert_eq!(fed(labelled(&ids, &[X, 9, 10, 2, X, X, X])).labels, own);
        assert_eq!(masked(&[0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0]).labels, own);
        let weighted = masked(&[0.0, 0.0, 0.5, 0.5, 2.0, 0.0, 0.0]);
        assert_eq!(
            (weighted.labels.as_slice(), weighted.weights.as_ref().map(|w| w[4])),
            (&own[..], Some(2.0))
        );
        let whole = DumpRow {
            mask: Some(mask("loss_mask", &[0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0])),
            ..labelled(&ids, &[8, 9, 10, 2, 0, 0, 0])
        };
        assert_eq!(fed(whole).labels, own, "labels that ignore nothing, shifted with their mask");
        assert_eq!(fed(labelled(&ids, &own)).content, 0..5);
    }

    #[test]
    fn padding_that_is_eos_begins_behind_the_first() {
        let facts = TokenFacts { pad: Some(2), ..facts() };
        let row = labelled(&[7, 9, 2, 2, 2], &[X, 9, 2, X, X]);
        let convention = Convention::of(std::slice::from_ref(&row), &facts);
        assert_eq!(convention.feed(&row, &facts).content, 0..3);
    }

    #[test]
    fn documents_by_every_sign() {
        let ids = [1, 5, 2, 1, 6, 7, 2, 0];
        let with = |documents, positions: Option<&[i64]>, mask: Option<&[i64]>| {
            let row = DumpRow {
                documents,
                position_ids: positions.map(<[i64]>::to_vec),
                attention_mask: mask.map(<[i64]>::to_vec),
                ..labelled(&ids, &[X; 8])
            };
            fed(row).documents
        };
        let wanted = [0..3, 3..7];
        assert_eq!(with(Some((Field::SeqLens, vec![3, 4])), None, None), wanted);
        assert_eq!(with(Some((Field::CuSeqLens, vec![0, 3, 7])), None, None), wanted);
        assert_eq!(with(Some((Field::DocumentIds, vec![0, 0, 0, 1, 1, 1, 1, 9])), None, None), wanted);
        assert_eq!(with(None, Some(&[0, 1, 2, 0, 1, 2, 3, 0]), None), wanted);
        assert_eq!(with(None, None, Some(&[1, 1, 1, 2, 2, 2, 2, 0])), wanted);
        assert_eq!(
            with(None, None, Some(&[1, 1, 1, 1, 1, 1, 1, 0])),
            std::iter::once(0..7).collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_row_of_another_form_is_named() {
        let rows = [labelled(&[7, 8, 9, 2], &[X, X, 9, 2]), labelled(&[7, 8, 9, 2], &[X, 9, 2, X])];
        let convention = Convention::of(&[rows[0].clone(), rows[0].clone(), rows[1].clone()], &facts());
        assert_eq!(convention.feed(&rows[0], &facts()).deviates, None);
        assert_eq!(convention.feed(&rows[1], &facts()).deviates, Some(LabelForm::Shifted));
    }
}
