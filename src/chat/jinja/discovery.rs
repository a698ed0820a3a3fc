//! Where a model's chat templates are, in the order in which transformers looks.
//!
//! `chat_template.jinja` beside the tokenizer's configuration is the default template, and every
//! `additional_chat_templates/NAME.jinja` adds one by name. Without them the `chat_template` key of
//! `tokenizer_config.json` counts, a string or a list of `{name, template}`, and for processors
//! `chat_template.json` or the key in `processor_config.json`. Sources only: nothing is compiled here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::error::PythonException;
use super::limits::MAX_SOURCE;
use crate::error::{Error, Result};

/// Which of a model's templates to use, as `apply_chat_template(chat_template=…, tools=…)` picks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// A name asked for.
    pub name: Option<String>,
    /// Tools were given. An empty list counts: Python asks `tools is not None`.
    pub tools: bool,
}

/// A template's text and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateSource {
    pub text: String,
    /// File that holds it; several templates of a configuration share one.
    pub path: PathBuf,
}

/// The chat templates of one model, by name. A single unnamed template is called `default`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TemplateSet {
    templates: BTreeMap<String, TemplateSource>,
    /// There is one template without a name: it is used whatever is asked for.
    single: bool,
}

impl TemplateSet {
    /// The templates in a model's folder; empty when it has none.
    pub fn discover(folder: &Path) -> Result<Self> {
        let mut set = Self::from_files(folder)?;
        if set.templates.is_empty() {
            for (file, key) in [
                ("tokenizer_config.json", "chat_template"),
                ("chat_template.json", "chat_template"),
                ("processor_config.json", "chat_template"),
            ] {
                let path = folder.join(file);
                if let Some(config) = read_json(&path)? {
                    set = Self::from_config(config.get(key), &path)?;
                }
                if !set.templates.is_empty() {
                    break;
                }
            }
        }
        Ok(set)
    }

    /// One `.jinja` file.
    pub fn from_jinja_file(path: &Path) -> Result<Self> {
        let text =
            read_text(path)?.ok_or_else(|| Error::Usage(format!("{} is not there", path.display())))?;
        Ok(Self::single(text, path))
    }

    /// One template given as text; `path` is what messages call it.
    pub fn single(text: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        let source = TemplateSource { text: text.into(), path: path.into() };
        Self { templates: BTreeMap::from([("default".into(), source)]), single: true }
    }

    fn from_files(folder: &Path) -> Result<Self> {
        let path = folder.join("chat_template.jinja");
        let mut set = match read_text(&path)? {
            Some(text) => Self::single(text, path),
            None => Self::default(),
        };
        let Ok(entries) = std::fs::read_dir(folder.join("additional_chat_templates")) else { return Ok(set) };
        for path in entries.filter_map(|entry| entry.ok().map(|e| e.path())) {
            let name = path.file_name().and_then(|n| n.to_str()).and_then(|n| n.strip_suffix(".jinja"));
            if let (Some(name), Some(text)) = (name.map(str::to_string), read_text(&path)?) {
                set.templates.insert(name, TemplateSource { text, path });
                set.single = false;
            }
        }
        Ok(set)
    }

    /// The `chat_template` of a configuration: a string, a list of `{name, template}`, or a dict by name.
    pub fn from_config(value: Option<&Value>, path: &Path) -> Result<Self> {
        let bad = || Error::format(path, "chat_template is neither a string nor a list of {name, template}");
        match value {
            None | Some(Value::Null) => Ok(Self::default()),
            Some(Value::String(text)) => Ok(Self::single(text, path)),
            Some(Value::Array(list)) => {
                let mut set = Self::default();
                for entry in list {
                    let name = entry.get("name").and_then(Value::as_str).ok_or_else(bad)?;
                    let text = entry.get("template").and_then(Value::as_str).ok_or_else(bad)?;
                    set.add(name, text, path);
                }
                Ok(set)
            }
            Some(Value::Object(map)) => {
                let mut set = Self::default();
                for (name, text) in map {
                    set.add(name, text.as_str().ok_or_else(bad)?, path);
                }
                Ok(set)
            }
            Some(_) => Err(bad()),
        }
    }

