//! The same sample under two set-ups, aligned by characters: where their tokens part, and what that does to labels.
//!
//! ```text
//! prompt A ─┐ characters that both have ─► places where both end a token ─► stretches between two such places
//! prompt B ─┘                                                                └ alike, or differing
//! ```
//!
//! With one template both prompts are the same text and every character is shared; with two templates a character
//! diff finds what is. A stretch is as small as the tokens of both sides allow.

use std::ops::Range;
use std::time::{Duration, Instant};

use similar::{Algorithm, DiffOp, capture_diff_slices_deadline};

use crate::chat::Sample;
use crate::labels::{Inspection, Labelled};
use crate::setup::Setup;
use crate::tokenizer::Tokenizer;

/// A character diff of two prompts that have little in common is cut short here; what is left counts as differing.
const DIFF_LIMIT: Duration = Duration::from_millis(500);

/// Ids that are compared to tell whether two tokenizers share a vocabulary.
const VOCABULARY_PROBES: u32 = 2_000;

/// One side of a stretch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StretchSide {
    /// Bytes of that side's prompt.
    pub text: Range<usize>,
    /// Its tokens there.
    pub tokens: Range<usize>,
}

/// What differs in a stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Differs {
    /// Other characters: the templates differ.
    pub text: bool,
    /// The same characters cut at other places, or other ids of one vocabulary.
    pub tokens: bool,
    /// Supervised on one side only, wholly or in part.
    pub labels: bool,
}

impl Differs {
    /// True where anything does.
    pub fn any(self) -> bool {
        self.text || self.tokens || self.labels
    }
}

/// A stretch of the sample between two places where both sides end a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    pub a: StretchSide,
    pub b: StretchSide,
    pub differs: Differs,
}

/// A sample under two set-ups. Both labelled; where one raises there is nothing to align.
#[derive(Debug, Clone)]
pub struct SetupComparison {
    pub a: Inspection,
    pub b: Inspection,
    /// Ids mean the same on both sides.
    pub same_vocabulary: bool,
    pub stretches: Vec<Stretch>,
    /// Bytes of the shared text that are supervised on one side only: (A only, B only).
    pub learned_only: (usize, usize),
}

impl SetupComparison {
    /// Labels a sample under both and aligns the results.
    #[cfg(feature = "internals")]
    pub fn of(a: &Setup, b: &Setup, sample: &Sample) -> Self {
        Self::aligned(a.inspect(sample), b.inspect(sample), share_vocabulary(&a.tokenizer, &b.tokenizer))
    }

    /// Aligns two inspections of one sample.
    pub fn aligned(a: Inspection, b: Inspection, same_vocabulary: bool) -> Self {
        let stretches = match (&a.result, &b.result, &a.prompt, &b.prompt) {
            (Ok(left), Ok(right), Some(text_a), Some(text_b)) => {
                stretches((left, text_a), (right, text_b), same_vocabulary)
            }
            _ => Vec::new(),
        };
        let mut learned_only = (0, 0);
        if let (Ok(left), Ok(right)) = (&a.result, &b.result) {
            for stretch in stretches.iter().filter(|s| s.differs.labels && !s.differs.text) {
                let in_a = supervised_bytes(left, &stretch.a.tokens);
                let in_b = supervised_bytes(right, &stretch.b.tokens);
                learned_only.0 += in_a.saturating_sub(in_b);
                learned_only.1 += in_b.saturating_sub(in_a);
            }
        }
        Self { a, b, same_vocabulary, stretches, learned_only }
    }

    /// Stretches that differ in any way.
    pub fn differing(&self) -> usize {
        self.stretches.iter().filter(|s| s.differs.any()).count()
    }

    /// True when ids, labels and outcome are the same in every respect that can be compared.
    pub fn is_alike(&self) -> bool {
        match (&self.a.result, &self.b.result) {
            (Ok(_), Ok(_)) => self.differing() == 0 && same_status(&self.a, &self.b),
            (Err(a), Err(b)) => a == b,
            _ => false,
        }
    }
}

/// Both tokenizers give the same tokens to the same ids, as far as a sample of ids tells.
pub fn share_vocabulary(a: &Tokenizer, b: &Tokenizer) -> bool {
    let len = u32::try_from(a.vocab_size()).unwrap_or(u32::MAX);
    let step = (len / VOCABULARY_PROBES).max(1);
    let step = usize::try_from(step).unwrap_or(1);
    a.vocab_size() == b.vocab_size()
        && (0..len).step_by(step).all(|id| a.token_bytes(id) == b.token_bytes(id))
}

