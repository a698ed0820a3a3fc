//! What is said of a patch: what was chosen and shown, and what found no place.

use super::proof::{Agreement, Unproven};
use super::texts::RESIZE;
use super::tokens::adds_ids;
use super::work::{LabelSource, PatchWork, RepositoryPatch, TokenWork};
use crate::repository::{DispatchKind, Script};

impl PatchWork<'_> {
    /// What was chosen, what was shown, and what is left to do.
    pub(super) fn said(
        &self,
        labels: &LabelSource,
        work: &TokenWork,
        proof: &std::result::Result<Agreement, Unproven>,
        result: &mut RepositoryPatch,
    ) {
        let name = &self.patch.name;
        if let LabelSource::Existing(existing) = labels {
            result.notes.push(format!(
                "{}: {existing} labels every sample as the set-up does, so {name} is dispatched to it (--own-function writes a function)",
                self.places.entry.file
            ));
        }
        match proof {
            Ok(compared) => {
                let other = match compared.other_prompt {
                    0 => String::new(),
                    other => format!("; {other} more have another prompt, since the repository rewrites their placeholders in its own way"),
                };
                result.notes.push(format!(
                    "run in the sandbox with --version {name}: ids and labels of {} samples are those of the set-up{other}",
                    compared.equal
                ));
            }
            Err(Unproven::NotRun(why)) => result.missing.push(format!(
                "the patch could not be run in the sandbox ({why}); once it is applied, compare with `maskscope verify --repo DIR --version {name}`"
            )),
            Err(Unproven::Differs(why)) => result.missing.push(format!(
                "no patch: run with --version {name}, the repository does not do what the set-up promises ({why})"
            )),
        }
        if self.needs_lines(work) {
            match &self.places.script {
                None => result.missing.push(format!(
                    "no script makes a tokenizer in train() or main(); add behind the lines that do:\n{}",
                    self.token_lines(work)
                )),
                Some((file, script)) if script.arguments.is_none() => result.missing.push(format!(
                    "{file}: no argument `version` is read here, so the lines have no condition; add behind the tokenizer's lines:\n{}",
                    self.token_lines(work)
                )),
                Some((file, script)) if adds_ids(self.request.setup) && script.after_model.is_none() => {
                    result.missing.push(format!(
                        "{file}: no `model` is made here; where it is, add behind it:\n{}",
                        RESIZE.join("\n")
                    ));
                }
                Some(_) => {}
            }
        }
        for other in self.reading.dispatches.iter().filter(|d| d.kind == DispatchKind::Function) {
            if other.file != self.places.entry.file && other.name == self.places.entry.name {
                result.notes.push(format!(
                    "{}:{} {}() chooses for itself and is left as it is: a script that uses it does not know {name}",
                    other.file, other.line, other.name
                ));
            }
        }
        if let Some((file, Some((given, load)))) =
            self.places.script.as_ref().map(|(file, s)| (file, s.loaded_again))
        {
            result.notes.push(format!(
                "{file}:{given} gives the tokenizer tokens, and line {load} may load it again without them: an `if` before it where \
                 `elif` is meant (the patch's own lines stand behind both)"
            ));
        }
        if let Some((file, script)) = &self.places.script {
            for (line, what) in script.out_of_sight.iter().filter(|_| self.needs_lines(work)) {
                result.missing.push(format!(
                    "{file}:{line}: {what}, which was not run: see that it keeps the tokens of --version {name}"
                ));
            }
            for (line, names) in script.version_lists.iter().filter(|(_, names)| !names.contains(name)) {
                result.missing.push(format!(
                    "{file}:{line}: the versions are listed here ({}): add {name}",
                    names.join(", ")
                ));
            }
        }
        let facts = &self.request.setup.tokenizer.facts;
        let own = format!("{}.from_pretrained", facts.name);
        let has_class = |script: &Script| script.load_of(&facts.name).is_some_and(|call| call.callee == own);
        if !facts.can_add_tokens && !self.places.script.as_ref().is_some_and(|(_, script)| has_class(script))
        {
            result.notes.push(format!(
                "{} comes as code with the model, and the script has no class of that name: trust_remote_code=True runs the model's",
                facts.name
            ));
        }
    }
}
