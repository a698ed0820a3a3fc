//! [`Plan`]: a set-up together with the numbers of its rule, so that a fix can change either in memory.

use std::sync::Arc;

use crate::chat::{Sample, SeparatorStyle};
use crate::labels::rules::two::TwoRule;
use crate::labels::{Inspection, Rule, inspect, inspect_two, piece_len};
use crate::setup::Setup;

/// How `cur_len` is counted: by one of the known functions, or by numbers of our own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counting {
    Named(Rule),
    Two(TwoRule),
}

impl Counting {
    /// The numbers of a two-separator rule.
    pub fn two(self) -> Option<TwoRule> {
        match self {
            Self::Named(rule) => TwoRule::of(rule),
            Self::Two(two) => Some(two),
        }
    }

    /// The rule's name; `custom` for numbers that no known function has.
    pub fn name(self) -> &'static str {
        match self {
            Self::Named(rule) => rule.name(),
            Self::Two(_) => "custom",
        }
    }
}

/// Everything that decides the labels of a sample.
#[derive(Debug, Clone)]
pub struct Plan {
    pub setup: Setup,
    pub counting: Counting,
}

/// What a counting rule takes for granted, as the law of the difference needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arithmetic {
    /// Start of `cur_len`.
    pub start: i64,
    /// Added to the length of a round that is encoded alone.
    pub round: i64,
    /// Added in rounds after the first (newer LLaVA's correction for `legacy`).
    pub later: i64,
    /// Ids that the rule takes the closing separator for.
    pub closing_ids: i64,
    /// Text that closes a round.
    pub closing: String,
    /// `total_len` grows by the number of separators in the prompt.
    pub adds_count: bool,
}

impl Plan {
    /// The plan of a set-up as it stands.
    pub fn of(setup: &Setup) -> Self {
        let counting = setup.numbers.map_or(Counting::Named(setup.rule), Counting::Two);
        Self { setup: setup.clone(), counting }
    }

    /// Labels of one sample.
    pub fn inspect(&self, sample: &Sample) -> Inspection {
        match self.counting {
            Counting::Named(rule) => {
                let s = &self.setup;
                inspect(&s.tokenizer, &s.template, rule, &s.options, sample)
            }
            Counting::Two(two) => {
                let s = &self.setup;
                inspect_two(&s.tokenizer, &s.template, two, &s.options, sample)
            }
        }
    }

    /// The plan with another tokenizer.
    pub fn with_tokenizer(mut self, tokenizer: crate::tokenizer::Tokenizer) -> Self {
        self.setup.tokenizer = Arc::new(tokenizer);
        self
    }

    /// What the rule takes for granted; `None` for rules that do not count, or where even the separator
    /// cannot be encoded.
    pub fn arithmetic(&self, has_image: bool) -> Option<Arithmetic> {
        let Setup { tokenizer, template, .. } = &self.setup;
        let facts = &tokenizer.facts;
        let joins = tokenizer.joins_after_special();
        let sep2 = template.sep2.clone().unwrap_or_default();
        let base = Arithmetic {
            start: 0,
            round: 0,
            later: 0,
            closing_ids: 1,
            closing: template.sep.clone(),
            adds_count: false,
        };
        match self.counting {
            Counting::Named(Rule::Llama2) => Some(Arithmetic { start: 1, closing: sep2, ..base }),
            Counting::Named(Rule::Mpt) => {
                let bare = tokenizer.encode(&template.sep, false).ok()?.len();
                Some(Arithmetic {
                    round: piece_len(tokenizer, &template.sep, true).ok()?,
                    closing_ids: i64::try_from(bare).ok()?,
                    ..base
                })
            }
            Counting::Named(Rule::LlavaMpt) => {
                Some(Arithmetic { later: i64::from(joins && facts.legacy == Some(true)), ..base })
            }
            counting => {
                let two = counting.two()?;
                let offsets = if has_image { two.image } else { two.text };
                let corrects = two.looks_at_legacy && joins && facts.legacy == Some(false);
                Some(Arithmetic {
                    start: two.start,
                    round: offsets.round,
                    later: -i64::from(corrects),
                    closing: sep2,
                    adds_count: two.adds_sep2_count,
                    ..base
                })
            }
        }
    }

    /// True where the template writes turns as `ROLE: text` between two separators.
    pub fn is_two(&self) -> bool {
        self.setup.template.style == SeparatorStyle::Two
    }
}