fn stretches(
    (a, text_a): (&Labelled, &str),
    (b, text_b): (&Labelled, &str),
    same_vocabulary: bool,
) -> Vec<Stretch> {
    let (cuts_a, cuts_b) = (cuts(a), cuts(b));
    let mut places: Vec<(Cut, Cut)> = Vec::new();
    for (start_a, start_b, len) in shared(text_a, text_b) {
        let in_a = window(&cuts_a, start_a, start_a + len);
        let in_b = window(&cuts_b, start_b, start_b + len);
        let mut others = in_b.iter().peekable();
        for cut in in_a {
            let at = cut.byte - start_a + start_b;
            while others.next_if(|other| other.byte < at).is_some() {}
            if let Some(other) = others.peek().filter(|other| other.byte == at) {
                places.push((*cut, **other));
            }
        }
    }
    let end = |labelled: &Labelled, text: &str| Cut { byte: text.len(), token: labelled.input_ids.len() };
    places.push((end(a, text_a), end(b, text_b)));
    let mut found = Vec::new();
    let mut from = (Cut { byte: 0, token: 0 }, Cut { byte: 0, token: 0 });
    for to in places {
        let side =
            |from: Cut, to: Cut| StretchSide { text: from.byte..to.byte, tokens: from.token..to.token };
        if to.0.token < from.0.token || to.1.token < from.1.token || to == from {
            continue;
        }
        let (left, right) = (side(from.0, to.0), side(from.1, to.1));
        let differs = differs((a, text_a, &left), (b, text_b, &right), same_vocabulary);
        found.push(Stretch { a: left, b: right, differs });
        from = to;
    }
    found
}

/// A place where a token ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cut {
    byte: usize,
    /// Tokens before it.
    token: usize,
}

/// Where tokens end, in order, one for each byte position. Tokens that add no text stay with what is before them.
fn cuts(labelled: &Labelled) -> Vec<Cut> {
    let mut cuts: Vec<Cut> = Vec::new();
    let mut end = 0;
    for (index, span) in labelled.spans.iter().enumerate() {
        end = end.max(span.end);
        match cuts.last_mut() {
            Some(last) if last.byte == end => last.token = index + 1,
            _ => cuts.push(Cut { byte: end, token: index + 1 }),
        }
    }
    cuts
}

fn window(cuts: &[Cut], from: usize, to: usize) -> &[Cut] {
    let start = cuts.partition_point(|c| c.byte < from);
    let end = cuts.partition_point(|c| c.byte <= to);
    cuts.get(start..end).unwrap_or_default()
}

/// Blocks of equal text as (byte in A, byte in B, bytes).
fn shared(a: &str, b: &str) -> Vec<(usize, usize, usize)> {
    if a == b {
        return vec![(0, 0, a.len())];
    }
    let starts =
        |text: &str| -> Vec<usize> { text.char_indices().map(|(at, _)| at).chain([text.len()]).collect() };
    let (chars_a, chars_b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let (at_a, at_b) = (starts(a), starts(b));
    let deadline = Instant::now().checked_add(DIFF_LIMIT);
    let ops = capture_diff_slices_deadline(Algorithm::Myers, &chars_a, &chars_b, deadline);
    let mut blocks = Vec::new();
    for op in ops {
        if let DiffOp::Equal { old_index, new_index, len } = op
            && let (Some(start_a), Some(end_a), Some(start_b)) =
                (at_a.get(old_index), at_a.get(old_index + len), at_b.get(new_index))
        {
            blocks.push((*start_a, *start_b, end_a - start_a));
        }
    }
    blocks
}

fn differs(
    (a, text_a, left): (&Labelled, &str, &StretchSide),
    (b, text_b, right): (&Labelled, &str, &StretchSide),
    same_vocabulary: bool,
) -> Differs {
    let text = text_a.get(left.text.clone()) != text_b.get(right.text.clone());
    let ids = a.input_ids.get(left.tokens.clone()) == b.input_ids.get(right.tokens.clone());
    let tokens = if same_vocabulary { !ids } else { left.tokens.len() != right.tokens.len() };
    let (in_a, in_b) = (supervised_in(a, &left.tokens), supervised_in(b, &right.tokens));
    // One answer for the whole stretch, where it has one: the tokens of both sides need not be as many.
    let whole = |supervised: &[bool]| {
        let some = supervised.contains(&true);
        (some != supervised.contains(&false) || supervised.is_empty()).then_some(some)
    };
    let labels = match (whole(&in_a), whole(&in_b)) {
        (Some(x), Some(y)) => x != y,
        _ => in_a != in_b,
    };
    Differs { text, tokens, labels }
}

/// Which tokens of a stretch are supervised.
fn supervised_in(labelled: &Labelled, tokens: &Range<usize>) -> Vec<bool> {
    tokens.clone().map(|index| labelled.is_supervised(index)).collect()
}

fn supervised_bytes(labelled: &Labelled, tokens: &Range<usize>) -> usize {
    let spans = labelled.spans.get(tokens.clone()).unwrap_or_default();
    let supervised = supervised_in(labelled, tokens);
    spans.iter().zip(supervised).filter(|(_, supervised)| *supervised).map(|(span, _)| span.len()).sum()
}

/// What all samples come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CompareTotals {
    pub samples: usize,
    /// Samples with the same tokens, labels and outcome.
    pub alike: usize,
    /// Samples in which tokens differ.
    pub tokens_differ: usize,
    /// Samples in which other text is supervised.
    pub labels_differ: usize,
    /// Samples whose status differs.
    pub outcomes_differ: usize,
    /// Sound samples: (under A, under B).
    pub sound: (usize, usize),
    /// Tokens in all: (A, B).
    pub tokens: (usize, usize),
    /// Tokens that are supervised: (A, B).
    pub learned: (usize, usize),
}

