//! How a file says what the loss sees, told from the numbers: labels at their own place or one before, masks, weights,
//! padding, packing. Each guess comes with what it was told from.
//!
//! ```text
//! ids       7  8  9 10  2
//! aligned   ·  ·  9 10  2    label[i] = id[i]:     the model shifts (transformers, TRL, axolotl, LLaMA-Factory)
//! shifted   ·  9 10  2  ·    label[i] = id[i + 1]: the data shifts (Megatron, XTuner 1, nanochat)
//! late      ·  ·  ·  9 10    label[i] = id[i − 1]: nothing that trains; off by one
//! ```

use std::ops::Range;

use serde::Serialize;

use super::keys::Field;
use super::row::{DumpRow, RowLabels, RowMask};
use super::token_facts::TokenFacts;
use crate::diagnose::Evidence;
use crate::labels::IGNORE_INDEX;

/// Where a label stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelForm {
    /// The file has no labels.
    #[default]
    None,
    /// At the place of the token that is to be predicted.
    Aligned,
    /// At the place of the token before it.
    Shifted,
    /// At the place of the token behind it.
    Late,
    /// Neither of these.
    Unrelated,
}

impl LabelForm {
    /// As text output names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "no labels",
            Self::Aligned => "labels at their own place",
            Self::Shifted => "labels already shifted",
            Self::Late => "labels one place late",
            Self::Unrelated => "labels that are no ids of the row",
        }
    }
}

/// What a mask holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MaskForm {
    /// 1 where the loss sees a token.
    Binary,
    /// 1 where it does not.
    Inverted,
    /// How much each token counts.
    Weights,
}

/// Where padding stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Padding {
    #[default]
    None,
    Left,
    Right,
    Both,
}

/// What tells the documents of a packed row apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Packing {
    #[default]
    None,
    /// `position_ids` that start again.
    Positions,
    /// An attention mask that counts documents: 1, 1, 2, 2, 2, 0.
    AttentionNumbers,
    SeqLens,
    CuSeqLens,
    DocumentIds,
}

impl Packing {
    /// As text output names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "not packed",
            Self::Positions => "packed: position_ids start again",
            Self::AttentionNumbers => "packed: attention_mask numbers the documents",
            Self::SeqLens => "packed: seq_lens",
            Self::CuSeqLens => "packed: cu_seqlens",
            Self::DocumentIds => "packed: document ids",
        }
    }
}

/// A mask of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MaskConvention {
    pub key: String,
    pub form: MaskForm,
    /// It stands one place before the tokens that it is for, as shifted labels do.
    pub shifted: bool,
}

/// How a file labels.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Convention {
    pub labels: LabelForm,
    /// The labels ignore nothing.
    pub whole: bool,
    /// The number that stands where the loss ignores a token.
    pub ignored: Option<i64>,
    pub mask: Option<MaskConvention>,
    pub padding: Padding,
    /// The id that fills rows up.
    pub pad_id: Option<i64>,
    pub packing: Packing,
    /// What this was told from.
    pub evidence: Vec<Evidence>,
}

/// What labels agree with, place by place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct LabelAgreement {
    /// Labels that are not ignored.
    pub labels: usize,
    pub own: usize,
    pub next: usize,
    pub previous: usize,
}

impl LabelAgreement {
    /// Of one row.
    pub(super) fn of(ids: &[i64], labels: &[i64], ignored: Option<i64>) -> Self {
        let mut found = Self::default();
        for (at, label) in labels.iter().enumerate().filter(|(_, label)| Some(**label) != ignored) {
            found.labels += 1;
            found.own += usize::from(ids.get(at) == Some(label));
            found.next += usize::from(ids.get(at + 1) == Some(label));
            found.previous += usize::from(at.checked_sub(1).and_then(|at| ids.get(at)) == Some(label));
        }
        found
    }

    fn add(&mut self, other: Self) {
        self.labels += other.labels;
        self.own += other.own;
        self.next += other.next;
        self.previous += other.previous;
    }

