//! The tokenizers and data files that were loaded lately, newest first, in small files of the user's state folder.
//!
//! They are a convenience: a file that cannot be read is an empty list, and one that cannot be written is let be.

use std::path::{Path, PathBuf};

use crate::atomic_write::{self, Durability};

/// As many are kept.
const KEPT: usize = 20;

/// What a list is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecentKind {
    /// As `--tokenizer` takes them.
    Tokenizer,
    /// Absolute paths.
    Data,
}

impl RecentKind {
    fn file_name(self) -> &'static str {
        match self {
            Self::Tokenizer => "maskscope/recent.json",
            Self::Data => "maskscope/recent-data.json",
        }
    }
}

/// Where a list is: `$XDG_STATE_HOME/maskscope/recent.json`, or below `~/.local/state`.
fn file(kind: RecentKind, variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let state = variable("XDG_STATE_HOME").filter(|p| p.is_absolute());
    let state = state.or_else(|| Some(variable("HOME")?.join(".local/state")))?;
    Some(state.join(kind.file_name()))
}

fn environment(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from)
}

/// Where the set-up is kept that was open when the program ended last.
pub fn session_file() -> Option<PathBuf> {
    Some(file(RecentKind::Tokenizer, environment)?.with_file_name("session.toml"))
}

/// A list.
pub fn recent(kind: RecentKind) -> Vec<String> {
    let bytes = file(kind, environment).and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
    let mut list: Vec<String> = serde_json::from_slice(&bytes).unwrap_or_default();
    list.truncate(KEPT);
    list
}

/// Puts a name in front of a list.
pub fn remember(kind: RecentKind, name: &str) {
    let Some(path) = file(kind, environment) else { return };
    let mut list = recent(kind);
    list.retain(|known| known != name);
    list.insert(0, name.to_string());
    list.truncate(KEPT);
    // Nobody waits for this list; without it the dialog still works.
    let _ = serde_json::to_vec(&list).map_err(Into::into).and_then(|bytes| write_state(&path, &bytes));
}

/// Writes a file of the state folder, which may not be there yet. Two programs may write at once.
pub(super) fn write_state(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    atomic_write::write(path, bytes, Durability::Process)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_folder_is_that_of_the_system() {
        let of = |vars: &'static [(&str, &str)]| {
            file(RecentKind::Tokenizer, move |name| {
                vars.iter().find(|(n, _)| *n == name).map(|(_, v)| PathBuf::from(v))
            })
        };
        let home = Some(PathBuf::from("/h/.local/state/maskscope/recent.json"));
        assert_eq!(of(&[("HOME", "/h")]), home);
        assert_eq!(of(&[("HOME", "/h"), ("XDG_STATE_HOME", "relative")]), home);
        let own = of(&[("HOME", "/h"), ("XDG_STATE_HOME", "/s")]);
        assert_eq!(own, Some(PathBuf::from("/s/maskscope/recent.json")));
        assert_eq!(of(&[]), None);
    }
}
