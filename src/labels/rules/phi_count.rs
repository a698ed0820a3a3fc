//! phi, plus the count of sep2 added to total_len.

use super::rule_facts::{Counting, RuleFacts, TrainingCode, never};
use super::two::TwoRule;

pub static RULE: RuleFacts = RuleFacts {
    name: "phi_count",
    aliases: &[],
    summary: "phi plus the count of sep2, for a pad that equals eos",
    runs_for: never,
    counting: Counting::Two(TwoRule { adds_sep2_count: true, ..TwoRule::PHI }),
    code: TrainingCode {
        function: Some("preprocess_phi"),
        also: "# and in preprocess_phi, behind the line `total_len = …`\n\
               total_len += conversation.count(conv.sep2)",
    },
};
