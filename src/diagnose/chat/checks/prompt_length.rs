//! `len()` of what newer releases of transformers return is no number of tokens.

use super::check::ChatCheck;
use crate::diagnose::chat::context::ChatContext;
use crate::diagnose::checks::CheckOutcome;

pub const CHECK: ChatCheck = ChatCheck { id: "MSK044", title: "prompts are two tokens long", run };

fn run(_: &ChatContext<'_>) -> CheckOutcome {
    CheckOutcome::skipped(
        "maskscope counts tokens; where a trainer's log says that every prompt has 2, apply_chat_template returned a dict: \
         pass return_dict=False",
    )
}
