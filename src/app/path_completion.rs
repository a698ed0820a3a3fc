//! Paths that are typed: `~` stands for the home folder, and a key completes what is there.

use std::path::{MAIN_SEPARATOR, Path, PathBuf};

/// Names that are shown of those that fit.
const SHOWN: usize = 24;

/// What completing a text came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// The text that was completed.
    pub before: String,
    /// As far as all names that fit agree.
    pub after: String,
    /// The names that fit, where there are several; folders end with a separator.
    pub names: Vec<String>,
}

/// Completes the last part of a path by the names of its folder; `entries` gives those and says which are folders.
pub fn complete(typed: &str, entries: impl Fn(&Path) -> Vec<(String, bool)>) -> Completion {
    let cut = typed.rfind(['/', MAIN_SEPARATOR]).map_or(0, |at| at + 1);
    let (folder, start) = typed.split_at(cut);
    let place = if folder.is_empty() { PathBuf::from(".") } else { PathBuf::from(expanded(folder)) };
    let fits = |name: &str| name.starts_with(start) && (start.starts_with('.') || !name.starts_with('.'));
    let mut found = entries(&place);
    found.retain(|(name, _)| fits(name));
    found.sort();
    let names: Vec<String> = found
        .into_iter()
        .map(|(name, is_folder)| if is_folder { format!("{name}{MAIN_SEPARATOR}") } else { name })
        .collect();
    let shared = names.iter().skip(1).fold(names.first().cloned(), |shared, name| {
        let shared = shared?;
        let len: usize =
            shared.chars().zip(name.chars()).take_while(|(a, b)| a == b).map(|(c, _)| c.len_utf8()).sum();
        shared.get(..len).map(String::from)
    });
    let after = format!("{folder}{}", shared.as_deref().unwrap_or(start));
    let names = if names.len() > 1 { names.into_iter().take(SHOWN).collect() } else { Vec::new() };
    Completion { before: typed.to_string(), after, names }
}

/// The names of a folder; none of one that cannot be read.
pub fn entries(folder: &Path) -> Vec<(String, bool)> {
    let Ok(listing) = std::fs::read_dir(folder) else { return Vec::new() };
    let entry = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.ok()?;
        Some((entry.file_name().into_string().ok()?, entry.path().is_dir()))
    };
    listing.filter_map(entry).collect()
}

/// A path whose `~` at the beginning is the home folder, as a shell has it.
pub fn expanded(typed: &str) -> String {
    let home =
        std::env::var_os("HOME").and_then(|home| home.into_string().ok()).filter(|home| !home.is_empty());
    expanded_at(typed, home.as_deref())
}

fn expanded_at(typed: &str, home: Option<&str>) -> String {
    match (typed.strip_prefix('~'), home) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => format!("{home}{rest}"),
        _ => typed.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_completed_as_far_as_they_agree() {
        let there = |folder: &Path| match folder.to_str() {
            Some(".") => vec![("data".to_string(), true), (".hidden".to_string(), false)],
            Some("data/") => {
                vec![
                    ("train_a.json".to_string(), false),
                    ("train_b.json".to_string(), false),
                    ("x".to_string(), true),
                ]
            }
            _ => Vec::new(),
        };
        let done = |typed: &str| {
            let Completion { after, names, .. } = complete(typed, there);
            (after, names.len())
        };
        assert_eq!(done("d"), (format!("data{MAIN_SEPARATOR}"), 0));
        assert_eq!(done("data/t"), ("data/train_".to_string(), 2));
        assert_eq!(done("data/train_a"), ("data/train_a.json".to_string(), 0));
        assert_eq!(done("nothing/x"), ("nothing/x".to_string(), 0));
        assert_eq!(done(".h"), (".hidden".to_string(), 0));
    }

    #[test]
    fn the_home_folder_has_a_sign() {
        let home = Some("/h");
        assert_eq!(expanded_at("~/a", home), "/h/a");
        assert_eq!(expanded_at("~", home), "/h");
        assert_eq!(expanded_at("~other/a", home), "~other/a");
        assert_eq!(expanded_at("a~/b", home), "a~/b");
        assert_eq!(expanded_at("~/a", None), "~/a");
    }
}
