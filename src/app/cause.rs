//! One plain sentence for why a sample is lost, and what to do: the doctor's causes in words that fit one line.
//!
//! Which cause it is says [`crate::diagnose::causes_of`], so that the frame and screen Doctor never disagree; only
//! the wording is here.

use super::view::SampleView;
use crate::diagnose::{CHECKS, id, label_verdict};
use crate::labels::{Labelled, LoopEnd, Rule, SampleStatus};
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
    if view.setup.chat().is_some() {
        return by_strategy(view);
    }
    let (first, others) = match view.causes.split_first() {
        Some(causes) => causes,
        None => {
            if let Some(cause) = wrong_mask(view) {
                return Some(cause);
            }
            let SampleStatus::Silent { truncated, tokens } = view.inspection.status() else { return None };
            return (tokens > 0).then(|| silent(view, truncated, tokens));
        }
    };
    let mut cause = match &view.inspection.result {
        Err(error) => exception(view, first, &error.kind, &error.message),
        Ok(labelled) => mismatch(view, first, labelled),
    };
    if let Some(other) = others.first() {
        cause.what += &format!("; also {}", title(other));
    }
    Some(cause)
}

/// A repository's function that masks other tokens than the answers' in a sample that it keeps: no warning says so.
fn wrong_mask(view: &SampleView) -> Option<Cause> {
    let entry = view.setup.repository()?.function.entry();
    let llava = view.setup.to_llava()?;
    if label_verdict(&llava, &view.inspection).mask_is_right {
        return None;
    }
    let what = "answer tokens are masked or question tokens supervised; no warning says so";
    Some(Cause::new(what, format!("{{code}} shows the lines of {} and what each counted", entry.file)))
}

/// With a chat template: what the trainer raises, or what its strategy notes where nothing is learned.
fn by_strategy(view: &SampleView) -> Option<Cause> {
    let remedy =
        "{strategies} shows what every other strategy makes of this sample, {doctor} what the doctor says";
    match &view.inspection.result {
        Err(error) => {
            Some(Cause::new(format!("{}: {}", error.kind, error.message.replace('\n', " ")), remedy))
        }
        Ok(labelled) if labelled.supervised() == 0 && view.setup.chat()?.strategy != Strategy::Render => {
            let note = labelled.notes.first().map(|note| note.text.clone());
            let what = note.unwrap_or_else(|| format!("0 of {} tokens supervised", labelled.input_ids.len()));
            Some(Cause::new(what, remedy))
        }
        Ok(_) => None,
    }
}

/// The doctor's own title of a check.
fn title(id: &str) -> &'static str {
    CHECKS.iter().find(|check| check.id == id).map_or("", |check| check.title)
}

const REPAIR: &str = "repair the data, or leave the sample out";
const OTHER_RULE: &str = "choose the rule that fits the tokenizer (recipe auto)";

fn exception(view: &SampleView, id: &str, kind: &str, message: &str) -> Cause {
    match (id, kind) {
        (id::PAD_MISSING, _) => Cause::new(
            "no token has the role pad, and the training code compares every id with it",
            "give pad a token; where pad = unk, give unk one first",
        ),
        (id::REFUSED, "KeyError") => Cause::new(
            format!("the speaker {message} is neither human nor gpt"),
            "rename the speaker in the data; the dataset resamples meanwhile",
        ),
        (id::REFUSED, "AssertionError") => Cause::new(
            "two turns of the same speaker follow each other",
            "repair the data: turns must alternate",
        ),
        (id::STYLE, _) if view.setup.llava().is_some_and(|llava| llava.rule.is(Rule::Plain)) => Cause::new(
            "plain takes only samples of two turns with <image> in the first",
            "plain is for stage 1; choose the template of stages 2 and 3",
        ),
        (id::STYLE, _) => {
            Cause::new("this rule does not fit this template or sample", "choose the rule auto")
        }
        (id::LEGACY_CORRECTION, _) => {
            let class = &view.setup.tokenizer.facts.name;
            let text = format!("the rule asks for tokenizer.legacy, which {class} does not have");
            Cause::new(text, "choose another rule")
        }
        _ => Cause::new(format!("{}: {message}", title(id)), "the dataset resamples when this happens"),
    }
}

