//! Ids that are tokenized twice: what a server sampled against what a trainer makes of its text.
//!
//! ```text
//! ids ─► decode ─► encode ─► ids again          its own text
//! messages ─► template ─► encode ─► ids again   the rendered messages
//! ids of the step before                        what a further step must begin with
//! ```
//!
//! Both sides are aligned by characters, and each stretch that differs gets one class. Only other cuts of an answer's own text
//! are harmless: a model samples tokens that the tokenizer would not choose.

use serde::Serialize;

use super::dump_setup::DumpSetup;
use super::row::DumpRow;
use crate::chat::{Conversation, Speaker};
use crate::diagnose::{SetupComparison, Stretch, StretchSide};
use crate::labels::{IGNORE_INDEX, Inspection};
use crate::masks::inspect_ids;
use crate::tokenizer::TokenId;

/// What ids are held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftAgainst {
    OwnText,
    Messages,
    StepBefore,
}

impl DriftAgainst {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::OwnText, Self::Messages, Self::StepBefore];

    /// As text output names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::OwnText => "encode(decode(ids))",
            Self::Messages => "the rendered messages",
            Self::StepBefore => "the step before",
        }
    }
}

/// What a difference is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftClass {
    /// More or fewer special tokens.
    SpecialCount,
    /// As many, and another one.
    SpecialKind,
    /// A line break beside a tool's turn is on one side only.
    ToolLineBreak,
    /// A token reaches over the begin of an answer or the end of a turn.
    Seam,
    /// Other text or other cuts in what the model did not write.
    OutsideAnswer,
    /// Other cuts of the same text within an answer: tolerated.
    InsideAnswer,
}

impl DriftClass {
    /// All of them, the worst first.
    pub const ALL: [Self; 6] = [
        Self::SpecialCount,
        Self::SpecialKind,
        Self::ToolLineBreak,
        Self::Seam,
        Self::OutsideAnswer,
        Self::InsideAnswer,
    ];

    /// As text output names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::SpecialCount => "number of special tokens",
            Self::SpecialKind => "kind of special token",
            Self::ToolLineBreak => "line break at a tool's turn",
            Self::Seam => "merge over a seam",
            Self::OutsideAnswer => "text outside the answer",
            Self::InsideAnswer => "text inside the answer",
        }
    }

    /// Harmless: the text is the same, and the model wrote it as it is.
    pub fn is_tolerated(self) -> bool {
        self == Self::InsideAnswer
    }
}

/// One stretch that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Drift {
    pub against: DriftAgainst,
    pub class: DriftClass,
    /// Tokens of the row, and of the other side.
    pub tokens: [usize; 2],
    pub other_tokens: [usize; 2],
    pub ids: Vec<i64>,
    pub other_ids: Vec<i64>,
}

/// A drift with the row that it is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DriftExample {
    pub row: usize,
    #[serde(flatten)]
    pub drift: Drift,
}

/// Counts over a file.
#[derive(Debug, Clone, Default)]
pub struct DriftCounts {
    pub rows: usize,
    /// Rows that could be held against each other side.
    pub compared: [usize; 3],
    /// Rows with each class, by the other side.
    pub rows_with: [[usize; 6]; 3],
    /// Stretches.
    pub stretches: [[usize; 6]; 3],
    /// Rows with a difference that is not tolerated.
    pub harmful: usize,
    pub examples: Vec<DriftExample>,
    pub gap: LogProbGap,
}

/// How far two log-probabilities of the same tokens lie apart.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct LogProbGap {
    pub tokens: usize,
    pub sum: f64,
    pub largest: f32,
    /// Tokens that are further apart than [`LogProbGap::FAR`].
    pub far: usize,
    /// Row and token of the largest.
    pub at: Option<[usize; 2]>,
}

impl LogProbGap {
    /// A ratio of two between the probabilities.
    pub const FAR: f32 = std::f32::consts::LN_2;

    fn add(&mut self, number: usize, row: &DumpRow) {
        let gaps = row_gaps(row).unwrap_or_default();
        for (token, gap) in gaps.into_iter().enumerate().filter(|(_, gap)| gap.is_finite()) {
            self.tokens += 1;
            self.sum += f64::from(gap);
            self.far += usize::from(gap > Self::FAR);
            if gap > self.largest {
                (self.largest, self.at) = (gap, Some([number, token]));
            }
        }
    }
}

