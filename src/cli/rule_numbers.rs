//! Numbers of one's own for a two-separator rule, and another separator behind answers.

use clap::Args;

use crate::error::{Error, Result};
use crate::labels::RuleChoice;
use crate::labels::rules::two::{Offsets, TwoRule};
use crate::setup::LabelChoice;

/// `--sep2`, and the numbers that a copied `preprocess_*` function changes.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Numbers of one's own")]
pub struct RuleNumberArgs {
    /// Separator behind answers, in place of the template's.
    #[arg(long, global = true, value_name = "TEXT")]
    pub sep2: Option<String>,
    /// Start of cur_len, in place of the rule's; wants --preprocess.
    #[arg(long, global = true, value_name = "N", allow_negative_numbers = true)]
    pub start: Option<i64>,
    /// Added to round_len, in place of the rule's offset; wants --preprocess.
    #[arg(long, global = true, value_name = "N", allow_negative_numbers = true)]
    pub round: Option<i64>,
    /// Added to instruction_len, in place of the rule's offset; wants --preprocess.
    #[arg(long, global = true, value_name = "N", allow_negative_numbers = true)]
    pub instruction: Option<i64>,
}

impl RuleNumberArgs {
    /// The rule with these numbers.
    ///
    /// # Errors
    /// Numbers without a rule that is named and has them.
    pub fn applied_to(&self, labels: LabelChoice) -> Result<LabelChoice> {
        if [self.start, self.round, self.instruction].iter().all(Option::is_none) {
            return Ok(labels);
        }
        let rule = match labels {
            LabelChoice::Rule(rule) => Some(rule),
            LabelChoice::Auto | LabelChoice::Strategy(_) => None,
        };
        let two = rule.and_then(RuleChoice::two).ok_or_else(|| {
            let text = "--start, --round and --instruction change the numbers of a rule with two separators: name one with \
                        --preprocess, such as v1, phi or openchat";
            Error::Usage(text.to_string())
        })?;
        let offsets = |own: Offsets| Offsets {
            round: self.round.unwrap_or(own.round),
            instruction: self.instruction.unwrap_or(own.instruction),
        };
        let (image, text) = (offsets(two.image), offsets(two.text));
        let numbers = TwoRule { start: self.start.unwrap_or(two.start), image, text, ..two };
        Ok(LabelChoice::Rule(RuleChoice::Custom(numbers)))
    }
}