/// Nothing supervised and no warning: the answer lies behind the cut.
fn silent(view: &SampleView, truncated: usize, tokens: usize) -> Cause {
    if truncated > 0 {
        let kept = view.setup.model_max_length();
        let what = format!("the collator keeps {kept} of {tokens} tokens, and no answer is among them");
        return Cause::new(what, "shorten the question, or raise model_max_length");
    }
    Cause::new(
        format!(
            "no warning is printed, but nothing is supervised: all {tokens} tokens belong to the question"
        ),
        "the answer was cut off at model_max_length: shorten the question",
    )
}

fn mismatch(view: &SampleView, id: &str, labelled: &Labelled) -> Cause {
    let rule = view.setup.rule_name();
    let start = labelled.rounds.first().map_or(0, |r| r.start);
    match id {
        id::EMPTY_TURN | id::LITERAL_SEPARATOR | id::LITERAL_MARK | id::ENDS_ON_USER => {
            Cause::new(format!("{}: {}", title(id), stopped(&labelled.stop)), REPAIR)
        }
        id::COUNTED_BOS => Cause::new(
            format!(
                "rule {rule} starts at {start}, but {} bos stands in front, also of each round alone",
                view.real_start
            ),
            OTHER_RULE,
        ),
        id::MISSING_BOS | id::START => Cause::new(
            format!(
                "rule {rule} starts at {start}, but {} ids stand before the first round",
                view.setup.tokenizer.ids_around_text().map_or(0, |around| around.before.len())
            ),
            OTHER_RULE,
        ),
        id::PAD_IS_SEPARATOR => {
            let count = view.pads.len();
            let stops =
                if count == 1 { "its EOS token".to_string() } else { format!("all {count} EOS tokens") };
            Cause::new(
                format!("pad equals eos, {}: total_len leaves out {stops}", pad(view)),
                "give unk, and so pad, a token of its own",
            )
        }
        id::PAD_IN_TEXT => Cause::new(
            format!(
                "the pad token {} stands {} times in the text and is not counted",
                pad(view),
                view.pads.len()
            ),
            "take the literal token out of the data",
        ),
        id => Cause::new(
            format!("{}{}", title(id), off_round(view, labelled)),
            "screen 6 has the evidence, 2 the count",
        ),
    }
}

fn pad(view: &SampleView) -> &str {
    view.setup.tokenizer.special.get(Role::Pad).map_or("", |token| token.content.as_str())
}

/// Where the loop over the rounds ended.
fn stopped(stop: &LoopEnd) -> String {
    match stop {
        LoopEnd::Parts { round, parts: 1 } => format!("round {} has no answer to split off", round + 1),
        LoopEnd::Parts { round, parts } => {
            format!("round {} splits into {parts} parts instead of 2", round + 1)
        }
        LoopEnd::EmptyRound { round } => format!("the loop stops at round {}, which is empty", round + 1),
        LoopEnd::End | LoopEnd::NoLoop => "its rounds are cut at other places".to_string(),
    }
}

/// The first round whose length alone is not the one in the prompt.
fn off_round(view: &SampleView, labelled: &Labelled) -> String {
    let rounds = labelled.rounds.iter().zip(&view.real_rounds).zip(1..);
    let off = rounds.map(|((round, real), n)| (n, round.round_len, real.len()));
    let differs = |(_, claims, there): &(i32, i64, usize)| i64::try_from(*there) != Ok(*claims);
    match off.into_iter().find(differs) {
        Some((n, claims, there)) => {
            format!(": round {n} counts {claims} but takes {there} tokens in the prompt")
        }
        None => String::new(),
    }
}
