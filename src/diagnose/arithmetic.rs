//! What a counting rule takes for granted: where `cur_len` starts, what each round adds, what the separator counts for.

use crate::chat::SeparatorStyle;
use crate::labels::{Rule, RuleChoice, piece_len};
use crate::setup::LlavaSetup;

/// The assumptions of a rule, in tokens.
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

impl Arithmetic {
    /// What the rule of a set-up assumes for text samples or for samples with an image; `None` for rules that do not
    /// count, or where even the separator cannot be encoded.
    pub fn of(setup: &LlavaSetup, has_image: bool) -> Option<Self> {
        let (tokenizer, template) = (&*setup.tokenizer, &setup.labelling.template);
        let facts = &tokenizer.facts;
        let joins = tokenizer.joins_after_special();
        let sep2 = template.sep2.clone().unwrap_or_default();
        let base = Self {
            start: 0,
            round: 0,
            later: 0,
            closing_ids: 1,
            closing: template.sep.clone(),
            adds_count: false,
        };
        match setup.labelling.rule {
            RuleChoice::Named(Rule::Llama2) => Some(Self { start: 1, closing: sep2, ..base }),
            RuleChoice::Named(Rule::Mpt) => {
                let bare = tokenizer.encode(&template.sep, false).ok()?.len();
                Some(Self {
                    round: piece_len(tokenizer, &template.sep, true).ok()?,
                    closing_ids: i64::try_from(bare).ok()?,
                    ..base
                })
            }
            RuleChoice::Named(Rule::LlavaMpt) => {
                Some(Self { later: i64::from(joins && facts.legacy == Some(true)), ..base })
            }
            rule => {
                let two = rule.two()?;
                let offsets = if has_image { two.image } else { two.text };
                let corrects = two.looks_at_legacy && joins && facts.legacy == Some(false);
                Some(Self {
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
}

/// True where the template writes turns as `ROLE: text` between two separators.
pub fn has_two_separators(setup: &LlavaSetup) -> bool {
    setup.labelling.template.style == SeparatorStyle::Two
}
