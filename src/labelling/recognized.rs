//! The label function of a repository, and the built-in rule that counts as it does, where there is one.
//!
//! A rule is taken for the function's own only where both came to the same ids, labels, lengths and rounds on every
//! conversation tried: plain ones of one to four rounds with and without an image, and the embedded ones, which hold the
//! known traps. Labels always come from the function itself; the rule explains them.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::llava::LlavaLabelling;
use crate::chat::{ImagePlaces, Sample, SeparatorStyle, Template, Turn};
use crate::error::with_causes;
use crate::labels::rules::grouped::GroupedRule;
use crate::labels::rules::two::{Offsets, TwoRule};
use crate::labels::{Inspection, Labelled, PromptOptions, Rule, RuleChoice, inspect};
use crate::repository::{self, RepositoryFunction, TemplateTexts};
use crate::samples;
use crate::sandbox::{StopSignal, side_by_side};

/// Rounds of the conversations that are tried.
const MOST_ROUNDS: usize = 4;

/// A label function of the repository beside the one that labels.
#[derive(Debug, Clone)]
pub struct OtherFunction {
    pub name: Arc<str>,
    /// `FILE:NAME`.
    pub place: Arc<str>,
    /// Ready to run, or why it is not.
    pub function: Result<Arc<RepositoryFunction>, String>,
}

/// The label function of a repository.
#[derive(Debug, Clone)]
pub struct RepositoryLabelling {
    pub function: Arc<RepositoryFunction>,
    options: PromptOptions,
    known: Arc<OnceLock<Option<LlavaLabelling>>>,
    looking: Arc<Mutex<()>>,
    others: Arc<OnceLock<Vec<OtherFunction>>>,
}

impl RepositoryLabelling {
    /// A function; `options` are those that a built-in rule would run with.
    pub fn new(function: Arc<RepositoryFunction>, options: PromptOptions) -> Self {
        Self { function, options, known: Arc::default(), looking: Arc::default(), others: Arc::default() }
    }

    /// Labels of one sample, by the function; where its turns lie in the prompt, by the rule that it was recognized as.
    pub fn inspect(&self, sample: &Sample) -> Inspection {
        let mut inspection = repository::inspect(&self.function, sample);
        let Some((known, tokenizer)) = self.known().zip(self.function.tokenizer()) else { return inspection };
        let explained = known.inspect(&tokenizer, sample);
        if inspection.prompt != explained.prompt {
            return inspection;
        }
        inspection.layout = explained.layout;
        if let (Ok(own), Ok(others)) = (&mut inspection.result, explained.result)
            && own.input_ids == others.input_ids
        {
            if counts(own) == counts(&others) {
                // The same lengths: with the text that each round was measured on, and where the loop ended.
                (own.rounds, own.segments, own.stop) = (others.rounds, others.segments, others.stop);
            }
            own.spans = others.spans;
        }
        inspection
    }

    /// What a built-in rule would run with.
    pub fn options(&self) -> &PromptOptions {
        &self.options
    }

    /// The other label functions of the function's file, on the same template; made ready at the first call.
    pub fn others(&self) -> &[OtherFunction] {
        self.others.get_or_init(|| {
            let own = &self.function;
            let file = &own.entry().file;
            side_by_side(&own.other_names(), |name| OtherFunction {
                place: format!("{file}:{name}").into(),
                function: own.with_function(name).map(Arc::new).map_err(|error| with_causes(&error)),
                name: name.as_str().into(),
            })
        })
    }

    /// The rule that counts as the function does; looked for at the first call.
    pub fn known(&self) -> Option<&LlavaLabelling> {
        if let Some(known) = self.known.get() {
            return known.as_ref();
        }
        let _one_at_a_time = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = self.known.get() {
            return known.as_ref();
        }
        let found = recognize(&self.function, &self.options);
        // What a run that was ended came to says nothing of the function.
        if StopSignal::current().is_set() {
            return None;
        }
        self.known.get_or_init(|| found).as_ref()
    }
}

fn recognize(function: &RepositoryFunction, options: &PromptOptions) -> Option<LlavaLabelling> {
    let template = template(function)?;
    let tokenizer = function.tokenizer()?;
    let plain = plain_conversations();
    let mut all = plain.clone();
    all.extend(samples::conversations().unwrap_or_default());
    let actual: Vec<Inspection> = side_by_side(&all, |sample| repository::inspect(function, sample));
    let fits = |rule: RuleChoice, has_image: Option<bool>| {
        all.iter().zip(&actual).enumerate().all(|(at, (sample, actual))| {
            if has_image.is_some_and(|image| image != sample.has_image) {
                return true;
            }
            let built_in = inspect(&tokenizer, &template, rule, options, sample);
            // Repositories rewrite unusual placeholders each in its own way: another prompt says nothing of the count.
            let is_other_text = at >= plain.len() && actual.prompt != built_in.prompt;
            is_other_text || is_same(actual, &built_in)
        })
    };
    let named = Rule::ALL.into_iter().map(RuleChoice::Named).find(|rule| fits(*rule, None));
    let rule = named
        .or_else(|| custom(&template, &fits))
        .or_else(|| grouped(function, &template, options, &fits))?;
    Some(LlavaLabelling { template, rule, options: options.clone() })
}

