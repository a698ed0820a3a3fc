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
use std::path::{Path, PathBuf};

use super::function;
use super::insertion::{Insertions, indented, line_end, unified_diff};
use super::pieces::Patch;
use super::pins::{self, RepositoryTest};
use super::proof::{
    Agreement, ScriptCall, Unproven, compared, is_loaded_alike, labels_of, other_roles, reached,
};
use super::python::python_string;
use super::tokens::{TokenLines, adds_ids, role_line, tokenizer_lines};
use crate::chat::Sample;
use crate::diagnose::arithmetic::Arithmetic;
use crate::error::{Error, Result};
use crate::repository::{
    Checkout, Choice, DispatchKind, DispatchPlace, Entry, Reading, Registry, RepositoryFunction, Script,
    dispatch_place, find, library_of, read, registry_place, script, script_of,
};
use crate::samples;
use crate::setup::LlavaSetup;
use crate::tokenizer::{LoadOptions, Loader, Role, load};

/// The version of image pre-training, whose tokenizer must be the same.
const STAGE_1: &str = "plain";

/// What a patch of a repository is made for.
#[derive(Debug, Clone)]
pub struct RepositoryPatchRequest<'a> {
    pub root: &'a Path,
    pub setup: &'a LlavaSetup,
    pub tokens: &'a TokenLines,
    /// How the set-up's tokenizer was loaded.
    pub load: LoadOptions,
    /// The model's name or path, which a condition for stage 1 looks for.
    pub model_name: String,
    pub script_arguments: Vec<(String, String)>,
    /// A new function even where one of the repository does the same.
    pub own_function: bool,
    /// Samples to compare on, beside the embedded ones.
    pub samples: &'a [Sample],
}

/// The diff, and what could not be placed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RepositoryPatch {
    /// For `git apply` or `patch -p1`, from the root of the repository.
    pub diff: String,
    /// Files that it changes.
    pub files: Vec<PathBuf>,
    /// Pieces without a place and promises that are not kept, in sentences. Where there are any, the work is not done.
    pub missing: Vec<String>,
    /// What was chosen and what was shown.
    pub notes: Vec<String>,
}

/// How the version's samples are labelled.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Labels {
    /// By a function of the repository.
    Existing(String),
    /// By the patch's own.
    Own,
}

/// What the lines behind the script's own must do.
#[derive(Debug, Clone, Default)]
struct TokenWork {
    /// The script loads another class, or none.
    loads: bool,
    /// Roles that the script leaves otherwise than the set-up has them.
    roles: Vec<Role>,
}

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
        script_arguments: request.script_arguments.clone(),
    };
    Work { checkout: &checkout, reading: &reading, places, patch, request, call }.done()
}

/// Where the pieces belong.
struct Places<'r> {
    entry: Entry,
    /// The name under which the dispatch's file knows the conversation module.
    library: &'r str,
    registry: &'r Registry,
    dispatch: DispatchPlace,
    script: Option<(String, Script)>,
}

impl<'r> Places<'r> {
    fn find(checkout: &Checkout, reading: &'r Reading) -> std::result::Result<Self, String> {
        let entry = find(checkout, reading, &Choice::default()).map_err(|error| {
            format!("{error}. A patch needs the dispatch `def preprocess(sources, tokenizer, has_image=False)` and the table `conv_templates`")
        })?;
        let kind = reading.dispatches.iter().find(|d| d.file == entry.file && d.name == entry.name);
        let (file, line, name) = (&entry.file, entry.line, &entry.name);
        if kind.is_none_or(|dispatch| dispatch.kind != DispatchKind::Function) {
            return Err(format!(
                "{file}:{line}: {name} makes labels in another way than by functions preprocess_NAME(sources, tokenizer, has_image), \
                 so there is no place for one; bring the backbone in as the classes beside it are"
            ));
        }
        let Some((library, registry)) = library_of(checkout, reading, file) else {
            return Err(format!(
                "{file}: no module with a table such as `conv_templates = {{` is imported here"
            ));
        };
        let text = checkout.read(file).map_err(|error| error.to_string())?;
        let dispatch = dispatch_place(&text, name, library)
            .ok_or_else(|| format!("{file}:{line}: {name}() has no statement to stand before"))?;
        for needed in ["sources", "tokenizer", "has_image"] {
            if !dispatch.parameters.iter().any(|(name, _)| name == needed) {
                return Err(format!(
                    "{file}:{line}: {name}() has no parameter {needed}, which the patch's function needs"
                ));
            }
        }
        let script = script_of(reading, &entry)
            .and_then(|file| Some((file.clone(), script(&checkout.read(&file).ok()?)?)));
        Ok(Self { library, registry, dispatch, script, entry })
    }

