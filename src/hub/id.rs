//! The name of a repository and one of its revisions: `org/name@revision`.

use std::fmt;

use super::error::HubError;

/// The branch that an id without `@revision` means.
const DEFAULT_REVISION: &str = "main";
/// Longest repository id that the hub allows.
const MAX_REPO_CHARS: usize = 96;
/// Git refuses longer branch names on the usual file systems.
const MAX_REVISION_CHARS: usize = 255;

/// A repository of the hub, of a model unless it is said to be of a data set, and a branch, tag or commit of it. Both parts are safe in a path and an address.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HubId {
    repo: String,
    revision: String,
    dataset: bool,
}

impl HubId {
    /// Reads `org/name`, `org/name@revision` or, for the oldest models, `name`.
    ///
    /// # Errors
    /// [`HubError::BadId`] for anything that the hub would not accept as a name.
    pub fn parse(text: &str) -> Result<Self, HubError> {
        let bad = |reason| HubError::BadId { given: text.to_string(), reason };
        let (repo, revision) = text.split_once('@').unwrap_or((text, DEFAULT_REVISION));
        check_repo(repo).map_err(bad)?;
        check_revision(revision).map_err(bad)?;
        Ok(Self { repo: repo.to_string(), revision: revision.to_string(), dataset: false })
    }

    /// The same name, of a data set.
    #[must_use]
    pub fn of_dataset(self) -> Self {
        Self { dataset: true, ..self }
    }

    pub(super) fn is_dataset(&self) -> bool {
        self.dataset
    }

    /// `org/name`.
    pub fn repo(&self) -> &str {
        &self.repo
    }

    /// Branch, tag or commit; `main` unless one was named.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// Where the hub lists the files of this revision, below its endpoint.
    pub(super) fn listing_path(&self) -> String {
        let kind = if self.dataset { "datasets" } else { "models" };
        format!("api/{kind}/{}/revision/{}", self.repo, percent_encoded(&self.revision))
    }

    /// Where the hub has a file at a revision (not always that of the id), below its endpoint.
    pub(super) fn file_path(&self, revision: &str, file: &str) -> String {
        let file: Vec<String> = file.split('/').map(percent_encoded).collect();
        let kind = if self.dataset { "datasets/" } else { "" };
        format!("{kind}{}/resolve/{}/{}", self.repo, percent_encoded(revision), file.join("/"))
    }
}

impl fmt::Display for HubId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.revision.as_str() {
            DEFAULT_REVISION => f.write_str(&self.repo),
            revision => write!(f, "{}@{revision}", self.repo),
        }
    }
}

/// One segment of an address (RFC 3986, section 2.3: all but the unreserved characters is encoded).
fn percent_encoded(segment: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    segment.bytes().map(encode).collect()
}

fn check_repo(repo: &str) -> Result<(), &'static str> {
    if repo.chars().count() > MAX_REPO_CHARS {
        return Err("a repository name has at most 96 characters");
    }
    if repo.split('/').count() > 2 {
        return Err("a repository is named org/name, with one slash");
    }
    // The cache writes `/` as `--`: a name with `--` of its own could not be told apart there.
    if repo.contains("--") || repo.contains("..") {
        return Err("a repository name has no `--` and no `..` in it");
    }
    for part in repo.split('/') {
        if part.is_empty() || part.starts_with(['-', '.']) || part.ends_with(['-', '.']) {
            return Err("each part of a repository name begins and ends with a letter, a digit or `_`");
        }
        if !part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
            return Err("a repository name holds only ASCII letters, digits and - _ .");
        }
    }
    Ok(())
}

fn check_revision(revision: &str) -> Result<(), &'static str> {
    if revision.is_empty() {
        return Err("there is nothing after the @");
    }
    if revision.chars().count() > MAX_REVISION_CHARS {
        return Err("a revision has at most 255 characters");
    }
    if revision.split('/').any(|part| part.is_empty() || part.starts_with('.')) || revision.contains("..") {
        return Err("no part of a revision is empty, begins with a dot or holds two in a row");
    }
    // What `git check-ref-format` forbids in a name, and the characters that Windows forbids in a path.
    if revision.chars().any(|c| c.is_control() || c.is_whitespace() || "~^:?*[\\\"<>|".contains(c)) {
        return Err("a revision has no blanks and none of ~ ^ : ? * [ \\ \" < > |");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_revisions() {
        let cases = [
            ("microsoft/phi-2", "microsoft/phi-2", "main", "microsoft/phi-2"),
            ("gpt2", "gpt2", "main", "gpt2"),
            ("a/b@main", "a/b", "main", "a/b"),
            ("a/b@refs/pr/5", "a/b", "refs/pr/5", "a/b@refs/pr/5"),
            ("Org_1/x.y@v1@2", "Org_1/x.y", "v1@2", "Org_1/x.y@v1@2"),
        ];
        for (text, repo, revision, shown) in cases {
            let id = HubId::parse(text).unwrap();
            assert_eq!(
                (id.repo(), id.revision(), id.to_string().as_str()),
                (repo, revision, shown),
                "{text}"
            );
        }
    }

    #[test]
    fn addresses_are_encoded() {
        let id = HubId::parse("a/b@refs/pr/5").unwrap();
        assert_eq!(id.listing_path(), "api/models/a/b/revision/refs%2Fpr%2F5");
        let data = id.clone().of_dataset();
        assert_eq!(data.listing_path(), "api/datasets/a/b/revision/refs%2Fpr%2F5");
        assert_eq!(data.file_path("main", "d/x.json"), "datasets/a/b/resolve/main/d/x.json");
        assert_eq!(id.file_path("v1#x", "d/ä b?.json"), "a/b/resolve/v1%23x/d/%C3%A4%20b%3F.json");
    }

    #[test]
    fn what_is_not_a_name() {
        let long = format!("a/{}", "b".repeat(100));
        let refused = [
            "",
            "/",
            "a/",
            "/b",
            "a/b/c",
            "./b",
            "../b",
            "a/..",
            "a..b/c",
            "a--b/c",
            "-a/b",
            "a/b.",
            "a b/c",
            "ä/b",
            "a/b?x",
            "a/b@",
            "a/b@../x",
            "a/b@x/../y",
            "a/b@/x",
            "a/b@x//y",
            "a/b@x y",
            "a/b@x\ny",
            "a/b@.x",
            "a/b@x\\y",
            "a/b@x:y",
            &long,
        ];
        for text in refused {
            assert!(matches!(HubId::parse(text), Err(HubError::BadId { .. })), "{text:?}");
        }
    }
}
