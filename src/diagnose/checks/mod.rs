//! The checks, one a file, and what they share.

mod answer_shapes;
mod bare_space;
mod cannot_encode;
mod closing_uncounted;
mod count_term;
mod counted_bos;
mod cut_answers;
mod double_bos;
mod eaten_space;
mod empty_turn;
mod ends_on_user;
mod image_behind_cut;
mod image_chunks;
mod image_count;
mod image_in_answer;
mod join;
mod legacy_correction;
mod length_guard;
mod literal_mark;
mod literal_separator;
mod loaded_twice;
mod loading;
mod missing_bos;
mod new_rows;
mod other_loaders;
mod pad_in_text;
mod pad_is_a_word;
mod pad_is_eos;
mod pad_is_separator;
mod pad_missing;
mod pieces_differ;
mod roles;
mod separator_not_one;
mod silent_mask;
mod start;
mod stop_token;
mod style;
mod template_name;
mod turn_boundaries;
mod vocabulary;

use super::context::Context;
use super::finding::{Evidence, Finding, Verdict};
use super::fix::{Change, Fix};
use crate::tokenizer::Role;

/// A check: a stable id, a title, and a function of the context.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    pub id: &'static str,
    pub title: &'static str,
    run: fn(&Context<'_>) -> Outcome,
}

/// All checks, by id.
pub const CHECKS: &[Check] = &[
    template_name::CHECK,
    empty_turn::CHECK,
    counted_bos::CHECK,
    missing_bos::CHECK,
    separator_not_one::CHECK,
    pad_is_separator::CHECK,
    count_term::CHECK,
    length_guard::CHECK,
    pad_missing::CHECK,
    pad_is_a_word::CHECK,
    pad_is_eos::CHECK,
    stop_token::CHECK,
    literal_separator::CHECK,
    literal_mark::CHECK,
    ends_on_user::CHECK,
    roles::CHECK,
    pad_in_text::CHECK,
    image_count::CHECK,
    cut_answers::CHECK,
    join::CHECK,
    legacy_correction::CHECK,
    turn_boundaries::CHECK,
    new_rows::CHECK,
    image_chunks::CHECK,
    start::CHECK,
    eaten_space::CHECK,
    image_behind_cut::CHECK,
    loaded_twice::CHECK,
    closing_uncounted::CHECK,
    silent_mask::CHECK,
    style::CHECK,
    bare_space::CHECK,
    double_bos::CHECK,
    pieces_differ::CHECK,
    cannot_encode::CHECK,
    answer_shapes::CHECK,
    image_in_answer::CHECK,
    vocabulary::CHECK,
    other_loaders::CHECK,
    loading::CHECK,
];

impl Check {
    /// Runs the check.
    pub fn run(&self, context: &Context<'_>) -> Finding {
        let Outcome { verdict, samples, evidence, cause, fix } = (self.run)(context);
        Finding { id: self.id, verdict, title: self.title, samples, evidence, cause, fix }
    }
}

/// What a check found, without its name.
#[derive(Debug)]
pub(super) struct Outcome {
    pub verdict: Verdict,
    pub samples: Vec<usize>,
    pub evidence: Vec<Evidence>,
    pub cause: String,
    pub fix: Option<Fix>,
}

impl Outcome {
    pub fn ok() -> Self {
        Self::found(Verdict::Ok, Vec::new(), String::new())
    }

    pub fn skipped(reason: &str) -> Self {
        Self::found(Verdict::Skipped, Vec::new(), reason.to_string())
    }

    pub fn found(verdict: Verdict, samples: Vec<usize>, cause: String) -> Self {
        Self { verdict, samples, evidence: Vec::new(), cause, fix: None }
    }

    pub fn evidence(mut self, what: &str, value: impl Into<String>) -> Self {
        self.evidence.push(Evidence { what: what.to_string(), value: value.into() });
        self
    }

    pub fn with_fix(mut self, fix: Option<Fix>) -> Self {
        self.fix = fix;
        self
    }

    /// With the smallest change of the set-up that was found to work.
    fn searched(self, context: &Context<'_>) -> Self {
        self.with_fix(context.searched_fix())
    }
}

/// Shapes that many checks share.
impl Context<'_> {
    /// A fault of rule, separator or tokens: an error where samples are lost, a warning where this data hides it.
    fn structural(&self, id: &'static str, cause: impl Fn() -> String) -> Outcome {
        if !self.counts() {
            return Outcome::skipped("this rule does not count rounds");
        }
        let lost = self.lost_to(id);
        let verdict = match (lost.is_empty(), self.hidden.contains(id)) {
            (true, false) => return Outcome::ok(),
            (true, true) => Verdict::Warn,
            (false, _) => Verdict::Error,
        };
        let mut outcome = Outcome::found(verdict, lost, cause());
        if let Some(first) = self.first_mismatch(&outcome.samples) {
            outcome = outcome.evidence("first", first);
        }
        for (what, delta_fit) in
            [("text, 1 to 5 rounds", &self.delta_fits.text), ("image, 1 to 5 rounds", &self.delta_fits.image)]
        {
            if let Some(delta_fit) = delta_fit {
                outcome = outcome.evidence(what, delta_fit.formula());
            }
        }
        if let Some(delta_fit) = &self.delta_fits.data {
            outcome = outcome.evidence("your samples", delta_fit.formula());
        }
        outcome.searched(self)
    }

    /// A fault of the data: an error for the samples that are lost, a note for others that have it.
    fn content(&self, lost: Vec<usize>, present: Vec<usize>, cause: &str) -> Outcome {
        if !self.counts() {
            return Outcome::skipped("this rule does not count rounds");
        }
        let verdict = match (lost.is_empty(), present.is_empty()) {
            (true, true) => return Outcome::ok(),
            (true, false) => return Outcome::found(Verdict::Note, present, cause.to_string()),
            (false, _) => Verdict::Error,
        };
        let fix = self.tried(Fix::new(vec![Change::Drop(lost.clone())]), &lost);
        let first = self.first_mismatch(&lost).unwrap_or_else(|| self.exceptions(&lost).join(", "));
        Outcome::found(verdict, lost, cause.to_string()).evidence("first", first).with_fix(fix)
    }

    /// True when a turn of any sample holds a text.
    fn any_text_has(&self, text: &str) -> bool {
        self.samples.iter().any(|s| s.conversations.iter().any(|t| t.value.contains(text)))
    }

    /// A role's token with its id, or `None`.
    fn role_text(&self, role: Role) -> String {
        let tokenizer = &self.setup.tokenizer;
        match (tokenizer.special.get(role), tokenizer.role_id(role)) {
            (Some(token), Some(id)) => format!("{} ({id})", token.content),
            (Some(token), None) => format!("{} (no id)", token.content),
            (None, _) => "None".to_string(),
        }
    }
}
