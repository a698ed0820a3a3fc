//! From the terms of a difference to the ids of the checks that explain it.
//!
//! Several causes can share a pattern (a counted bos and a join both give `n − 1`); the terms keep them apart,
//! and the probe of the tokenizer tells which of them it is.

use super::arithmetic::Arithmetic;
use super::content::ContentFaults;
use super::delta_terms::DeltaTerms;
use super::probe::Probe;
use crate::labels::PythonError;
use crate::setup::LlavaSetup;

/// Stable ids of the checks that a lost sample can be laid to.
pub mod id {
    pub const EMPTY_TURN: &str = "MSK002";
    pub const COUNTED_BOS: &str = "MSK003";
    pub const MISSING_BOS: &str = "MSK004";
    pub const SEPARATOR_NOT_ONE: &str = "MSK005";
    pub const PAD_IS_SEPARATOR: &str = "MSK006";
    pub const COUNT_TERM: &str = "MSK007";
    pub const PAD_MISSING: &str = "MSK009";
    pub const LITERAL_SEPARATOR: &str = "MSK013";
    pub const LITERAL_MARK: &str = "MSK014";
    pub const ENDS_ON_USER: &str = "MSK015";
    pub const REFUSED: &str = "MSK016";
    pub const PAD_IN_TEXT: &str = "MSK017";
    pub const JOIN: &str = "MSK020";
    pub const LEGACY_CORRECTION: &str = "MSK021";
    pub const IMAGE_CHUNKS: &str = "MSK024";
    pub const START: &str = "MSK025";
    pub const EATEN_SPACE: &str = "MSK026";
    pub const CLOSING_UNCOUNTED: &str = "MSK029";
    pub const STYLE: &str = "MSK031";
    pub const PIECES_DIFFER: &str = "MSK034";
    pub const CANNOT_ENCODE: &str = "MSK060";
}

/// What is known besides the terms.
#[derive(Debug)]
pub struct CauseInput<'a> {
    pub setup: &'a LlavaSetup,
    pub arithmetic: &'a Arithmetic,
    pub probe: &'a Probe,
    pub content: ContentFaults,
    /// The prompt begins with the literal text of bos.
    pub begins_with_bos: bool,
}

/// The check that explains an exception of the training code.
pub fn raised(error: &PythonError, content: ContentFaults, probe: &Probe) -> &'static str {
    match error.kind.as_ref() {
        // An assertion without a message is about the template's style, or plain's about the shape of a sample.
        "AssertionError" if error.message.is_empty() => id::STYLE,
        _ if content.refused => id::REFUSED,
        "TypeError" | "ValueError" if probe.pad.is_none() => id::PAD_MISSING,
        "AttributeError" => id::LEGACY_CORRECTION,
        // llama_2's template asserts that the first turn says something.
        "AssertionError" => id::EMPTY_TURN,
        _ => id::CANNOT_ENCODE,
    }
}

/// The checks that explain a difference, at least one wherever it is not zero.
pub fn causes(terms: &DeltaTerms, around: &CauseInput<'_>) -> Vec<&'static str> {
    let mut found = Vec::new();
    found.extend(bos_cause(terms, around));
    found.extend(separator_and_join_causes(terms, around));
    found.extend(pad_causes(terms));
    if terms.tail != 0 {
        found.extend(content_causes(around.content));
    }
    if found.is_empty() && terms.delta() != 0 {
        found.extend(content_causes(around.content));
    }
    if found.is_empty() && terms.delta() != 0 {
        found.push(id::PIECES_DIFFER);
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// Start value and bos: constant and slope, once the separator is taken for what the rule takes it for.
fn bos_cause(terms: &DeltaTerms, around: &CauseInput<'_>) -> Option<&'static str> {
    let constant = terms.start;
    let slope = terms.per_round - around.arithmetic.closing_ids;
    if constant + slope * terms.rounds == 0 {
        return None;
    }
    let literal_guide = around.setup.labelling.rule.two().is_some_and(|two| two.image != two.text);
    Some(match (constant, slope) {
        (_, 1..) => id::COUNTED_BOS,
        (1.., ..0) if literal_guide => id::START,
        (1.., ..0) => id::MISSING_BOS,
        (_, ..0) => id::CLOSING_UNCOUNTED,
        (_, 0) => id::START,
    })
}

fn separator_and_join_causes(terms: &DeltaTerms, around: &CauseInput<'_>) -> Vec<&'static str> {
    let mut found = Vec::new();
    let excess = terms.closing - terms.rounds * around.arithmetic.closing_ids;
    let join: i64 = terms.join.iter().sum();
    if !around.probe.closing_is_one {
        if excess != 0 || terms.join.iter().any(|j| *j != 0) {
            found.push(id::SEPARATOR_NOT_ONE);
        }
        return found;
    }
    if join + terms.later == 0 && excess == 0 {
        return found;
    }
    let later_rounds = terms.join.iter().skip(1).any(|j| *j != 0);
    if terms.later != 0 && join + terms.later != 0 {
        found.push(id::LEGACY_CORRECTION);
    }
    if around.begins_with_bos && around.probe.bos == 0 {
        found.push(id::IMAGE_CHUNKS);
    } else if later_rounds && around.probe.join != 0 && terms.later == 0 {
        found.push(id::JOIN);
    }
    if around.probe.strips_space && (join != 0 || excess != 0) {
        found.push(id::EATEN_SPACE);
    }
    if found.is_empty() && join + terms.later != 0 {
        found.push(id::PIECES_DIFFER);
    }
    if found.is_empty() {
        found.extend(content_causes(around.content));
    }
    found
}

fn pad_causes(terms: &DeltaTerms) -> Vec<&'static str> {
    let mut found = Vec::new();
    if terms.pad_text > 0 {
        found.push(id::PAD_IN_TEXT);
    }
    match (terms.pad_closing, terms.count) {
        (pads, count) if pads == count => {}
        (_, 0) => found.push(id::PAD_IS_SEPARATOR),
        (0, _) => found.push(id::COUNT_TERM),
        _ => {}
    }
    found
}

fn content_causes(content: ContentFaults) -> Vec<&'static str> {
    let mut found = Vec::new();
    if content.empty_turn {
        found.push(id::EMPTY_TURN);
    }
    if content.literal_closing {
        found.push(id::LITERAL_SEPARATOR);
    }
    if content.literal_mark {
        found.push(id::LITERAL_MARK);
    }
    if content.ends_on_user && found.is_empty() {
        found.push(id::ENDS_ON_USER);
    }
    found
}
