//! The rule of a set-up: one of the training code's, or one with numbers of one's own.

use super::rule::Rule;
use super::rules::Counting;
use super::rules::grouped::GroupedRule;
use super::rules::two::TwoRule;
use crate::chat::Template;

/// How `cur_len` is counted: by one of the known functions, or by numbers of one's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleChoice {
    Named(Rule),
    Custom(TwoRule),
    CustomGrouped(GroupedRule),
}

impl From<Rule> for RuleChoice {
    fn from(rule: Rule) -> Self {
        Self::Named(rule)
    }
}

impl RuleChoice {
    /// The rule's name; `custom` for numbers that no known function has.
    pub fn name(self) -> &'static str {
        match self {
            Self::Named(rule) => rule.name(),
            Self::Custom(_) | Self::CustomGrouped(_) => "custom",
        }
    }

    /// The numbers of a two-separator rule; `None` for rules of another family.
    pub fn two(self) -> Option<TwoRule> {
        match self.counting() {
            Counting::Two(two) => Some(two),
            Counting::Grouped(_) | Counting::Rounds(_) | Counting::Caption | Counting::Turns => None,
        }
    }

    /// The numbers of a rule for ChatML-like templates; `None` for rules of another family.
    pub fn grouped(self) -> Option<GroupedRule> {
        match self.counting() {
            Counting::Grouped(grouped) => Some(grouped),
            Counting::Two(_) | Counting::Rounds(_) | Counting::Caption | Counting::Turns => None,
        }
    }

    /// How it comes to labels.
    pub fn counting(self) -> Counting {
        match self {
            Self::Named(rule) => rule.facts().counting,
            Self::Custom(two) => Counting::Two(two),
            Self::CustomGrouped(grouped) => Counting::Grouped(grouped),
        }
    }

    /// True for this function of the training code.
    pub fn is(self, rule: Rule) -> bool {
        self == Self::Named(rule)
    }

    /// The text that must stand exactly once in a round, between instruction and answer.
    pub fn answer_mark(self, template: &Template) -> String {
        self.counting().answer_mark(template)
    }
}