    /// The form that most labels have; where several have it alike, the first of them.
    pub(super) fn form(self) -> LabelForm {
        let best = self.own.max(self.next).max(self.previous);
        // The last label of a shifted row that ignores nothing has no token to agree with.
        match () {
            () if self.labels == 0 => LabelForm::Aligned,
            () if best * 2 < self.labels => LabelForm::Unrelated,
            () if best == self.own => LabelForm::Aligned,
            () if best == self.next => LabelForm::Shifted,
            () => LabelForm::Late,
        }
    }

    /// True where every label stands as this form has it.
    pub(super) fn is_wholly(self, form: LabelForm) -> bool {
        let agreeing = match form {
            LabelForm::Aligned => self.own,
            LabelForm::Shifted => self.next,
            LabelForm::Late => self.previous,
            LabelForm::None | LabelForm::Unrelated => return false,
        };
        // One label has no token to agree with where nothing is ignored at the end of the row.
        agreeing == self.labels || (form == LabelForm::Shifted && agreeing + 1 == self.labels)
    }
}

impl Convention {
    /// Told from the first rows of a file.
    pub fn of(rows: &[DumpRow], facts: &TokenFacts) -> Self {
        let mut this = Self::default();
        this.tell_padding(rows, facts);
        this.tell_labels(rows);
        this.tell_mask(rows, facts);
        this.tell_packing(rows, facts);
        this
    }

    fn note(&mut self, what: &str, value: impl Into<String>) {
        self.evidence.push(Evidence { what: what.to_string(), value: value.into() });
    }

    fn tell_labels(&mut self, rows: &[DumpRow]) {
        let all: Vec<(&DumpRow, &RowLabels)> =
            rows.iter().filter_map(|row| Some((row, row.labels.as_ref()?))).collect();
        let Some((_, first)) = all.first() else {
            self.note("labels", "the file has none");
            return;
        };
        let values = || all.iter().flat_map(|(_, labels)| labels.values.iter());
        self.ignored = match values().any(|label| *label == IGNORE_INDEX) {
            true => Some(IGNORE_INDEX),
            // nanoGPT and others ignore −1; no id is negative but that of an image.
            false => values().find(|label| **label < 0).copied(),
        };
        self.whole = self.ignored.is_none();
        let mut agreement = LabelAgreement::default();
        let mut short = 0;
        for (row, labels) in &all {
            agreement.add(LabelAgreement::of(&row.ids, &labels.values, self.ignored));
            short += usize::from(labels.values.len() + 1 == row.ids.len());
        }
        self.labels = agreement.form();
        if self.labels == LabelForm::Aligned && short == all.len() && agreement.next >= agreement.own {
            self.labels = LabelForm::Shifted;
        }
        let LabelAgreement { labels, own, next, previous } = agreement;
        let key = &first.key;
        self.note(
            "labels",
            format!("{key}: of {labels} labels {own} equal the id at their place, {next} the id behind, {previous} the id before"),
        );
        match self.ignored {
            Some(IGNORE_INDEX) => {}
            Some(other) => self.note("ignored label", other.to_string()),
            None => self.note("ignored label", "none: every label counts unless a mask says otherwise"),
        }
    }

    fn tell_mask(&mut self, rows: &[DumpRow], facts: &TokenFacts) {
        let all: Vec<(&DumpRow, &RowMask)> =
            rows.iter().filter_map(|row| Some((row, row.mask.as_ref()?))).collect();
        let Some((_, first)) = all.first() else { return };
        let key = first.key.clone();
        let binary =
            all.iter().flat_map(|(_, mask)| &mask.values).all(|value| *value == 0.0 || *value == 1.0);
        let mut form = if binary { MaskForm::Binary } else { MaskForm::Weights };
        let mut shifted = self.labels == LabelForm::Shifted;
        let mut starts = AnswerStarts::default();
        for (row, mask) in &all {
            starts.add(row, mask, facts);
        }
        if binary && starts.inverted > starts.own + starts.before {
            form = MaskForm::Inverted;
        }
        if self.labels == LabelForm::None {
            shifted = starts.before > starts.own;
        }
        if starts.found > 0 {
            let AnswerStarts { found, own, before, inverted } = starts;
            self.note(
                "mask",
                format!(
                    "{key}: of {found} answers {own} begin with the mask, {before} one token behind its begin, {inverted} where it is 0"
                ),
            );
        } else {
            let kind = if binary { "0 and 1" } else { "weights" };
            self.note(
                "mask",
                format!("{key}: {kind}; no answer of the template's form tells where it stands"),
            );
        }
        self.mask = Some(MaskConvention { key, form, shifted });
    }