impl CompareTotals {
    /// Counts one more sample.
    pub fn add(&mut self, comparison: &SetupComparison) {
        let any = |test: fn(&Differs) -> bool| comparison.stretches.iter().any(|s| test(&s.differs));
        self.samples += 1;
        self.alike += usize::from(comparison.is_alike());
        self.tokens_differ += usize::from(any(|d| d.tokens || d.text));
        let (a, b) = (count(&comparison.a), count(&comparison.b));
        self.labels_differ += usize::from(any(|d| d.labels) || (a.1 > 0) != (b.1 > 0));
        self.outcomes_differ += usize::from(!same_status(&comparison.a, &comparison.b));
        self.sound.0 += usize::from(comparison.a.status().is_sound());
        self.sound.1 += usize::from(comparison.b.status().is_sound());
        self.tokens = (self.tokens.0 + a.0, self.tokens.1 + b.0);
        self.learned = (self.learned.0 + a.1, self.learned.1 + b.1);
    }
}

/// Both end in the same way.
fn same_status(a: &Inspection, b: &Inspection) -> bool {
    a.status().kind() == b.status().kind()
}

/// Tokens, and those of them that are supervised.
fn count(inspection: &Inspection) -> (usize, usize) {
    inspection.result.as_ref().map_or((0, 0), |l| (l.input_ids.len(), l.supervised()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;
    use crate::setup::{Request, load_tokenizer, resolve};
    use std::ops::ControlFlow;

    fn setup(tokenizer: &str, template: &str) -> Setup {
        let request =
            Request { tokenizer: tokenizer.into(), template: template.into(), ..Request::default() };
        let base = load_tokenizer(&request, &mut |_| ControlFlow::Continue(())).expect("loads");
        resolve(&base, &request).expect("resolves")
    }

    fn covers(comparison: &SetupComparison) {
        let (Ok(a), Ok(b)) = (&comparison.a.result, &comparison.b.result) else { return };
        let mut at = (0, 0);
        for stretch in &comparison.stretches {
            assert_eq!((stretch.a.tokens.start, stretch.b.tokens.start), at, "stretches follow each other");
            at = (stretch.a.tokens.end, stretch.b.tokens.end);
        }
        assert_eq!(at, (a.input_ids.len(), b.input_ids.len()), "and cover every token of both");
    }

    #[test]
    fn a_tokenizer_is_like_itself() {
        let phi = setup("sample:phi-2", "auto");
        for sample in samples::conversations().expect("embedded") {
            let comparison = SetupComparison::of(&phi, &phi, &sample);
            covers(&comparison);
            assert!(comparison.is_alike(), "{}", sample.id);
        }
    }

    #[test]
    fn two_vocabularies_and_two_templates_are_aligned() {
        let phi = setup("sample:phi-2", "auto");
        for other in [setup("sample:mistral", "auto"), setup("sample:qwen", "v1")] {
            let mut differing = 0;
            for sample in samples::conversations().expect("embedded") {
                let comparison = SetupComparison::of(&phi, &other, &sample);
                assert!(!comparison.same_vocabulary);
                covers(&comparison);
                differing += comparison.differing();
            }
            assert!(differing > 0);
        }
    }
}
