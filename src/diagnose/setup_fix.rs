//! A fix of the tokenizer as lines of the user's own training script: what gives a role another token, behind the last line that
//! changes the tokenizer there.

use super::delta_fit::conversations;
use super::line_fix::LineFix;
use super::patch::{TokenLines, python_token_lines};
use crate::chat::Sample;
use crate::repository::{self, LineEdit, RepositoryFunction, function_sets_roles, script};
use crate::setup::Setup;
use crate::tokenizer::Role;

/// Lines for the script that `setup`'s function belongs to, so that its own text alone makes the tokenizer that `setup` has with
/// `tokens` given on top. `None` where no script of the repository makes the tokenizer, where something out of sight changes it
/// later, and where the changed text, run on the samples, does not come to the same labels.
pub fn setup_fix(setup: &Setup, tokens: &TokenLines, samples: &[&Sample]) -> Option<LineFix> {
    let function = &setup.repository()?.function;
    let mut tokens = tokens.to_vec();
    let order = [Role::Unk, Role::Eos, Role::Bos, Role::Sep, Role::Cls, Role::Mask, Role::Pad];
    // Pad last, as it may copy another.
    tokens.sort_by_key(|(role, _)| order.iter().position(|known| known == role));
    if tokens.is_empty() {
        return None;
    }
    let lines = python_token_lines(setup.tokenizer.facts.can_add_tokens, &tokens);
    let edit = insertion(function, &lines)?;
    let changed = function.with_script_edits(std::slice::from_ref(&edit)).ok()?;
    let plain = conversations();
    let same = |sample: &&Sample| {
        let (own, wanted) = (repository::inspect(&changed, sample), repository::inspect(function, sample));
        match (own.result, wanted.result) {
            (Ok(own), Ok(wanted)) => own.input_ids == wanted.input_ids && own.labels == wanted.labels,
            (Err(own), Err(wanted)) => own == wanted,
            _ => false,
        }
    };
    let stem = edit.file.rsplit('/').next().unwrap_or(&edit.file);
    let added = lines.lines().collect::<Vec<_>>().join("; ");
    let summary = format!("{stem}:{} + {added}", edit.line + 1);
    plain
        .iter()
        .chain(samples.iter().copied())
        .all(|sample| same(&sample))
        .then(|| LineFix { edits: vec![edit], summary })
}

/// The lines, put behind the last statement of the script that changes the tokenizer.
fn insertion(function: &RepositoryFunction, lines: &str) -> Option<LineEdit> {
    let (checkout, file) = (function.checkout(), function.script_file()?);
    let text = checkout.read(file).ok()?;
    let script = script(&text, &|name, argument| function_sets_roles(checkout, name, argument))?;
    if !script.out_of_sight.is_empty() {
        return None;
    }
    let before = text.get(..script.after_changes)?;
    let last = before.strip_suffix('\n').unwrap_or(before);
    let line = last.matches('\n').count() + 1;
    let start = last.rfind('\n').map_or(0, |at| at + 1);
    let kept = last.get(start..)?;
    let ending = if kept.ends_with('\r') { "\r" } else { "" };
    let added: String = lines.lines().map(|line| format!("\n{}{line}{ending}", script.indent)).collect();
    Some(LineEdit { file: file.to_string(), line, before: kept.to_string(), after: format!("{kept}{added}") })
}