    fn tell_padding(&mut self, rows: &[DumpRow], facts: &TokenFacts) {
        // What is at the ends of rows where nothing attends.
        let mut filled: Vec<i64> = Vec::new();
        for row in rows {
            let Some(mask) = &row.attention_mask else { continue };
            let hidden = |(id, seen): (&i64, &i64)| (*seen == 0).then_some(*id);
            filled.extend(row.ids.iter().zip(mask).rev().map_while(hidden).take(8));
            filled.extend(row.ids.iter().zip(mask).map_while(hidden).take(8));
        }
        let first = filled.first().copied();
        let uniform = first.filter(|first| filled.iter().all(|id| id == first));
        self.pad_id = uniform.or(facts.pad);
        let (mut left, mut right) = (0, 0);
        for row in rows {
            let content = self.content(row, facts);
            left += usize::from(content.start > 0);
            right += usize::from(content.end < row.ids.len());
        }
        self.padding = match (left > 0, right > 0) {
            (false, false) => Padding::None,
            (true, false) => Padding::Left,
            (false, true) => Padding::Right,
            (true, true) => Padding::Both,
        };
        if self.padding != Padding::None {
            let by = if filled.is_empty() { "the pad token" } else { "attention_mask" };
            let pad = self.pad_id.map_or("unknown".to_string(), |id| id.to_string());
            self.note(
                "padding",
                format!("{left} rows on the left, {right} on the right, by {by}; pad id {pad}"),
            );
        }
    }

    fn tell_packing(&mut self, rows: &[DumpRow], facts: &TokenFacts) {
        let kind = |row: &DumpRow| match &row.documents {
            Some((Field::SeqLens, _)) => Some(Packing::SeqLens),
            Some((Field::CuSeqLens, _)) => Some(Packing::CuSeqLens),
            Some((Field::DocumentIds, _)) => Some(Packing::DocumentIds),
            _ => None,
        };
        let numbered =
            |row: &&DumpRow| row.attention_mask.as_ref().is_some_and(|mask| mask.iter().any(|n| *n > 1));
        let restarts = |row: &&DumpRow| {
            let positions = row.position_ids.as_deref().unwrap_or_default();
            !restarts(positions, &self.content(row, facts)).is_empty()
        };
        let count = |holds: &dyn Fn(&&DumpRow) -> bool| rows.iter().filter(holds).count();
        let of = rows.len();
        if let Some(packing) = rows.iter().find_map(kind) {
            self.packing = packing;
            self.note(
                "packing",
                format!("{} in {} of {of} rows", packing.name(), count(&|row| kind(row).is_some())),
            );
        } else if count(&numbered) > 0 {
            self.packing = Packing::AttentionNumbers;
            self.note(
                "packing",
                format!("attention_mask counts beyond 1 in {} of {of} rows", count(&numbered)),
            );
        } else {
            let count = count(&restarts);
            if count > 0 {
                self.packing = Packing::Positions;
                self.note("packing", format!("position_ids start again in {count} of {of} rows"));
            }
        }
    }

