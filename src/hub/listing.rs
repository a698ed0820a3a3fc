//! The files of a repository at one revision, as the hub lists them, and which of them are wanted.

use serde::Deserialize;

use super::commit::is_commit;
use crate::tokenizer::CHAT_TEMPLATES;

/// More wanted files than any model has: a repository that names more is refused.
pub(super) const MAX_WANTED_FILES: usize = 2000;

/// Tokenizer files with a fixed name.
const TOKENIZER_FILES: &[&str] = &[
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
    "tekken.json",
    "chat_template.jinja",
    "chat_template.json",
    "processor_config.json",
    "preprocessor_config.json",
    "generation_config.json",
    "config.json",
];

/// Endings of tokenizer files that each model names in its own way (`spiece.model`, `qwen.tiktoken`).
const TOKENIZER_ENDINGS: &[&str] = &[".model", ".tiktoken"];

/// True for the files of a repository that a tokenizer may be made from, and its chat templates.
pub fn is_tokenizer_file(name: &str) -> bool {
    let by_ending = TOKENIZER_ENDINGS.iter().any(|ending| name.ends_with(ending));
    let is_chat_template =
        name.strip_prefix(CHAT_TEMPLATES).is_some_and(|rest| !rest.contains('/') && rest.ends_with(".jinja"));
    is_chat_template || !name.contains('/') && (by_ending || TOKENIZER_FILES.contains(&name))
}

/// Which files of a repository to fetch, by their path in it.
#[derive(Clone, Copy)]
pub enum WantedFiles<'a> {
    /// Every file that the function takes; at least one.
    Matching(&'a dyn Fn(&str) -> bool),
    /// Exactly these; each must be there.
    Named(&'a [&'a str]),
}

impl WantedFiles<'static> {
    /// The files of [`is_tokenizer_file`].
    pub fn tokenizer() -> Self {
        Self::Matching(&is_tokenizer_file)
    }
}

impl WantedFiles<'_> {
    pub(super) fn takes(&self, file: &str) -> bool {
        match self {
            Self::Matching(takes) => takes(file),
            Self::Named(names) => names.contains(&file),
        }
    }

    /// The first named file that `files` does not hold.
    pub(super) fn missing_from(&self, files: &[String]) -> Option<&str> {
        match self {
            Self::Matching(_) => None,
            Self::Named(names) => names.iter().copied().find(|name| !files.iter().any(|file| file == name)),
        }
    }
}

impl std::fmt::Debug for WantedFiles<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Matching(_) => f.write_str("Matching(_)"),
            Self::Named(names) => f.debug_tuple("Named").field(names).finish(),
        }
    }
}

/// What `api/models/ID/revision/REV` tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HubListing {
    /// The commit that the revision stands for; checked by [`is_commit`].
    pub(super) commit: String,
    /// Paths in the repository, sorted, each once; checked by [`is_safe_path`].
    pub(super) files: Vec<String>,
}

#[derive(Deserialize)]
struct ModelInfo {
    sha: String,
    #[serde(default)]
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
}

impl HubListing {
    /// Reads the JSON of the hub. Names that could leave the cache folder are dropped.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the answer.
    pub(super) fn parse(json: &str) -> Result<Self, String> {
        let info: ModelInfo = serde_json::from_str(json).map_err(|e| e.to_string())?;
        if !is_commit(&info.sha) {
            return Err("its `sha` is no commit".to_string());
        }
        let mut files: Vec<String> = info.siblings.into_iter().map(|s| s.rfilename).collect();
        files.retain(|file| is_safe_path(file));
        files.sort();
        files.dedup();
        Ok(Self { commit: info.sha, files })
    }
}

/// True for a relative path that stays below its folder on every system.
fn is_safe_path(path: &str) -> bool {
    let safe_part =
        |part: &str| !part.is_empty() && part.trim_end_matches(['.', ' ']) == part && part.len() <= 255;
    let safe_char = |c: char| !c.is_control() && !"\\:*?\"<>|".contains(c);
    path.split('/').all(safe_part) && path.chars().all(safe_char)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_a_tokenizer() {
        for name in [
            "tokenizer.json",
            "spiece.model",
            "qwen.tiktoken",
            "config.json",
            "additional_chat_templates/rag.jinja",
        ] {
            assert!(is_tokenizer_file(name), "{name}");
        }
        for name in [
            "model.safetensors",
            "a/tokenizer.json",
            "additional_chat_templates/a/b.jinja",
            "README.md",
            "tokenizer.py",
            "x.model.bin",
        ] {
            assert!(!is_tokenizer_file(name), "{name}");
        }
    }

    #[test]
    fn a_listing_keeps_only_names_that_stay_in_the_folder() {
        let names = [
            "b.json",
            "a/b.json",
            "../x",
            "a/../../x",
            "/etc/passwd",
            "C:\\x",
            "..",
            "",
            "a//b",
            "x\n",
            "b.json",
        ];
        let siblings: Vec<_> = names.iter().map(|n| serde_json::json!({"rfilename": n})).collect();
        let json = serde_json::json!({"sha": "a".repeat(40), "siblings": siblings}).to_string();
        assert_eq!(HubListing::parse(&json).unwrap().files, ["a/b.json", "b.json"]);
    }

    #[test]
    fn an_answer_that_is_no_listing() {
        let up = serde_json::json!({"sha": format!("../{}", "a".repeat(40))}).to_string();
        for json in ["", "<html>", "{}", "[]", r#"{"sha": 1}"#, r#"{"sha": "main"}"#, &up] {
            assert!(HubListing::parse(json).is_err(), "{json}");
        }
    }
}
