//! The tokenizers that were loaded lately, newest first, in a small file of the user's state folder.
//!
//! It is a convenience: a file that cannot be read is an empty list, and one that cannot be written is let be.

use std::path::PathBuf;

use crate::atomic_write::{self, Durability};

/// As many are kept.
const KEPT: usize = 20;

/// Where the list is: `$XDG_STATE_HOME/maskscope/recent.json`, or below `~/.local/state`.
fn file(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let state = variable("XDG_STATE_HOME").filter(|p| p.is_absolute());
    let state = state.or_else(|| Some(variable("HOME")?.join(".local/state")))?;
    Some(state.join("maskscope/recent.json"))
}

fn environment(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from)
}

/// The list.
pub fn recent() -> Vec<String> {
    let bytes = file(environment).and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
    let mut list: Vec<String> = serde_json::from_slice(&bytes).unwrap_or_default();
    list.truncate(KEPT);
    list
}

/// Puts a tokenizer in front of the list.
pub fn remember(tokenizer: &str) {
    let Some(path) = file(environment) else { return };
    let mut list = recent();
    list.retain(|known| known != tokenizer);
    list.insert(0, tokenizer.to_string());
    list.truncate(KEPT);
    let write = || -> std::io::Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        // Two programs may write at once.
        atomic_write::write(&path, &serde_json::to_vec(&list)?, Durability::Process)
    };
    // Nobody waits for this list; without it the dialog still works.
    let _ = write();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_folder_is_that_of_the_system() {
        let of = |vars: &'static [(&str, &str)]| {
            file(move |name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| PathBuf::from(v)))
        };
        let home = Some(PathBuf::from("/h/.local/state/maskscope/recent.json"));
        assert_eq!(of(&[("HOME", "/h")]), home);
        assert_eq!(of(&[("HOME", "/h"), ("XDG_STATE_HOME", "relative")]), home);
        let own = of(&[("HOME", "/h"), ("XDG_STATE_HOME", "/s")]);
        assert_eq!(own, Some(PathBuf::from("/s/maskscope/recent.json")));
        assert_eq!(of(&[]), None);
    }
}
