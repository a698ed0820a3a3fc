//! Where a model's chat templates are, in the order in which transformers looks.
//!
//! `chat_template.jinja` beside the tokenizer's configuration is the default template, and every
//! `additional_chat_templates/NAME.jinja` adds one by name. Without them the `chat_template` key of
//! `tokenizer_config.json` counts, a string or a list of `{name, template}`, and for processors
//! `chat_template.json` or the key in `processor_config.json`. A GGUF file that stands for the whole tokenizer
//! holds its own. Sources only: nothing is compiled here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::error::PythonException;
use super::limits::MAX_SOURCE;
use crate::error::{Error, Result};
use crate::tokenizer::formats::gguf;
use crate::tokenizer::{CHAT_TEMPLATES, FileSet};

/// Which of a model's templates to use, as `apply_chat_template(chat_template=…, tools=…)` picks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TemplateQuery {
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
    /// The templates among a model's files; empty when it has none.
    ///
    /// # Errors
    /// Files that cannot be read or are not what they should be.
    pub fn discover(files: &FileSet) -> Result<Self> {
        let mut set = Self::of_jinja_files(files)?;
        for file in ["tokenizer_config.json", "chat_template.json", "processor_config.json"] {
            if !set.templates.is_empty() {
                break;
            }
            set = Self::of_config_file(files, file)?;
        }
        let own = !files.has("tokenizer_config.json") && !files.has("tokenizer.json");
        match files.find_suffix(".gguf").filter(|_| own && set.is_empty()) {
            Some(file) => Self::from_gguf(files, file),
            None => Ok(set),
        }
    }

    /// The templates in the header of a GGUF file: `tokenizer.chat_template`, and `tokenizer.chat_template.NAME` for
    /// those with a name.
    fn from_gguf(files: &FileSet, file: &str) -> Result<Self> {
        let path = files.path_of(file);
        let reader = files.open(file)?.ok_or_else(|| Error::format(&path, "the file is gone"))?;
        let metadata = gguf::read(reader, &path)?;
        let mut set = match metadata.text("chat_template") {
            Some(text) => Self::single(text, &path),
            None => Self::default(),
        };
        for (name, text) in metadata.texts_below("chat_template.") {
            set.add(name, text, &path);
            set.single = false;
        }
        Ok(set)
    }

    /// One `.jinja` file.
    ///
    /// # Errors
    /// A file that is not there, is too large or is no text.
    pub fn from_jinja_file(path: &Path) -> Result<Self> {
        let files = FileSet::single(path)?;
        let name = files.names().next().unwrap_or_default();
        let text = read_text(&files, name)?
            .ok_or_else(|| Error::Usage(format!("{} is not there", path.display())))?;
        Ok(Self::single(text, path))
    }

    /// One template given as text; `path` is what messages call it.
    pub fn single(text: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        let source = TemplateSource { text: text.into(), path: path.into() };
        Self { templates: BTreeMap::from([("default".into(), source)]), single: true }
    }

    /// The templates that transformers 4.37 takes: the one text of tokenizer_config.json, whatever stands beside it.
    ///
    /// # Errors
    /// As [`Self::discover`], and a list of named templates, which that release cannot compile.
    pub fn discover_4_37(files: &FileSet) -> Result<Self> {
        let set = Self::of_config_file(files, "tokenizer_config.json")?;
        match set.is_empty() || set.single {
            true => Ok(set),
            false => Err(Error::format(
                files.path_of("tokenizer_config.json"),
                "chat_template is a list of named templates, which transformers 4.37 cannot compile (TypeError: unhashable \
                 type: 'list'); give one with --template FILE, or take 4.57 or 5",
            )),
        }
    }

    /// The `chat_template` of one configuration among the files; empty where there is none.
    ///
    /// # Errors
    /// As [`Self::discover`].
    pub fn of_config_file(files: &FileSet, name: &str) -> Result<Self> {
        match files.json(name)? {
            Some(config) => Self::from_config(config.get("chat_template"), &files.path_of(name)),
            None => Ok(Self::default()),
        }
    }

    /// `chat_template.jinja` and the files of `additional_chat_templates`.
    ///
    /// # Errors
    /// As [`Self::discover`].
    pub fn of_jinja_files(files: &FileSet) -> Result<Self> {
        let file = "chat_template.jinja";
        let mut set = match read_text(files, file)? {
            Some(text) => Self::single(text, files.path_of(file)),
            None => Self::default(),
        };
        let named = |file: &str| Some(file.strip_prefix(CHAT_TEMPLATES)?.strip_suffix(".jinja")?.to_string());
        for (file, name) in files.names().filter_map(|file| Some((file, named(file)?))) {
            if let Some(text) = read_text(files, file)? {
                set.templates.insert(name, TemplateSource { text, path: files.path_of(file) });
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

    /// Names and texts, by name.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.templates.iter().map(|(name, source)| (name.as_str(), source.text.as_str()))
    }

    /// True where there is one template without a name.
    pub fn is_single(&self) -> bool {
        self.single
    }

    /// True when the model has no template.
    pub fn is_empty(&self) -> bool {
        self.templates.is_empty()
    }

    /// The template that transformers would take.
    ///
    /// # Errors
    /// `ValueError` in Python's words when there is none, or none of that name and no default.
    pub fn choose(&self, choice: &TemplateQuery) -> Result<&TemplateSource, PythonException> {
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

fn read_text(files: &FileSet, name: &str) -> Result<Option<String>> {
    if !files.has(name) {
        return Ok(None);
    }
    let path = files.path_of(name);
    let bytes = files.head(name, MAX_SOURCE + 1)?;
    if bytes.len() as u64 > MAX_SOURCE {
        let message = format!("more than {} MiB is too large for a chat template", MAX_SOURCE >> 20);
        return Err(Error::format(path, message));
    }
    String::from_utf8(bytes).map(Some).map_err(|_| Error::format(path, "is not valid UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn choice(name: Option<&str>, tools: bool) -> TemplateQuery {
        TemplateQuery { name: name.map(str::to_string), tools }
    }

    #[test]
    fn files_win_over_the_configuration() {
        let dir = tempfile::tempdir().unwrap();
        let config = json!({"chat_template": [{"name": "default", "template": "old"}]});
        std::fs::write(dir.path().join("tokenizer_config.json"), config.to_string()).unwrap();
        let set = TemplateSet::discover(&FileSet::folder(dir.path()).unwrap()).unwrap();
        assert_eq!(set.choose(&TemplateQuery::default()).unwrap().text, "old");
        std::fs::write(dir.path().join("chat_template.jinja"), "new").unwrap();
        std::fs::create_dir(dir.path().join("additional_chat_templates")).unwrap();
        std::fs::write(dir.path().join("additional_chat_templates/tool_use.jinja"), "tools").unwrap();
        let set = TemplateSet::discover(&FileSet::folder(dir.path()).unwrap()).unwrap();
        assert_eq!(set.choose(&TemplateQuery::default()).unwrap().text, "new");
        assert_eq!(set.choose(&choice(None, true)).unwrap().text, "tools");
        assert!(set.choose(&choice(Some("rag"), false)).is_err());
    }

    #[test]
    fn a_gguf_file_brings_its_own_unless_other_files_are_the_tokenizer() {
        let text = |text: &str| [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat();
        let entry = |key: &str, value: &str| [text(key), 8u32.to_le_bytes().to_vec(), text(value)].concat();
        let entries = [
            entry("tokenizer.ggml.model", "gpt2"),
            entry("tokenizer.chat_template", "plain"),
            entry("tokenizer.chat_template.tool_use", "tools"),
        ];
        let head = [&b"GGUF"[..], &3u32.to_le_bytes(), &0u64.to_le_bytes(), &3u64.to_le_bytes()].concat();
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("model.gguf");
        std::fs::write(&file, [head, entries.concat()].concat()).unwrap();
        for files in [FileSet::single(&file).unwrap(), FileSet::folder(dir.path()).unwrap()] {
            let set = TemplateSet::discover(&files).unwrap();
            assert_eq!(set.choose(&TemplateQuery::default()).unwrap().text, "plain");
            assert_eq!(set.choose(&choice(None, true)).unwrap().text, "tools");
        }
        std::fs::write(dir.path().join("tokenizer.json"), "{}").unwrap();
        assert!(TemplateSet::discover(&FileSet::folder(dir.path()).unwrap()).unwrap().is_empty());
    }

    #[test]
    fn release_4_37_reads_one_text_of_the_configuration() {
        let dir = tempfile::tempdir().unwrap();
        let write = |config: serde_json::Value| {
            std::fs::write(dir.path().join("tokenizer_config.json"), config.to_string()).unwrap();
            TemplateSet::discover_4_37(&FileSet::folder(dir.path()).unwrap())
        };
        std::fs::write(dir.path().join("chat_template.jinja"), "new").unwrap();
        assert!(write(json!({})).unwrap().is_empty());
        let old = write(json!({"chat_template": "old"})).unwrap();
        assert_eq!(old.choose(&TemplateQuery::default()).unwrap().text, "old");
        let list = write(json!({"chat_template": [{"name": "default", "template": "old"}]}));
        assert!(list.unwrap_err().to_string().contains("unhashable type: 'list'"));
    }

    #[test]
    fn a_set_without_default_needs_a_name() {
        let list = json!([{"name": "rag", "template": "r"}, {"name": "tool_use", "template": "t"}]);
        let set = TemplateSet::from_config(Some(&list), Path::new("tokenizer_config.json")).unwrap();
        assert!(set.choose(&TemplateQuery::default()).unwrap_err().message.contains("rag"));
        assert_eq!(set.choose(&choice(Some("rag"), true)).unwrap().text, "r");
        assert_eq!(set.choose(&choice(None, true)).unwrap().text, "t");
    }
}
