//! The texts of a patch, put into the files of a repository.

use super::function;
use super::insertion::{Insertions, deeper, indented, line_end};
use super::places::Places;
use super::python::python_string;
use super::stage_1::STAGE_1;
use super::tokens::{adds_ids, role_line, tokenizer_lines};
use super::work::{LabelSource, PatchWork, TokenWork};
use crate::diagnose::arithmetic::Arithmetic;
use crate::error::{Error, Result};
use crate::repository::{DispatchPlace, Script, registry_place};
use crate::tokenizer::{Loader, Role};

/// The rows of the embedding grow where ids need them, and never shrink.
pub(super) const RESIZE: [&str; 2] = [
    "if len(tokenizer) > model.get_input_embeddings().num_embeddings:",
    "    model.resize_token_embeddings(len(tokenizer))",
];

impl PatchWork<'_> {
    pub(super) fn needs_lines(&self, work: &TokenWork) -> bool {
        work.loads || !work.roles.is_empty() || !self.request.tokens.is_empty()
    }

    /// The lines that give tokens to roles.
    pub(super) fn token_lines(&self, work: &TokenWork) -> String {
        let setup = self.request.setup;
        let mut lines = tokenizer_lines(setup, self.request.tokens);
        let given = |role: &Role| self.request.tokens.iter().any(|(known, _)| known == role);
        lines.extend(
            work.roles.iter().filter(|role| !given(role)).map(|role| role_line(&setup.tokenizer, *role)),
        );
        lines
    }

    pub(super) fn insertions(&self, labels: &LabelSource, work: &TokenWork) -> Result<Insertions> {
        let mut inserts = Insertions::default();
        self.put_function(labels, &mut inserts)?;
        self.put_template(&mut inserts)?;
        self.put_tokens(work, &mut inserts)?;
        Ok(inserts)
    }

    pub(super) fn put_function(&self, labels: &LabelSource, inserts: &mut Insertions) -> Result<()> {
        let Places { entry, dispatch, library, .. } = &self.places;
        let end = line_end(&self.checkout.read(&entry.file)?);
        let name = match labels {
            LabelSource::Existing(name) => name.clone(),
            LabelSource::Own => {
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

    pub(super) fn put_template(&self, inserts: &mut Insertions) -> Result<()> {
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

    pub(super) fn put_tokens(&self, work: &TokenWork, inserts: &mut Insertions) -> Result<()> {
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
    pub(super) fn condition(&self, script: &Script) -> Option<String> {
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
    pub(super) fn load_lines(&self, script: &Script) -> Option<String> {
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
}

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
