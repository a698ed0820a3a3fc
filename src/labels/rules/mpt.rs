//! The rule of MPT (ChatML-like) templates: system, user and answer are the first round, then user and answer.
//! MoE-LLaVA's function here; newer LLaVA's, which shares its rounds, is [`super::llava_mpt`].

use std::ops::Range;

use super::arithmetic::Arithmetic;
use super::rule_facts::{Counting, RoundRule, RuleFacts, TrainingCode, version_begins};
use super::{RuleInput, count_rounds, split_ranges};
use crate::chat::{SeparatorStyle, Template};
use crate::labels::encode::piece_len;
use crate::labels::round_counter::{Measured, RoundCounter};
use crate::labels::{Labelled, PythonError};
use crate::tokenizer::Tokenizer;

pub static RULE: RuleFacts = RuleFacts {
    name: "mpt",
    aliases: &[],
    summary: "ChatML-like rounds, the closing separator counted by itself",
    runs_for: |template| template.version == "mpt" && version_begins(template, &["mpt"]),
    counting: Counting::Rounds(RoundRule { label, answer_mark, arithmetic }),
    code: TrainingCode { function: None, also: "" },
};

/// The separator and the answer's role, which holds its own markers.
pub fn answer_mark(template: &Template) -> String {
    format!("{}{}", template.sep, template.roles[1])
}

fn arithmetic(tokenizer: &Tokenizer, template: &Template) -> Option<Arithmetic> {
    let bare = tokenizer.encode(&template.sep, false).ok()?.len();
    Some(Arithmetic {
        round: piece_len(tokenizer, &template.sep, true).ok()?,
        closing_ids: i64::try_from(bare).ok()?,
        ..Arithmetic::plain(template)
    })
}

/// Labels of a prompt.
///
/// # Errors
/// What the Python function raises.
fn label(mut input: RuleInput<'_>) -> Result<Labelled, PythonError> {
    // MoE-LLaVA's function has no branch for text samples.
    input.has_image = true;
    label_rounds(
        input,
        |input| input.measure(&input.template.sep),
        |separator, _, measured| {
            measured.round_len += separator;
            Ok(())
        },
    )
}

/// Labels of a prompt whose rounds are adjusted by `adjust`, which gets what `once` came to, and the round's index.
///
/// # Errors
/// What the Python function raises.
pub fn label_rounds(
    input: RuleInput<'_>,
    once: impl Fn(RuleInput<'_>) -> Result<i64, PythonError>,
    adjust: impl Fn(i64, usize, &mut Measured) -> Result<(), PythonError>,
) -> Result<Labelled, PythonError> {
    let prompt_ids = input.prompt_ids()?;
    input.assert_style(SeparatorStyle::Mpt)?;
    let total_len = input.total_len(&prompt_ids.ids)?;
    let mark = answer_mark(input.template);
    let added = once(input)?;
    let mut round_counter = RoundCounter::new(prompt_ids, 0);
    let ranges = rounds(input.prompt, input.template.sep.as_str());
    let stop = count_rounds(input, &mut round_counter, ranges, &mark, |index, measured| {
        adjust(added, index, measured)
    })?;
    Ok(round_counter.finish(total_len, input.options.model_max_length, stop))
}

/// The prompt cut at the separator: three pieces together first, then two by two.
fn rounds(prompt: &str, sep: &str) -> Vec<Range<usize>> {
    let pieces = split_ranges(prompt, sep);
    let join = |run: &[Range<usize>]| Some(run.first()?.start..run.last()?.end);
    let (head, tail) = pieces.split_at(pieces.len().min(3));
    join(head).into_iter().chain(tail.chunks(2).filter_map(join)).collect()
}
