//! One plain sentence for why a sample's lengths differ, from the evidence of that sample alone.
//!
//! Source of the arithmetic: Δ = cur_len − total_len = (start − b) + n · (b + radd − s), with b = 1 for a
//! tokenizer that puts bos first and s the ids that one stop really adds; ids that equal pad are not counted.

use super::view::SampleView;
use crate::labels::{Labelled, Stop};
use crate::masks::Strategy;
use crate::tokenizer::Role;

/// Why a sample is what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// What goes wrong, with the numbers.
    pub what: String,
    /// What a person can do about it.
    pub remedy: String,
}

impl Cause {
    fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: remedy.into() }
    }
}

/// The cause of a mismatch, of an exception, or of a sample that learns nothing; `None` for a sound sample.
pub fn cause(view: &SampleView) -> Option<Cause> {
    if view.setup.chat.is_some() {
        return by_strategy(view);
    }
    let labelled = match &view.inspection.result {
        Err(error) => return Some(exception(view, &error.kind, &error.message)),
        Ok(labelled) => labelled,
    };
    if !labelled.mismatch {
        return (labelled.supervised() == 0 && !labelled.input_ids.is_empty()).then(|| silent(labelled));
    }
    early_stop(view, labelled)
        .or_else(|| pads(view, labelled))
        .or_else(|| bos(view, labelled))
        .or_else(|| Some(pieces(view, labelled)))
}

/// With a chat template: what the trainer raises, or what its strategy notes where nothing is learned.
fn by_strategy(view: &SampleView) -> Option<Cause> {
    let remedy = "S shows what every other strategy makes of this sample, 6 what the doctor says";
    match &view.inspection.result {
        Err(error) => {
            Some(Cause::new(format!("{}: {}", error.kind, error.message.replace('\n', " ")), remedy))
        }
        Ok(labelled)
            if labelled.supervised() == 0 && view.setup.chat.as_ref()?.strategy != Strategy::Render =>
        {
            let note = labelled.notes.first().map(|note| note.text.clone());
            let what =
                note.unwrap_or_else(|| format!("nothing of {} tokens is learned", labelled.input_ids.len()));
            Some(Cause::new(what, remedy))
        }
        Ok(_) => None,
    }
}

fn exception(view: &SampleView, kind: &str, message: &str) -> Cause {
    let no_pad = view.setup.tokenizer.role_id(Role::Pad).is_none();
    if no_pad && matches!(kind, "TypeError" | "ValueError") {
        return Cause::new(
            "no token has the role pad, and the training code compares every id with it",
            "give pad a token; where pad = unk, give unk one first",
        );
    }
    match kind {
        "KeyError" => Cause::new(
            format!("the speaker {message} is neither human nor gpt"),
            "rename the speaker in the data; the loader swaps in a random other sample meanwhile",
        ),
        "AssertionError" if message == "0" => Cause::new(
            "two turns of the same speaker follow each other",
            "repair the data: turns must alternate",
        ),
        "AssertionError" => {
            Cause::new("this rule does not fit this template or sample", "choose the rule auto")
        }
        "AttributeError" => Cause::new(message, "choose another rule: this one asks for `legacy`"),
        _ => Cause::new(message, "the loader swaps in a random other sample when this happens"),
    }
}

/// Nothing supervised and no warning: the answer lies behind the cut.
fn silent(labelled: &Labelled) -> Cause {
    let tokens = labelled.input_ids.len();
    Cause::new(
        format!(
            "no warning is printed, but nothing is supervised: all {tokens} tokens belong to the question"
        ),
        "the answer was cut off at model_max_length: shorten the question",
    )
}

fn early_stop(view: &SampleView, labelled: &Labelled) -> Option<Cause> {
    let answers = view.sections.iter().filter(|s| s.speaker == super::turns::Speaker::Assistant).count();
    match labelled.stop {
        Stop::Parts { round, parts: 1 } => Some(Cause::new(
            format!("round {} has no answer to split off: the loop stops there", round + 1),
            "an empty answer, a last turn of the user, or a separator inside a turn: repair the data",
        )),
        Stop::Parts { round, parts } => Some(Cause::new(
            format!("round {} splits into {parts} parts instead of 2: the loop stops there", round + 1),
            "the text of a turn contains the mark of the answer: repair the data",
        )),
        Stop::EmptyRound { round } if round < answers => Some(Cause::new(
            format!("round {} is empty: the loop stops there", round + 1),
            "the separator stands twice in a row in a turn: repair the data",
        )),
        _ => None,
    }
}

fn pads(view: &SampleView, labelled: &Labelled) -> Option<Cause> {
    let tokenizer = &view.setup.tokenizer;
    let count = i64::try_from(view.pads.len()).ok().filter(|n| *n > 0)?;
    let delta = labelled.cur_len? - labelled.total_len?;
    let pad = &tokenizer.special.get(Role::Pad)?.content;
    let eos = tokenizer.role_id(Role::Eos) == tokenizer.role_id(Role::Pad);
    if eos && delta == count {
        let stops = if count == 1 { "its stop".to_string() } else { format!("all {count} stops") };
        return Some(Cause::new(
            format!("pad equals eos, {pad}: total_len leaves out {stops}"),
            "give unk, and so pad, a token of its own",
        ));
    }
    (delta == count).then(|| {
        Cause::new(
            format!("the pad token {pad} stands {count} times in the text and is not counted"),
            "take the literal token out of the data",
        )
    })
}

fn bos(view: &SampleView, labelled: &Labelled) -> Option<Cause> {
    let start = labelled.rounds.first()?.start;
    let real = i64::try_from(view.real_start).ok()?;
    let rule = view.setup.rule.name();
    if start > real {
        Some(Cause::new(
            format!("rule {rule} starts at {start}, but this tokenizer puts no bos first"),
            "choose the rule that fits the tokenizer (recipe auto)",
        ))
    } else if start < real {
        Some(Cause::new(
            format!(
                "rule {rule} starts at {start}, but {real} bos stands in front, also of each round alone"
            ),
            "choose the rule that fits the tokenizer (recipe auto)",
        ))
    } else {
        None
    }
}

/// Rounds encoded alone give other lengths than in the prompt.
fn pieces(view: &SampleView, labelled: &Labelled) -> Cause {
    let differs = labelled.rounds.iter().zip(&view.real_rounds).enumerate().find_map(|(i, (round, real))| {
        let there = i64::try_from(real.len()).ok()?;
        (round.round_len != there).then_some((i, round.round_len, there))
    });
    match differs {
        Some((round, claims, there)) => Cause::new(
            format!("round {} counts {claims} but takes {there} tokens in the prompt", round + 1),
            "its text is split differently alone than in the prompt, or another rule fits: see Lengths",
        ),
        None => Cause::new("the counts differ in no single round", "see Lengths"),
    }
}