/// How far the two log-probabilities of each token of a row lie apart, NaN where it has not both; those of an answer alone stand
/// at the end of the row.
pub fn row_gaps(row: &DumpRow) -> Option<Vec<f32>> {
    let (trainer, server) = (row.logprobs.as_ref()?, row.server_logprobs.as_ref()?);
    let pairs = trainer.values.iter().zip(&server.values).map(|(trainer, server)| (trainer - server).abs());
    let gaps: Vec<f32> = pairs.collect();
    let missing = row.ids.len().saturating_sub(gaps.len());
    Some(std::iter::repeat_n(f32::NAN, missing).chain(gaps).collect())
}

impl DriftCounts {
    /// Counts a row; keeps so many examples of each class.
    pub fn add(&mut self, row: &DumpRow, compared: &[DriftAgainst], drifts: Vec<Drift>, examples: usize) {
        let number = self.rows;
        self.rows += 1;
        self.gap.add(number, row);
        for against in compared {
            if let Some(count) = self.compared.get_mut(*against as usize) {
                *count += 1;
            }
        }
        self.harmful += usize::from(drifts.iter().any(|drift| !drift.class.is_tolerated()));
        for (at, drift) in drifts.iter().enumerate() {
            let place = (drift.against as usize, drift.class as usize);
            let first =
                drifts.iter().position(|d| (d.against, d.class) == (drift.against, drift.class)) == Some(at);
            if let Some(count) = self.stretches.get_mut(place.0).and_then(|all| all.get_mut(place.1)) {
                *count += 1;
            }
            if let Some(count) = self.rows_with.get_mut(place.0).and_then(|all| all.get_mut(place.1)) {
                *count += usize::from(first);
            }
            let same = |e: &&DriftExample| (e.drift.against, e.drift.class) == (drift.against, drift.class);
            if first && self.examples.iter().filter(same).count() < examples {
                self.examples.push(DriftExample { row: number, drift: drift.clone() });
            }
        }
    }
}