/// Numbers of a two-separator rule: those of image samples and those of text samples are looked for apart.
fn custom(template: &Template, fits: &dyn Fn(RuleChoice, Option<bool>) -> bool) -> Option<RuleChoice> {
    if template.style != SeparatorStyle::Two {
        return None;
    }
    for (start, looks_at_legacy, adds_sep2_count) in variants() {
        let with = |image: Offsets, text: Offsets| TwoRule {
            start,
            image,
            text,
            adds_sep2_count,
            looks_at_legacy,
            ..TwoRule::V1
        };
        let find =
            |has_image: bool| offsets().find(|o| fits(RuleChoice::Custom(with(*o, *o)), Some(has_image)));
        if let Some((text, image)) = find(false).zip(find(true)) {
            return Some(RuleChoice::Custom(with(image, text)));
        }
    }
    None
}

/// Numbers of a rule for ChatML-like templates: what the function counted beyond the plain lengths of the first rounds of a
/// conversation; then tried on all.
fn grouped(
    function: &RepositoryFunction,
    template: &Template,
    options: &PromptOptions,
    fits: &dyn Fn(RuleChoice, Option<bool>) -> bool,
) -> Option<RuleChoice> {
    if template.style != SeparatorStyle::Mpt {
        return None;
    }
    let tokenizer = function.tokenizer()?;
    let sample = plain_conversations()
        .into_iter()
        .find(|sample| !sample.has_image && sample.conversations.len() > 2)?;
    let own = repository::inspect(function, &sample).result.ok()?;
    let [first, second, ..] = own.rounds.as_slice() else { return None };
    [false, true].into_iter().find_map(|as_images| {
        let plain = GroupedRule { as_images, ..GroupedRule::PLAIN };
        let plainly =
            inspect(&tokenizer, template, RuleChoice::CustomGrouped(plain), options, &sample).result.ok()?;
        let [plain_first, plain_second, ..] = plainly.rounds.as_slice() else { return None };
        let round = first.round_len - plain_first.round_len;
        let rule = RuleChoice::CustomGrouped(GroupedRule {
            start: first.start,
            round,
            instruction: first.instruction_len - plain_first.instruction_len,
            later: second.round_len - plain_second.round_len - round,
            ..plain
        });
        fits(rule, None).then_some(rule)
    })
}

fn variants() -> impl Iterator<Item = (i64, bool, bool)> {
    let flags = [(false, false), (true, false), (false, true), (true, true)];
    flags.into_iter().flat_map(|(legacy, count)| (0..=2).map(move |start| (start, legacy, count)))
}

fn offsets() -> impl Iterator<Item = Offsets> {
    (-3..=3).flat_map(|round| (-6..=4).map(move |instruction| Offsets { round, instruction }))
}

/// Both came to the same, as far as a function in Python shows what it counted.
fn is_same(actual: &Inspection, built_in: &Inspection) -> bool {
    match (&actual.result, &built_in.result) {
        (Err(own), Err(others)) => own.kind == others.kind,
        (Ok(own), Ok(others)) => {
            // A stop that pad hides is taken off one of the two by one function and added to the other by another.
            let difference = |labelled: &Labelled| Some(labelled.cur_len? - labelled.total_len?);
            actual.prompt == built_in.prompt
                && own.input_ids == others.input_ids
                && own.labels == others.labels
                && own.mismatch == others.mismatch
                && (difference(own).is_none() || difference(own) == difference(others))
                && (own.rounds.is_empty() || counts(own) == counts(others))
        }
        _ => false,
    }
}

/// What was counted of each round.
fn counts(labelled: &Labelled) -> Vec<(i64, i64)> {
    labelled.rounds.iter().map(|round| (round.round_len, round.instruction_len)).collect()
}

fn plain_conversations() -> Vec<Sample> {
    let mut all = Vec::new();
    for has_image in [false, true] {
        for rounds in 1..=MOST_ROUNDS {
            let turns = (0..rounds).flat_map(|round| {
                let place = if has_image && round == 0 { "<image>\n" } else { "" };
                [
                    Turn::new("human", format!("{place}What is seen at place {round}?")),
                    Turn::new("gpt", format!("A house with {round} windows, and a tree.")),
                ]
            });
            let sample = Sample::text(format!("{rounds} rounds"), turns.collect());
            all.push(Sample { has_image, media: usize::from(has_image), ..sample });
        }
    }
    all
}

pub(super) fn template(function: &RepositoryFunction) -> Option<Template> {
    let TemplateTexts { style, system, roles, version, sep, sep2 } = function.template()?.clone();
    let style = match style.as_str() {
        "SINGLE" => SeparatorStyle::Single,
        "TWO" => SeparatorStyle::Two,
        "MPT" => SeparatorStyle::Mpt,
        "LLAMA_2" => SeparatorStyle::Llama2,
        "PLAIN" => SeparatorStyle::Plain,
        _ => return None,
    };
    let name = function.entry().version.clone().unwrap_or_else(|| version.clone());
    let images = ImagePlaces::default();
    Some(Template { name, system, roles, version, style, sep, sep2, images })
}