    /// Where the repository has a function, a template, a key or a version of this name.
    fn taken(&self, checkout: &Checkout, reading: &Reading, patch: &Patch) -> Result<Vec<String>> {
        let name = &patch.name;
        let mut taken = Vec::new();
        for function in reading.functions.iter().filter(|f| f.name == format!("preprocess_{name}")) {
            taken.push(format!("{}:{}", function.file, function.line));
        }
        for registry in reading.registries.iter().filter(|r| r.name == self.registry.name) {
            if registry.keys.contains(name) {
                taken.push(format!("{}:{} {}", registry.file, registry.line, registry.name));
            }
        }
        let text = checkout.read(&self.registry.file)?;
        let template = format!("conv_{name}");
        let version = format!("version={}", python_string(name));
        for (at, line) in text.lines().enumerate() {
            let starts = line.strip_prefix(&template);
            let is_template = starts.is_some_and(|rest| rest.trim_start().starts_with(['=', ':']));
            let code: String = line
                .chars()
                .filter(|c| !c.is_whitespace())
                .map(|c| if c == '\'' { '"' } else { c })
                .collect();
            if is_template || code.starts_with(&version) {
                taken.push(format!("{}:{}", self.registry.file, at + 1));
            }
        }
        Ok(taken)
    }

    /// True where this patch was applied before: template, choice and the tokenizer's lines stand there as they would be written.
    fn holds(&self, checkout: &Checkout, patch: &Patch, tokens: &str) -> Result<bool> {
        let stands = |file: &str, piece: &str| -> Result<bool> {
            let text = checkout.read(file)?;
            let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
            let wanted: Vec<&str> = piece.trim_end().lines().collect();
            Ok(lines.windows(wanted.len()).any(|window| window.iter().zip(&wanted).all(|(a, b)| a == b)))
        };
        let choice = format!("{}{}", self.dispatch.indent, self.choice(&patch.name));
        let block =
            self.script.as_ref().filter(|_| !tokens.is_empty()).map(|(file, script)| {
                (file, indented(tokens, &deeper(&script.indent, &script.indent), "\n"))
            });
        let has_tokens = block.map_or(Ok(true), |(file, block)| stands(file, &block))?;
        Ok(has_tokens && stands(&self.registry.file, &patch.template)? && stands(&self.entry.file, &choice)?)
    }

    fn choice(&self, name: &str) -> String {
        let default = self.registry.default.as_deref().unwrap_or("default_conversation");
        format!("if {}.{default}.version == {}:", self.library, python_string(name))
    }
}

struct Work<'a> {
    checkout: &'a Checkout,
    reading: &'a Reading,
    places: Places<'a>,
    patch: &'a Patch,
    request: &'a RepositoryPatchRequest<'a>,
    call: ScriptCall,
}

