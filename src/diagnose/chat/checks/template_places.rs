//! Different chat templates in several files of one folder.

use super::check::ChatCheck;
use crate::diagnose::chat::context::ChatContext;
use crate::diagnose::checks::CheckOutcome;
use crate::diagnose::finding::Verdict;
use crate::diagnose::folder::template_conflict;

pub const CHECK: ChatCheck =
    ChatCheck { id: "MSK068", title: "several files bring different chat templates", run };

fn run(context: &ChatContext<'_>) -> CheckOutcome {
    let Some(tokenizer) = context.tokenizer else {
        return CheckOutcome::skipped("files are held against each other once, by the doctor");
    };
    let conflict = match template_conflict(&tokenizer.files) {
        Ok(Some(conflict)) => conflict,
        Ok(None) => return CheckOutcome::ok(),
        Err(error) => return CheckOutcome::skipped(&error.to_string()),
    };
    let (verdict, cause) = match conflict.is_fault {
        true => (
            Verdict::Warn,
            "the folder has different templates, and which one is rendered depends on who loads it: training, evaluation and \
             serving see different texts. Keep one, as chat_template.jinja",
        ),
        false => (
            Verdict::Note,
            "the folder has different templates; today's readers take the same one, older releases and programs that read the \
             other file do not. Take the stale one out",
        ),
    };
    let mut outcome = CheckOutcome::found(verdict, Vec::new(), cause.to_string());
    for (place, names) in conflict.places {
        outcome = outcome.evidence(&place, names);
    }
    for (reader, taken) in conflict.readers {
        outcome = outcome.evidence(&format!("{reader} takes"), taken);
    }
    outcome
}
