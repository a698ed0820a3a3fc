//! Image pre-training under a patch: the version `plain` must find the same tokens, and only for this model.

use super::proof::{other_ids, other_roles, reached};
use super::work::{PatchWork, RepositoryPatch, TokenWork};
use crate::repository::Checkout;

/// The version of image pre-training, whose tokenizer must be the same.
pub(super) const STAGE_1: &str = "plain";

impl PatchWork<'_> {
    /// Stage 1 must find the same tokens.
    pub(super) fn stage_1(&self, patched: &Checkout, work: &TokenWork, result: &mut RepositoryPatch) {
        if !self.has_stage_1() || !result.missing.is_empty() {
            return;
        }
        if self.needle().is_none() && self.needs_lines(work) {
            result.missing.push(format!(
                "the model has no name that its path would have in it, so stage 1 gets no tokens: give --model-name, or add for --version \
                 {STAGE_1}:\n{}",
                self.token_lines(work)
            ));
            return;
        }
        let function = reached(patched.clone(), STAGE_1, &self.call);
        let promised = &self.request.setup.tokenizer;
        if let Ok(function) = &function
            && other_roles(function, promised).is_empty()
            && let Some(role) = other_ids(function, promised).first()
        {
            result.missing.push(format!(
                "with --version {STAGE_1} {} has another id than with --version {}: other lines for a path with {:?} in it add tokens before",
                role.attribute(),
                self.patch.name,
                self.needle().unwrap_or_default()
            ));
            return;
        }
        match function.map(|f| other_roles(&f, promised)) {
            Ok(left) if left.is_empty() => result.notes.push(format!(
                "run in the sandbox with --version {STAGE_1} and a model path with {:?} in it: the same tokens",
                self.needle().unwrap_or_default()
            )),
            Ok(left) => {
                let names: Vec<&str> = left.iter().map(|role| role.attribute()).collect();
                result.missing.push(format!(
                    "with --version {STAGE_1} the script leaves {} otherwise than the set-up has it; add for stage 1:\n{}",
                    names.join(", "),
                    self.token_lines(work)
                ));
            }
            Err(why) => result.missing.push(format!("--version {STAGE_1} could not be run in the sandbox: {}", why.why())),
        }
    }

    pub(super) fn has_stage_1(&self) -> bool {
        let has_path = self.places.script.as_ref().is_some_and(|(_, script)| script.path.is_some());
        has_path && self.places.registry.keys.iter().any(|key| key == STAGE_1)
    }

    /// What a path of this model has in it: the last part of its name. `None` where that says nothing, as "." does.
    pub(super) fn needle(&self) -> Option<String> {
        let name = self.request.model_name.split('@').next().unwrap_or_default();
        let name = name.trim_end_matches(['/', '\\']);
        let mut parts = name.rsplit(['/', '\\', ':']);
        let last = parts.next().unwrap_or(name);
        // The cache of the hub: models--ORG--NAME/snapshots/COMMIT.
        let last = match (parts.next(), parts.next().and_then(|repo| repo.strip_prefix("models--"))) {
            (Some("snapshots"), Some(repo)) => repo.rsplit("--").next().unwrap_or(last),
            _ => last,
        };
        last.chars().any(char::is_alphanumeric).then(|| last.to_lowercase())
    }
}