impl Work<'_> {
    fn done(&self) -> Result<RepositoryPatch> {
        let mut result = RepositoryPatch::default();
        let mut work = TokenWork::default();
        let promised = &self.request.setup.tokenizer;
        // First with the tokens of the set-up alone: what the script leaves otherwise comes to light by running it.
        let mut function = self.reach(&Labels::Own, &work)?;
        if function.as_ref().map_or(true, |f| !is_loaded_alike(f, promised)) && self.can_load() {
            work.loads = true;
            function = self.reach(&Labels::Own, &work)?;
        }
        match &function {
            Ok(function) => work.roles = other_roles(function, promised),
            // Not run: whatever the script sets is set again.
            Err(_) => work.roles = self.roles_of_the_script(),
        }
        if !work.roles.is_empty() {
            function = self.reach(&Labels::Own, &work)?;
        }
        let samples = self.samples();
        let (labels, proof) = match function {
            Ok(function) => self.labels(&function, &work, &samples)?,
            Err(why) => (Labels::Own, Err(why)),
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
        labels: &Labels,
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
    ) -> Result<(Labels, std::result::Result<Agreement, Unproven>)> {
        let setup = self.request.setup;
        let left = other_roles(own, &setup.tokenizer);
        if !left.is_empty() {
            let names: Vec<&str> = left.iter().map(|role| role.attribute()).collect();
            let why =
                format!("behind the script's own lines {} is not what the set-up has", names.join(", "));
            return Ok((Labels::Own, Err(Unproven::Differs(why))));
        }
        let proof = compared(own, setup, samples);
        let candidates =
            if self.request.own_function || proof.is_err() { Vec::new() } else { self.candidates() };
        for name in candidates {
            let labels = Labels::Existing(name);
            let Ok(function) = self.reach(&labels, work)? else { continue };
            if compared(&function, setup, samples) == proof {
                return Ok((labels, proof));
            }
        }
        Ok((Labels::Own, proof))
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

    /// What was chosen, what was shown, and what is left to do.
    fn said(
        &self,
        labels: &Labels,
        work: &TokenWork,
        proof: &std::result::Result<Agreement, Unproven>,
        result: &mut RepositoryPatch,
    ) {
        let name = &self.patch.name;
        if let Labels::Existing(existing) = labels {
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

    /// Stage 1 must find the same tokens.
    fn stage_1(&self, patched: &Checkout, work: &TokenWork, result: &mut RepositoryPatch) {
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
        match function.map(|f| other_roles(&f, &self.request.setup.tokenizer)) {
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

    fn has_stage_1(&self) -> bool {
        let has_path = self.places.script.as_ref().is_some_and(|(_, script)| script.path.is_some());
        has_path && self.places.registry.keys.iter().any(|key| key == STAGE_1)
    }

    /// What a path of this model has in it: the last part of its name. `None` where that says nothing, as "." does.
    fn needle(&self) -> Option<String> {
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

    fn needs_lines(&self, work: &TokenWork) -> bool {
        work.loads || !work.roles.is_empty() || !self.request.tokens.is_empty()
    }

    /// The lines that give tokens to roles.
    fn token_lines(&self, work: &TokenWork) -> String {
        let setup = self.request.setup;
        let mut lines = tokenizer_lines(setup, self.request.tokens);
        let given = |role: &Role| self.request.tokens.iter().any(|(known, _)| known == role);
        lines.extend(
            work.roles.iter().filter(|role| !given(role)).map(|role| role_line(&setup.tokenizer, *role)),
        );
        lines
    }

    fn insertions(&self, labels: &Labels, work: &TokenWork) -> Result<Insertions> {
        let mut inserts = Insertions::default();
        self.put_function(labels, &mut inserts)?;
        self.put_template(&mut inserts)?;
        self.put_tokens(work, &mut inserts)?;
        Ok(inserts)
    }

    fn put_function(&self, labels: &Labels, inserts: &mut Insertions) -> Result<()> {
        let Places { entry, dispatch, library, .. } = &self.places;
        let end = line_end(&self.checkout.read(&entry.file)?);
        let name = match labels {
            Labels::Existing(name) => name.clone(),
            Labels::Own => {
                let setup = self.request.setup;
                let rule = setup.labelling.rule;
                let two = rule
                    .two()
                    .ok_or_else(|| Error::Usage(format!("{}: no two-separator rule", rule.name())))?;
                let later = Arithmetic::of(setup, false).map_or(0, |arithmetic| arithmetic.later);
                let text = function::function(two, later, &signature(dispatch, &self.patch.name));
                let text = text.replace("conversation_lib.", &format!("{library}."));
                inserts.put(
                    &entry.file,
                    dispatch.function,
                    format!("{}{end}{end}", indented(&text, "", end)),
                );
                format!("preprocess_{}", self.patch.name)
            }
        };
        let (indent, choice) = (&dispatch.indent, self.places.choice(&self.patch.name));
        let inner = deeper(indent, indent);
        let text = format!(
            "{indent}{choice}{end}{inner}return {name}(sources, tokenizer, has_image=has_image){end}"
        );
        inserts.put(&entry.file, dispatch.choice, text);
        Ok(())
    }

    fn put_template(&self, inserts: &mut Insertions) -> Result<()> {
        let registry = self.places.registry;
        let text = self.checkout.read(&registry.file)?;
        let end = line_end(&text);
        let entry = self.patch.registration.trim().trim_end_matches(',');
        let Some(place) = registry_place(&text, &registry.name, entry, end) else {
            return Err(Error::Usage(format!(
                "{}:{}: {} is no dictionary written out, so an entry has no place in it",
                registry.file, registry.line, registry.name
            )));
        };
        let template = indented(self.patch.template.trim_end(), "", end);
        inserts.put(&registry.file, place.before, format!("{template}{end}"));
        for (at, piece) in place.inserts {
            inserts.put(&registry.file, at, piece);
        }
        Ok(())
    }

    fn put_tokens(&self, work: &TokenWork, inserts: &mut Insertions) -> Result<()> {
        let Some((file, script)) = &self.places.script else { return Ok(()) };
        let Some(condition) = self.condition(script).filter(|_| self.needs_lines(work)) else {
            return Ok(());
        };
        let end = line_end(&self.checkout.read(file)?);
        let inner = deeper(&script.indent, &script.indent);
        let block =
            |lines: &str| format!("{}{condition}{end}{}", script.indent, indented(lines, &inner, end));
        if work.loads
            && let Some(lines) = self.load_lines(script)
        {
            inserts.put(file, script.after_loads, block(&lines));
        }
        let mut lines = self.token_lines(work);
        if !lines.is_empty() {
            lines.extend(script.copied.iter().map(|copied| format!("{copied}\n")));
        }
        let resize = format!("{}\n", RESIZE.join("\n"));
        let resize_at = script.after_model.filter(|_| adds_ids(self.request.setup));
        if resize_at == Some(script.after_changes) {
            lines.push_str(&resize);
        } else if let Some(at) = resize_at {
            inserts.put(file, at, block(&resize));
        }
        if !lines.is_empty() {
            inserts.put(file, script.after_changes, block(&lines));
        }
        Ok(())
    }

    /// The version, and in stage 1 the model's path.
    fn condition(&self, script: &Script) -> Option<String> {
        let arguments = script.arguments.as_ref()?;
        let version = format!("{arguments}.version == {}", python_string(&self.patch.name));
        Some(match (&script.path, self.needle()) {
            (Some(path), Some(needle)) if self.has_stage_1() => format!(
                "if {version} or ({arguments}.version == \"{STAGE_1}\" and {} in {path}.lower()):",
                python_string(&needle)
            ),
            _ => format!("if {version}:"),
        })
    }

    /// A loading as the script writes it, of the class and in the way of the set-up.
    fn load_lines(&self, script: &Script) -> Option<String> {
        let facts = &self.request.setup.tokenizer.facts;
        let known = script.load_of(&facts.name)?;
        let import =
            script.imports.iter().find(|(bound, _)| known.callee == format!("{bound}.from_pretrained"));
        let fast = if facts.loader == Loader::Fast { "True" } else { "False" };
        let mut keywords: Vec<(String, String)> = known.keywords.clone();
        let mut set = |name: &str, value: &str| match keywords.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = value.to_string(),
            None => keywords.push((name.to_string(), value.to_string())),
        };
        set("use_fast", fast);
        if let Some(legacy) = self.request.load.legacy {
            set("legacy", if legacy { "True" } else { "False" });
        }
        let own_class = known.callee == format!("{}.from_pretrained", facts.name);
        if !facts.can_add_tokens && !own_class {
            set("trust_remote_code", "True");
        }
        let mut lines = import.map_or(String::new(), |(_, import)| format!("{import}\n"));
        lines.push_str(&format!("tokenizer = {}(\n", known.callee));
        known.positional.iter().for_each(|value| lines.push_str(&format!("    {value},\n")));
        for (name, value) in &keywords {
            let joint = if name == "**" { "" } else { "=" };
            lines.push_str(&format!("    {name}{joint}{value},\n"));
        }
        lines.push_str(")\n");
        Some(lines)
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

/// The rows of the embedding grow where ids need them, and never shrink.
const RESIZE: [&str; 2] = [
    "if len(tokenizer) > model.get_input_embeddings().num_embeddings:",
    "    model.resize_token_embeddings(len(tokenizer))",
];

/// The head of a new function, written as that of the dispatch is.
fn signature(dispatch: &DispatchPlace, name: &str) -> String {
    let parameters: Vec<&str> = ["sources", "tokenizer", "has_image"]
        .iter()
        .filter_map(|needed| dispatch.parameters.iter().find(|(name, _)| name == needed))
        .map(|(_, text)| text.as_str())
        .collect();
    match &dispatch.returns {
        Some(returns) => {
            format!("def preprocess_{name}(\n    {},\n) -> {returns}:\n", parameters.join(",\n    "))
        }
        None => format!("def preprocess_{name}({}):\n", parameters.join(", ")),
    }
}

/// One level more than `indent`, by the unit of the file.
fn deeper(indent: &str, unit: &str) -> String {
    let unit = if unit.contains('\t') { "\t" } else { "    " };
    format!("{indent}{unit}")
}
