//! Who labels one strip of a comparison: a mask strategy, a built-in label rule, or a function of a training repository.

use std::sync::Arc;

use super::strategy::{Origin, Strategy};
use crate::labels::Rule;

/// Who labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Labeller {
    Strategy(Strategy),
    /// A built-in rule, on the template that is in force.
    Rule(Rule),
    /// A function of the repository.
    Function {
        name: Arc<str>,
        /// `FILE:NAME`, as `--function` takes it.
        place: Arc<str>,
        /// The one that labels now.
        is_present: bool,
    },
}

impl Labeller {
    /// As lists name it.
    pub fn name(&self) -> &str {
        match self {
            Self::Strategy(strategy) => strategy.name(),
            Self::Rule(rule) => rule.name(),
            Self::Function { name, .. } => name,
        }
    }

    /// What it is, in a line, and where that is from.
    pub fn origin(&self) -> (&str, &str) {
        match self {
            Self::Strategy(strategy) => {
                let Origin { summary, source, .. } = strategy.origin();
                (source, summary)
            }
            Self::Rule(rule) => ("built-in rule", rule.summary()),
            Self::Function { place, is_present: true, .. } => {
                (place, "the repository's function, as it is called in training")
            }
            Self::Function { place, .. } => {
                (place, "another function of the repository, on the same template")
            }
        }
    }

    /// The strategy; `None` for a rule or a function.
    pub fn strategy(&self) -> Option<Strategy> {
        match self {
            Self::Strategy(strategy) => Some(*strategy),
            Self::Rule(_) | Self::Function { .. } => None,
        }
    }

    /// It needs a chat template.
    pub fn needs_template(&self) -> bool {
        self.strategy().is_some_and(Strategy::needs_template)
    }

    /// Its labels are differences of rendered prefixes.
    pub(super) fn subtracts_prefixes(&self) -> bool {
        self.strategy().is_some_and(Strategy::subtracts_prefixes)
    }

    /// It supervises the last answer only.
    pub(super) fn last_only(&self) -> bool {
        self.strategy().is_some_and(Strategy::last_only)
    }
}

impl PartialEq<Strategy> for Labeller {
    fn eq(&self, other: &Strategy) -> bool {
        self.strategy() == Some(*other)
    }
}
