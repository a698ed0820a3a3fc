//! A patch as a unified diff against a training repository in the manner of LLaVA, computed from what the repository does.
//!
//! ```text
//! read: dispatch, registry, script ─► places ─► texts put in ─► run in the sandbox ─► diff
//!                                       ▲                           │
//!                                       └── what the script undid ◄─┘
//! ```
//!
//! The tokenizer's lines go behind the last line with which the script changes it, so that nothing undoes them; what the script
//! sets otherwise than the set-up has it is set again there. Where the script loads another class, or none, the patch loads it.
//! A function of the repository that labels every sample as promised is taken in place of a new one. What cannot be placed, or
//! does not do in the sandbox what was promised, is named.

use std::collections::BTreeMap;

use super::insertion::unified_diff;
use super::pieces::Patch;
use super::pins::{self, RepositoryTest};
use super::places::Places;
use super::proof::{
    Agreement, ScriptCall, Unproven, compared, is_loaded_alike, labels_of, other_roles, reached,
};
use super::request::RepositoryPatchRequest;
use super::tokens::tokenizer_lines;
use super::work::{LabelSource, PatchWork, RepositoryPatch, TokenWork};
use crate::chat::Sample;
use crate::error::{Error, Result};
use crate::repository::{Checkout, RepositoryFunction, read};
use crate::samples;
use crate::tokenizer::{LoadOptions, Role, load};

/// The patch against the Python files below a folder.
///
/// # Errors
/// A folder that cannot be read or holds no Python file; a name that the repository has already.
pub fn repository_patch(patch: &Patch, request: &RepositoryPatchRequest<'_>) -> Result<RepositoryPatch> {
    let checkout = Checkout::open(request.root)?;
    let reading = read(&checkout)?;
    let places = match Places::find(&checkout, &reading) {
        Ok(places) => places,
        Err(missing) => return Ok(RepositoryPatch { missing: vec![missing], ..RepositoryPatch::default() }),
    };
    let taken = places.taken(&checkout, &reading, patch)?;
    if !taken.is_empty() {
        if places.holds(&checkout, patch, &tokenizer_lines(request.setup, request.tokens))? {
            return Ok(RepositoryPatch::default());
        }
        return Err(Error::Usage(format!(
            "--name {}: the repository has this name already ({}); choose another one",
            patch.name,
            taken.join(", ")
        )));
    }
    let base = match request.load.legacy {
        // The wish reaches the script by a line of the patch, or not at all.
        Some(_) => {
            let options = LoadOptions { legacy: None, ..request.load };
            std::sync::Arc::new(load(&request.setup.base.name, &request.setup.base.files, options)?)
        }
        None => request.setup.base.clone(),
    };
    let call = ScriptCall {
        base,
        load: LoadOptions { legacy: None, loader: None, ..request.load },
        model_name: request.model_name.clone(),
        mm_use_im_start_end: request.setup.labelling.options.mm_use_im_start_end,
        script_arguments: request.script_arguments.clone(),
    };
    PatchWork { checkout: &checkout, reading: &reading, places, patch, request, call }.done()
}