impl DumpSetup<'_> {
    /// Everything that a row drifts from, and what it could be held against. `before` are the ids of the step before it.
    pub fn drifts(
        &self,
        row: &DumpRow,
        conversation: Option<&Conversation>,
        before: Option<&[i64]>,
    ) -> (Vec<DriftAgainst>, Vec<Drift>) {
        let own = self.alone(&row.ids);
        let (mut compared, mut drifts) = (Vec::new(), Vec::new());
        let mut hold = |against, other: Option<Vec<i64>>| {
            let Some(other) = other else { return };
            compared.push(against);
            if other != row.ids {
                drifts.extend(self.held_against(against, &own, &other));
            }
        };
        hold(DriftAgainst::OwnText, self.encoded_again(&row.ids));
        hold(DriftAgainst::Messages, conversation.and_then(|conversation| self.rendered(conversation)));
        if let Some(before) = before {
            let start = row.ids.get(..before.len()).unwrap_or(&row.ids);
            hold(DriftAgainst::StepBefore, (start != before).then(|| before.to_vec()));
            if start == before {
                compared.push(DriftAgainst::StepBefore);
            }
        }
        (compared, drifts)
    }

    fn alone(&self, ids: &[i64]) -> Inspection {
        let labels = vec![IGNORE_INDEX; ids.len()];
        inspect_ids(&self.setup.tokenizer, self.markers.as_ref(), "", (ids, &labels), Vec::new())
    }

    /// What the tokenizer makes of the text of ids; places of images stay, as no text stands for them.
    fn encoded_again(&self, ids: &[i64]) -> Option<Vec<i64>> {
        let tokenizer = &self.setup.tokenizer;
        let mut again = Vec::with_capacity(ids.len());
        for stretch in ids.chunk_by(|a, b| *a >= 0 && *b >= 0) {
            let known: Option<Vec<TokenId>> = stretch.iter().map(|id| TokenId::try_from(*id).ok()).collect();
            match known {
                None => again.extend_from_slice(stretch),
                Some(known) => {
                    let text = tokenizer.decode(&known, false).ok()?;
                    again.extend(tokenizer.encode(&text, false).ok()?.ids.into_iter().map(i64::from));
                }
            }
        }
        Some(again)
    }

    /// The ids that the template's text of a conversation has.
    fn rendered(&self, conversation: &Conversation) -> Option<Vec<i64>> {
        let method = self.setup.chat()?;
        let text = method.text(&method.with_kwargs(conversation.clone())).ok()?;
        let ids = self.setup.tokenizer.encode(&text, false).ok()?.ids;
        Some(ids.into_iter().map(i64::from).collect())
    }

    fn held_against(&self, against: DriftAgainst, own: &Inspection, other: &[i64]) -> Vec<Drift> {
        let comparison = SetupComparison::aligned(own.clone(), self.alone(other), true);
        let own_len = own.result.as_ref().map_or(0, |labelled| labelled.input_ids.len());
        let mut drifts = Vec::new();
        for stretch in comparison.stretches.iter().filter(|s| s.differs.text || s.differs.tokens) {
            // What a further step adds is no drift.
            let added = stretch.b.tokens.is_empty() && stretch.a.tokens.end == own_len;
            if against == DriftAgainst::StepBefore && added {
                continue;
            }
            let ids = |inspection: &Inspection, side: &StretchSide| {
                let all = inspection
                    .result
                    .as_ref()
                    .map(|labelled| labelled.input_ids.as_slice())
                    .unwrap_or_default();
                all.get(side.tokens.clone()).unwrap_or_default().to_vec()
            };
            let (own_ids, other_ids) = (ids(&comparison.a, &stretch.a), ids(&comparison.b, &stretch.b));
            drifts.push(Drift {
                against,
                class: self.class_of(&comparison, stretch, &own_ids, &other_ids),
                tokens: [stretch.a.tokens.start, stretch.a.tokens.end],
                other_tokens: [stretch.b.tokens.start, stretch.b.tokens.end],
                ids: own_ids,
                other_ids,
            });
        }
        drifts
    }

    fn class_of(
        &self,
        comparison: &SetupComparison,
        stretch: &Stretch,
        own: &[i64],
        other: &[i64],
    ) -> DriftClass {
        let special = |ids: &[i64]| -> Vec<i64> {
            ids.iter().copied().filter(|id| self.facts.is_special(*id)).collect()
        };
        let (own_special, other_special) = (special(own), special(other));
        if own_special.len() != other_special.len() {
            return DriftClass::SpecialCount;
        }
        if own_special != other_special {
            return DriftClass::SpecialKind;
        }
        let place = SidePlace::of(&comparison.a, &stretch.a);
        let other_place = SidePlace::of(&comparison.b, &stretch.b);
        if stretch.differs.text
            && (place.beside_tool || other_place.beside_tool)
            && self.is_line_break(own, other)
        {
            return DriftClass::ToolLineBreak;
        }
        match (stretch.differs.text, place.inside_answer, place.over_seam || other_place.over_seam) {
            (_, _, true) => DriftClass::Seam,
            (false, true, _) => DriftClass::InsideAnswer,
            _ => DriftClass::OutsideAnswer,
        }
    }

    /// Nothing but blanks, with a line break on one side.
    fn is_line_break(&self, own: &[i64], other: &[i64]) -> bool {
        let blank = |ids: &[i64]| ids.iter().all(|id| self.facts.is_blank(*id) || self.facts.is_special(*id));
        let breaks = |ids: &[i64]| {
            let bytes =
                ids.iter().filter_map(|id| self.setup.tokenizer.token_bytes(TokenId::try_from(*id).ok()?));
            bytes.flatten().filter(|byte| *byte == b'\n').count()
        };
        blank(own) && blank(other) && breaks(own) != breaks(other)
    }
}

/// Where a stretch lies among the turns of its side.
#[derive(Debug, Clone, Copy, Default)]
struct SidePlace {
    inside_answer: bool,
    /// A token of it begins before a turn's own text and ends in it, or begins in it and ends behind.
    over_seam: bool,
    beside_tool: bool,
}

impl SidePlace {
    fn of(inspection: &Inspection, side: &StretchSide) -> Self {
        let mut place = Self::default();
        let spans = inspection.result.as_ref().map(|labelled| labelled.spans.as_slice()).unwrap_or_default();
        let tokens = spans.get(side.tokens.clone()).unwrap_or_default();
        let text = &side.text;
        for turn in &inspection.layout.turns {
            let content = &turn.content;
            let inside = text.start >= content.start && text.end <= content.end && !text.is_empty();
            place.inside_answer |= inside && turn.speaker == Speaker::Assistant;
            let over = |edge: usize| tokens.iter().any(|span| span.start < edge && edge < span.end);
            place.over_seam |= !content.is_empty() && (over(content.start) || over(content.end));
            let near = text.end + 1 >= turn.whole.start && text.start <= turn.whole.end + 1;
            place.beside_tool |= near && turn.speaker == Speaker::Tool;
        }
        place
    }
}