    fn add(&mut self, name: &str, text: &str, path: &Path) {
        let source = TemplateSource { text: text.to_string(), path: path.to_path_buf() };
        self.templates.insert(name.to_string(), source);
    }

    /// Names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.templates.keys().map(String::as_str)
    }

    /// True when the model has no template.
    pub fn is_empty(&self) -> bool {
        self.templates.is_empty()
    }

    /// The template that transformers would take.
    ///
    /// # Errors
    /// `ValueError` in Python's words when there is none, or none of that name and no default.
    pub fn choose(&self, choice: &Choice) -> Result<&TemplateSource, PythonException> {
        if self.is_empty() {
            return Err(PythonException::new(
                "ValueError",
                "Cannot use chat template functions because tokenizer.chat_template is not set and no template \
                 argument was passed!",
            ));
        }
        if let Some(name) = &choice.name {
            return self
                .templates
                .get(name)
                .ok_or_else(|| self.unknown(&format!("no chat template is named {name:?}.")));
        }
        let tool_use = self.templates.get("tool_use").filter(|_| choice.tools && !self.single);
        tool_use
            .or_else(|| self.templates.get("default"))
            .ok_or_else(|| self.unknown("This model has multiple chat templates with no default specified!"))
    }

    fn unknown(&self, what: &str) -> PythonException {
        let names: Vec<&str> = self.names().collect();
        PythonException::new("ValueError", format!("{what} Available template names are {names:?}."))
    }
}

fn read_text(path: &Path) -> Result<Option<String>> {
    match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io(path, error)),
        Ok(meta) if !meta.is_file() => return Err(Error::format(path, "is not a regular file")),
        Ok(meta) if meta.len() > MAX_SOURCE => {
            return Err(Error::format(
                path,
                format!("{} bytes is too large for a chat template", meta.len()),
            ));
        }
        Ok(_) => {}
    }
    let bytes = std::fs::read(path).map_err(|error| Error::io(path, error))?;
    let text = String::from_utf8(bytes).map_err(|_| Error::format(path, "is not valid UTF-8"))?;
    Ok(Some(text))
}

fn read_json(path: &Path) -> Result<Option<Value>> {
    let Some(text) = read_text(path)? else { return Ok(None) };
    serde_json::from_str(&text).map(Some).map_err(|error| Error::json(path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn choice(name: Option<&str>, tools: bool) -> Choice {
        Choice { name: name.map(str::to_string), tools }
    }

    #[test]
    fn files_win_over_the_configuration() {
        let dir = tempfile::tempdir().unwrap();
        let config = json!({"chat_template": [{"name": "default", "template": "old"}]});
        std::fs::write(dir.path().join("tokenizer_config.json"), config.to_string()).unwrap();
        let set = TemplateSet::discover(dir.path()).unwrap();
        assert_eq!(set.choose(&Choice::default()).unwrap().text, "old");
        std::fs::write(dir.path().join("chat_template.jinja"), "new").unwrap();
        std::fs::create_dir(dir.path().join("additional_chat_templates")).unwrap();
        std::fs::write(dir.path().join("additional_chat_templates/tool_use.jinja"), "tools").unwrap();
        let set = TemplateSet::discover(dir.path()).unwrap();
        assert_eq!(set.choose(&Choice::default()).unwrap().text, "new");
        assert_eq!(set.choose(&choice(None, true)).unwrap().text, "tools");
        assert!(set.choose(&choice(Some("rag"), false)).is_err());
    }

    #[test]
    fn a_set_without_default_needs_a_name() {
        let list = json!([{"name": "rag", "template": "r"}, {"name": "tool_use", "template": "t"}]);
        let set = TemplateSet::from_config(Some(&list), Path::new("tokenizer_config.json")).unwrap();
        assert!(set.choose(&Choice::default()).unwrap_err().message.contains("rag"));
        assert_eq!(set.choose(&choice(Some("rag"), true)).unwrap().text, "r");
        assert_eq!(set.choose(&choice(None, true)).unwrap().text, "t");
    }
}