    /// The convention in a few words.
    pub fn summary(&self) -> String {
        let labels = match (self.labels, self.whole) {
            (LabelForm::Aligned, true) => "labels equal ids".to_string(),
            (form, _) => form.name().to_string(),
        };
        let mask = self.mask.as_ref().map(|mask| {
            let form = match mask.form {
                MaskForm::Binary => "0/1 mask",
                MaskForm::Inverted => "inverted 0/1 mask",
                MaskForm::Weights => "weights",
            };
            format!("{form} {}{}", mask.key, if mask.shifted { ", already shifted" } else { "" })
        });
        let padding = match self.padding {
            Padding::None => "no padding",
            Padding::Left => "padded on the left",
            Padding::Right => "padded on the right",
            Padding::Both => "padded on both sides",
        };
        let parts = [Some(labels), mask, Some(padding.to_string()), Some(self.packing.name().to_string())];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
    }
}

/// Places of the content where positions start again. Padding has positions of its own, and those of an image may stay 0.
pub(super) fn restarts(positions: &[i64], content: &Range<usize>) -> Vec<usize> {
    let restarts = |at: &usize| {
        let before = at.checked_sub(1).and_then(|before| positions.get(before));
        positions.get(*at) == Some(&0) && before.is_some_and(|before| *before > 0)
    };
    (content.start + 1..content.end).filter(restarts).collect()
}

/// Where masks begin beside the answers that the template's marker opens.
#[derive(Debug, Clone, Copy, Default)]
struct AnswerStarts {
    found: usize,
    /// The first token of the answer is the first with 1.
    own: usize,
    /// The last token of the marker is.
    before: usize,
    /// The marker has 1 and the answer 0.
    inverted: usize,
}

impl AnswerStarts {
    fn add(&mut self, row: &DumpRow, mask: &RowMask, facts: &TokenFacts) {
        let offset = row.ids.len().saturating_sub(mask.values.len());
        let set = |at: usize| {
            at.checked_sub(offset).and_then(|at| mask.values.get(at)).is_some_and(|value| *value != 0.0)
        };
        for start in facts.answer_starts(&row.ids) {
            if start >= row.ids.len() || start < offset + 2 {
                continue;
            }
            self.found += 1;
            match (set(start - 2), set(start - 1), set(start)) {
                (false, false, true) => self.own += 1,
                (false, true, true) => self.before += 1,
                (true, true, false) => self.inverted += 1,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(ids: &[i64], labels: &[i64]) -> Convention {
        let labels = Some(RowLabels { key: "labels".into(), values: labels.to_vec() });
        Convention::of(&[DumpRow { ids: ids.to_vec(), labels, ..DumpRow::default() }], &TokenFacts::default())
    }

    #[test]
    fn labels_are_told_by_where_they_agree() {
        const X: i64 = IGNORE_INDEX;
        let ids = [7, 8, 9, 10, 2];
        assert_eq!(told(&ids, &[X, X, 9, 10, 2]).labels, LabelForm::Aligned);
        assert_eq!(told(&ids, &[X, 9, 10, 2, X]).labels, LabelForm::Shifted);
        assert_eq!(told(&ids, &[X, X, X, 9, 10]).labels, LabelForm::Late);
        assert_eq!(told(&ids, &[X, X, 70, 71, 72]).labels, LabelForm::Unrelated);
        assert_eq!(told(&ids, &[8, 9, 10, 2]).labels, LabelForm::Shifted);
        let whole = told(&ids, &ids);
        assert!(
            whole.whole && whole.labels == LabelForm::Aligned && whole.summary().contains("labels equal ids")
        );
        assert_eq!(told(&ids, &[-1, -1, 9, 10, 2]).ignored, Some(-1));
    }

    #[test]
    fn positions_start_again_at_zero_only() {
        assert_eq!(restarts(&[0, 1, 2, 0, 1, 0], &(0..6)), [3, 5]);
        assert!(restarts(&[0, 0, 0, 1, 2], &(0..5)).is_empty(), "an image at the begin");
        assert!(restarts(&[1, 1, 1, 0, 1, 2], &(3..6)).is_empty(), "padding on the left");
    }
}
