//! What the file of settings may say.

use std::path::{Path, PathBuf};

use super::document::{TomlEntry, TomlFile, TomlValue};
use super::place::ConfigPlace;
use crate::error::Result;

/// The ground that colours are chosen for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThemeChoice {
    Dark,
    Light,
}

/// Other keys for an act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyWish {
    /// Where it has them: a heading of the table of keys.
    pub place: String,
    /// The act, by its name in the table of keys.
    pub act: String,
    pub keys: Vec<String>,
    /// The line that says so.
    pub line: usize,
}

/// A person's own settings; what is not set stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// The file that they were read from.
    pub file: Option<TomlFile>,
    pub theme: Option<ThemeChoice>,
    pub tokenizer: Option<String>,
    pub data: Option<PathBuf>,
    pub offline: Option<bool>,
    pub cache_dir: Option<PathBuf>,
    pub endpoint: Option<String>,
    pub keys: Vec<KeyWish>,
}

impl Settings {
    /// The settings of a place; none where the usual file is not there.
    ///
    /// # Errors
    /// A file that was named and is not there, and one that says what nobody understands.
    pub fn load(place: &ConfigPlace) -> Result<Self> {
        match place {
            ConfigPlace::Nowhere => Ok(Self::default()),
            ConfigPlace::Usual(path) if !path.exists() => Ok(Self::default()),
            ConfigPlace::Usual(path) | ConfigPlace::Named(path) => Self::of(TomlFile::read(path)?),
        }
    }

    fn of(file: TomlFile) -> Result<Self> {
        let mut settings = Self::default();
        for entry in &file.entries {
            match entry.key.as_str() {
                "theme" => settings.theme = theme(&file, entry)?,
                "tokenizer" => settings.tokenizer = Some(beside_or_as_is(&file, &text(&file, entry)?)),
                "data" => settings.data = Some(beside(&file.path, &text(&file, entry)?)),
                "hub" => settings.hub(&file, table(&file, entry)?)?,
                "keys" => {
                    for place in table(&file, entry)? {
                        settings.keys_of(&file, place)?;
                    }
                }
                _ => return Err(file.unknown(entry, &["theme", "tokenizer", "data", "hub", "keys"])),
            }
        }
        settings.file = Some(file);
        Ok(settings)
    }

    fn hub(&mut self, file: &TomlFile, entries: &[TomlEntry]) -> Result<()> {
        for entry in entries {
            match (entry.key.as_str(), &entry.value) {
                ("offline", TomlValue::Flag(flag)) => self.offline = Some(*flag),
                ("offline", _) => return Err(file.wrong(entry, "true or false")),
                ("cache_dir", _) => self.cache_dir = Some(beside(&file.path, &text(file, entry)?)),
                ("endpoint", _) => self.endpoint = Some(text(file, entry)?),
                _ => return Err(file.unknown(entry, &["offline", "cache_dir", "endpoint"])),
            }
        }
        Ok(())
    }

    fn keys_of(&mut self, file: &TomlFile, place: &TomlEntry) -> Result<()> {
        for act in table(file, place)? {
            let keys = match &act.value {
                TomlValue::Text(key) => vec![key.clone()],
                TomlValue::Texts(keys) if !keys.is_empty() => keys.clone(),
                _ => {
                    return Err(
                        file.wrong(act, "a key or a list of keys, such as \"x\" or [\"x\", \"ctrl-x\"]")
                    );
                }
            };
            let (place, name) = (place.key.clone(), act.key.clone());
            self.keys.push(KeyWish { place, act: name, keys, line: act.line });
        }
        Ok(())
    }
}

fn theme(file: &TomlFile, entry: &TomlEntry) -> Result<Option<ThemeChoice>> {
    match text(file, entry)?.as_str() {
        "auto" => Ok(None),
        "dark" => Ok(Some(ThemeChoice::Dark)),
        "light" => Ok(Some(ThemeChoice::Light)),
        _ => Err(file.wrong(entry, "\"auto\", \"dark\" or \"light\"")),
    }
}

fn text(file: &TomlFile, entry: &TomlEntry) -> Result<String> {
    match &entry.value {
        TomlValue::Text(text) if !text.is_empty() => Ok(text.clone()),
        _ => Err(file.wrong(entry, "a text")),
    }
}

fn table<'a>(file: &TomlFile, entry: &'a TomlEntry) -> Result<&'a [TomlEntry]> {
    match &entry.value {
        TomlValue::Table(entries) => Ok(entries),
        _ => Err(file.wrong(entry, &format!("a table: write [{}]", entry.key))),
    }
}

/// A path of a file, from the file's folder.
fn beside(file: &Path, path: &str) -> PathBuf {
    // Addresses are no paths.
    if path.contains("://") {
        return PathBuf::from(path);
    }
    file.parent().unwrap_or(Path::new("")).join(path)
}

/// What is there beside the file; any other text may be the name of something elsewhere.
fn beside_or_as_is(file: &TomlFile, text: &str) -> String {
    let path = beside(&file.path, text);
    if path.exists() { path.display().to_string() } else { text.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings> {
        Settings::of(TomlFile::parse(Path::new("/c/config.toml"), text)?)
    }

    #[test]
    fn settings_are_read_and_paths_are_beside_the_file() {
        let text = "theme = 'light'\ntokenizer = 'org/name'\ndata = 'a.json'\n[hub]\noffline = true\n\
                    [keys.Everywhere]\n'next sample' = ['J', 'right']\n";
        let settings = read(text).expect("settings");
        assert_eq!((settings.theme, settings.offline), (Some(ThemeChoice::Light), Some(true)));
        assert_eq!(settings.tokenizer.as_deref(), Some("org/name"));
        assert_eq!(settings.data, Some("/c/a.json".into()));
        assert_eq!((settings.keys[0].act.as_str(), settings.keys[0].line), ("next sample", 7));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (text, part) in [
            ("them = 'dark'", "line 1: unknown key \"them\"; did you mean \"theme\"?"),
            ("theme = 'blue'", "line 1: \"theme\" takes \"auto\", \"dark\" or \"light\""),
            ("\n[hub]\nofline = true", "line 3: unknown key \"ofline\"; did you mean \"offline\"?"),
            ("[keys.Everywhere]\nquit = 3", "line 2: \"quit\" takes a key"),
            ("keys = 'x'", "line 1: \"keys\" takes a table"),
        ] {
            let error = read(text).expect_err(text).to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
