//! Where the pieces belong in a repository, and whether they are there already.

use super::insertion::{deeper, indented};
use super::pieces::Patch;
use super::python::python_string;
use crate::error::Result;
use crate::repository::{
    Argument, Checkout, DispatchEntry, DispatchKind, DispatchPlace, FunctionChoice, Reading, Registry,
    Script, dispatch_place, find, function_sets_roles, library_of, script, script_of,
};

/// Where the pieces belong.
pub(super) struct Places<'r> {
    pub(super) entry: DispatchEntry,
    /// The name under which the dispatch's file knows the conversation module.
    pub(super) library: &'r str,
    pub(super) registry: &'r Registry,
    pub(super) dispatch: DispatchPlace,
    pub(super) script: Option<(String, Script)>,
}

impl<'r> Places<'r> {
    pub(super) fn find(checkout: &Checkout, reading: &'r Reading) -> std::result::Result<Self, String> {
        let entry = find(checkout, reading, &FunctionChoice::default()).map_err(|error| {
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
        let script = script_of(reading, &entry).and_then(|file| {
            let sets_roles =
                |name: &str, argument: Argument<'_>| function_sets_roles(checkout, name, argument);
            Some((file.clone(), script(&checkout.read(&file).ok()?, &sets_roles)?))
        });
        Ok(Self { library, registry, dispatch, script, entry })
    }

    /// Where the repository has a function, a template, a key or a version of this name.
    pub(super) fn taken(&self, checkout: &Checkout, reading: &Reading, patch: &Patch) -> Result<Vec<String>> {
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
    pub(super) fn holds(&self, checkout: &Checkout, patch: &Patch, tokens: &str) -> Result<bool> {
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

    pub(super) fn choice(&self, name: &str) -> String {
        let default = self.registry.default.as_deref().unwrap_or("default_conversation");
        format!("if {}.{default}.version == {}:", self.library, python_string(name))
    }
}