impl PatchWork<'_> {
    fn done(&self) -> Result<RepositoryPatch> {
        let mut result = RepositoryPatch::default();
        let mut work = TokenWork::default();
        let promised = &self.request.setup.tokenizer;
        // First with the tokens of the set-up alone: what the script leaves otherwise comes to light by running it.
        let mut function = self.reach(&LabelSource::Own, &work)?;
        if function.as_ref().map_or(true, |f| !is_loaded_alike(f, promised)) && self.can_load() {
            work.loads = true;
            function = self.reach(&LabelSource::Own, &work)?;
        }
        match &function {
            Ok(function) => work.roles = other_roles(function, promised),
            // Not run: whatever the script sets is set again.
            Err(_) => work.roles = self.roles_of_the_script(),
        }
        if !work.roles.is_empty() {
            function = self.reach(&LabelSource::Own, &work)?;
        }
        let samples = self.samples();
        let (labels, proof) = match function {
            Ok(function) => self.labels(&function, &work, &samples)?,
            Err(why) => (LabelSource::Own, Err(why)),
        };
        self.said(&labels, &work, &proof, &mut result);
        let texts = self.insertions(&labels, &work)?.texts(self.checkout)?;
        let patched = self.checkout.clone().with_texts(texts.clone());
        self.stage_1(&patched, &work, &mut result);
        if matches!(&proof, Err(Unproven::Differs(_))) {
            // What is known to be wrong is not offered.
            return Ok(result);
        }
        if let Some(version) = self.changed_version(&patched)? {
            result.missing.push(format!(
                "no patch: with it --version {version} labels otherwise than before, since a name of the patch is one of the \
                 repository's; choose another --name"
            ));
            return Ok(result);
        }
        self.diff(&texts, &mut result)?;
        Ok(result)
    }

    /// The first other version whose labels of the pinned conversations the patch changes. The tokenizer is left as it is loaded:
    /// the patch's own lines for it have a condition.
    fn changed_version(&self, patched: &Checkout) -> Result<Option<String>> {
        let (pinned, reading) = (pins::pinned(), read(patched)?);
        let changes = |version: &&String| {
            labels_of(self.checkout, self.reading, version, &self.call, &pinned)
                != labels_of(patched, &reading, version, &self.call, &pinned)
        };
        Ok(self.places.registry.keys.iter().find(changes).cloned())
    }

    /// The function of the patched repository.
    fn reach(
        &self,
        labels: &LabelSource,
        work: &TokenWork,
    ) -> Result<std::result::Result<RepositoryFunction, Unproven>> {
        let texts = self.insertions(labels, work)?.texts(self.checkout)?;
        Ok(reached(self.checkout.clone().with_texts(texts), &self.patch.name, &self.call))
    }

    /// Who labels, and the comparison of that with what is promised.
    fn labels(
        &self,
        own: &RepositoryFunction,
        work: &TokenWork,
        samples: &[Sample],
    ) -> Result<(LabelSource, std::result::Result<Agreement, Unproven>)> {
        let setup = self.request.setup;
        let left = other_roles(own, &setup.tokenizer);
        if !left.is_empty() {
            let names: Vec<&str> = left.iter().map(|role| role.attribute()).collect();
            let why =
                format!("behind the script's own lines {} is not what the set-up has", names.join(", "));
            return Ok((LabelSource::Own, Err(Unproven::Differs(why))));
        }
        let proof = compared(own, setup, samples);
        let candidates =
            if self.request.own_function || proof.is_err() { Vec::new() } else { self.candidates() };
        for name in candidates {
            let labels = LabelSource::Existing(name);
            let Ok(function) = self.reach(&labels, work)? else { continue };
            if compared(&function, setup, samples) == proof {
                return Ok((labels, proof));
            }
        }
        Ok((LabelSource::Own, proof))
    }

    /// Functions of the dispatch's file that could label the version.
    fn candidates(&self) -> Vec<String> {
        let takes_all = |parameters: &[String]| {
            ["sources", "tokenizer", "has_image"].iter().all(|name| parameters.iter().any(|p| p == name))
        };
        let functions = self.reading.functions.iter().filter(|f| f.file == self.places.entry.file);
        functions
            .filter(|f| f.name.starts_with("preprocess_") && takes_all(&f.parameters))
            .map(|f| f.name.clone())
            .collect()
    }

    fn samples(&self) -> Vec<Sample> {
        let mut all = pins::pinned().to_vec();
        all.extend(samples::conversations().unwrap_or_default());
        all.extend(self.request.samples.iter().cloned());
        all
    }

    fn can_load(&self) -> bool {
        self.places.script.as_ref().is_some_and(|(_, script)| !script.loads.is_empty())
    }

    /// Roles of the set-up that the script sets, where it cannot be run.
    fn roles_of_the_script(&self) -> Vec<Role> {
        let Some((_, script)) = &self.places.script else { return Vec::new() };
        let given = |role: &Role| self.request.tokens.iter().any(|(known, _)| known == role);
        Role::ALL.into_iter().filter(|role| script.roles.contains(role.attribute()) && !given(role)).collect()
    }

    fn diff(&self, texts: &BTreeMap<String, String>, result: &mut RepositoryPatch) -> Result<()> {
        for (file, after) in texts {
            result.diff.push_str(&unified_diff(file, Some(&self.checkout.read(file)?), after));
            result.files.push(file.into());
        }
        let folder = if self.checkout.root().join("test").is_dir() { "test" } else { "tests" };
        let file = format!("{folder}/test_labels_of_{}.py", self.patch.name);
        if self.checkout.root().join(&file).exists() {
            result.missing.push(format!("{file} is there already, so the test has no place"));
            return Ok(());
        }
        let test = RepositoryTest {
            entry: &self.places.entry.file,
            dispatch: &self.places.entry.name,
            script: self.places.script.as_ref().map(|(file, _)| file.as_str()),
            library: &self.places.registry.file,
            registry: &self.places.registry.name,
            default: self.places.registry.default.as_deref().unwrap_or("default_conversation"),
            script_arguments: &self.request.script_arguments,
        };
        let text = pins::repository_pytest(self.request.setup, &self.patch.name, &test);
        result.diff.push_str(&unified_diff(&file, None, &text));
        result.files.push(file.into());
        Ok(())
    }
}
