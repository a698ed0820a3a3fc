//! What a check is, what it finds, and shapes that several checks share.

use crate::diagnose::change::Change;
use crate::diagnose::context::Context;
use crate::diagnose::finding::{Evidence, Finding, Verdict};
use crate::diagnose::fix::Fix;
use crate::tokenizer::Role;

/// A check: a stable id, a title, and a function of the context.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    pub id: &'static str,
    pub title: &'static str,
    pub(super) run: fn(&Context<'_>) -> CheckOutcome,
}

impl Check {
    /// Runs the check.
    pub fn run(&self, context: &Context<'_>) -> Finding {
        let CheckOutcome { verdict, samples, evidence, cause, fix } = (self.run)(context);
        Finding { id: self.id, verdict, title: self.title, samples, evidence, cause, fix }
    }
}

/// What a check found, without its name.
#[derive(Debug)]
pub struct CheckOutcome {
    pub verdict: Verdict,
    pub samples: Vec<usize>,
    pub evidence: Vec<Evidence>,
    pub cause: String,
    pub fix: Option<Fix>,
}

impl CheckOutcome {
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
    pub(super) fn searched(self, context: &Context<'_>) -> Self {
        self.with_fix(context.searched_fix())
    }
}

/// Shapes that many checks share.
impl Context<'_> {
    /// A fault of rule, separator or tokens: an error where samples are lost, a warning where this data hides it.
    pub(super) fn structural(&self, id: &'static str, cause: impl Fn() -> String) -> CheckOutcome {
        if !self.counts() {
            return CheckOutcome::skipped("this rule does not count rounds");
        }
        let lost = self.lost_to(id);
        let verdict = match (lost.is_empty(), self.hidden.contains(id)) {
            (true, false) => return CheckOutcome::ok(),
            (true, true) => Verdict::Warn,
            (false, _) => Verdict::Error,
        };
        let mut outcome = CheckOutcome::found(verdict, lost, cause());
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
    pub(super) fn content(&self, lost: Vec<usize>, present: Vec<usize>, cause: &str) -> CheckOutcome {
        if !self.counts() {
            return CheckOutcome::skipped("this rule does not count rounds");
        }
        let verdict = match (lost.is_empty(), present.is_empty()) {
            (true, true) => return CheckOutcome::ok(),
            (true, false) => return CheckOutcome::found(Verdict::Note, present, cause.to_string()),
            (false, _) => Verdict::Error,
        };
        let fix = self.tried(Fix::new(vec![Change::Drop(lost.clone())]), &lost);
        let first = self.first_mismatch(&lost).unwrap_or_else(|| self.exceptions(&lost).join(", "));
        CheckOutcome::found(verdict, lost, cause.to_string()).evidence("first", first).with_fix(fix)
    }

    /// True when a turn of any sample holds a text.
    pub(super) fn any_text_has(&self, text: &str) -> bool {
        self.samples.iter().any(|s| s.conversations.iter().any(|t| t.value.contains(text)))
    }

    /// A role's token with its id, or `None`.
    pub(super) fn role_text(&self, role: Role) -> String {
        let tokenizer = &self.setup.tokenizer;
        match (tokenizer.special.get(role), tokenizer.role_id(role)) {
            (Some(token), Some(id)) => format!("{} ({id})", token.content),
            (Some(token), None) => format!("{} (no id)", token.content),
            (None, _) => "None".to_string(),
        }
    }
}
