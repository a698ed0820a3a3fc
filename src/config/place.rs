//! Where the file with the settings is.

use std::path::PathBuf;

/// The variable that names another file; empty for none at all.
const VARIABLE: &str = "MASKSCOPE_CONFIG";

/// Where settings are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigPlace {
    /// The usual file, which need not be there.
    Usual(PathBuf),
    /// A file that somebody named.
    Named(PathBuf),
    /// None.
    Nowhere,
}

impl ConfigPlace {
    /// The file of `--config`, else that of the variable, else the usual one.
    pub fn find(named: Option<PathBuf>) -> Self {
        Self::of(named, |name| std::env::var_os(name).map(PathBuf::from))
    }

    fn of(named: Option<PathBuf>, variable: impl Fn(&str) -> Option<PathBuf>) -> Self {
        match named.or_else(|| variable(VARIABLE)) {
            Some(path) if path.as_os_str().is_empty() => Self::Nowhere,
            Some(path) => Self::Named(path),
            None => usual(variable).map_or(Self::Nowhere, Self::Usual),
        }
    }

    /// The file, wherever it is looked for.
    pub fn path(&self) -> Option<&PathBuf> {
        match self {
            Self::Usual(path) | Self::Named(path) => Some(path),
            Self::Nowhere => None,
        }
    }
}

/// `config.toml` where the system keeps the settings of programs.
fn usual(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let set = |name: &str| variable(name).filter(|path| path.is_absolute());
    let folder = set("XDG_CONFIG_HOME").or_else(|| match std::env::consts::OS {
        "windows" => set("APPDATA"),
        "macos" => Some(set("HOME")?.join("Library/Application Support")),
        _ => Some(set("HOME")?.join(".config")),
    });
    Some(folder?.join("maskscope").join("config.toml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn the_nearest_wish_wins() {
        let of = |named: Option<&str>, vars: &'static [(&str, &str)]| {
            ConfigPlace::of(named.map(PathBuf::from), move |name| {
                vars.iter().find(|(n, _)| *n == name).map(|(_, v)| PathBuf::from(v))
            })
        };
        let all = &[("MASKSCOPE_CONFIG", "m"), ("XDG_CONFIG_HOME", "/x"), ("HOME", "/h")];
        assert_eq!(of(Some("o"), all), ConfigPlace::Named("o".into()));
        assert_eq!(of(None, all), ConfigPlace::Named("m".into()));
        assert_eq!(of(None, &all[1..]), ConfigPlace::Usual("/x/maskscope/config.toml".into()));
        assert_eq!(of(None, &all[2..]), ConfigPlace::Usual("/h/.config/maskscope/config.toml".into()));
        assert_eq!(of(None, &[("MASKSCOPE_CONFIG", ""), ("HOME", "/h")]), ConfigPlace::Nowhere);
        assert_eq!(of(None, &[]), ConfigPlace::Nowhere);
    }
}
