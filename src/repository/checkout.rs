//! The Python files of a repository on disk: found by module name, read as text, nothing else.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::line_edit::LineEdit;
use crate::error::{Error, Result};

/// Files that are read of one repository, at most.
const MOST_FILES: usize = 20_000;
/// Bytes of one file.
const LARGEST: u64 = 4 << 20;

/// A folder with Python files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    root: PathBuf,
    /// Name of the root folder: the repository may be a package itself.
    own_name: String,
    /// Paths from the root, with `/`, in order.
    files: Vec<String>,
    /// Texts in place of those on disk: a change that is tried before it is made.
    changed: BTreeMap<String, String>,
}

impl Checkout {
    /// Lists the Python files of a folder; hidden folders are left out, links are not followed.
    ///
    /// # Errors
    /// The folder cannot be read, or has no Python file.
    pub fn open(root: &Path) -> Result<Self> {
        let root = root.canonicalize().map_err(|source| Error::io(root, source))?;
        let mut files = Vec::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            let entries = std::fs::read_dir(&folder).map_err(|source| Error::io(&folder, source))?;
            for entry in entries.flatten() {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                let Ok(kind) = entry.file_type() else { continue };
                if kind.is_dir() && !name.starts_with('.') && name != "__pycache__" && name != "node_modules"
                {
                    folders.push(entry.path());
                } else if kind.is_file() && name.ends_with(".py") && files.len() < MOST_FILES {
                    let path = entry.path();
                    if let Ok(path) = path.strip_prefix(&root) {
                        files.push(path.to_string_lossy().replace('\\', "/"));
                    }
                }
            }
        }
        files.sort();
        if files.is_empty() {
            return Err(Error::Usage(format!("{}: there is no Python file in this folder", root.display())));
        }
        let own_name = root.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self { root, own_name, files, changed: BTreeMap::new() })
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder's own name.
    pub fn name(&self) -> &str {
        &self.own_name
    }

    /// True where a text stands in place of the one on disk.
    pub fn is_changed(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Paths of the Python files, from the root.
    pub fn files(&self) -> &[String] {
        &self.files
    }

    /// The same with lines changed; nothing is written.
    ///
    /// # Errors
    /// A line is another one by now.
    pub fn with_edits(mut self, edits: &[LineEdit]) -> Result<Self> {
        for edit in edits {
            let text = edit.apply(&self.read(&edit.file)?).ok_or_else(|| {
                let path = self.root.join(&edit.file);
                Error::Usage(format!(
                    "{}:{}: this line has changed since it was read",
                    path.display(),
                    edit.line
                ))
            })?;
            self.changed.insert(edit.file.clone(), text);
        }
        Ok(self)
    }

    /// The same with other texts of some files; nothing is written.
    #[must_use]
    pub fn with_texts(mut self, texts: BTreeMap<String, String>) -> Self {
        self.changed.extend(texts);
        self
    }

    /// The text of one of [`Self::files`].
    ///
    /// # Errors
    /// It cannot be read, is no UTF-8 text or is larger than any source file.
    pub fn read(&self, file: &str) -> Result<String> {
        if let Some(text) = self.changed.get(file) {
            return Ok(text.clone());
        }
        let path = self.root.join(file);
        let known = self.files.binary_search_by(|f| f.as_str().cmp(file)).is_ok();
        let size = std::fs::metadata(&path).map_err(|source| Error::io(&path, source))?.len();
        if !known || size > LARGEST {
            return Err(Error::Usage(format!(
                "{}: this is no source file of the repository",
                path.display()
            )));
        }
        std::fs::read_to_string(&path).map_err(|source| Error::io(&path, source))
    }

    /// The file that a path on the command line names: from the root, from here, or the end of one file's path.
    pub fn file_named(&self, name: &str) -> Option<&str> {
        let name = name.strip_prefix("./").unwrap_or(name);
        if let Some(found) = self.files.iter().find(|file| *file == name) {
            return Some(found);
        }
        if let Ok(path) = Path::new(name).canonicalize()
            && let Ok(inside) = path.strip_prefix(&self.root)
        {
            let inside = inside.to_string_lossy().replace('\\', "/");
            if let Some(found) = self.files.iter().find(|file| **file == inside) {
                return Some(found);
            }
        }
        let end = format!("/{name}");
        self.files
            .iter()
            .filter(|file| file.ends_with(&end))
            .min_by_key(|file| file.len())
            .map(String::as_str)
    }

    /// The file of a module, the one nearest to the importing file; and whether it is a package.
    pub fn module(&self, name: &str, importer: Option<&str>) -> Option<(&str, bool)> {
        let path = name.replace('.', "/");
        /// Folders shared with the importing file, then the shorter path.
        type Nearness = (usize, std::cmp::Reverse<usize>);
        let mut best: Option<(&str, bool, Nearness)> = None;
        for file in &self.files {
            let own = format!("{}/{file}", self.own_name);
            let ends = |suffix: &str| {
                let fits = |path: &str| path == suffix || path.ends_with(&format!("/{suffix}"));
                fits(file) || own == suffix
            };
            let is_package = ends(&format!("{path}/__init__.py"));
            if !is_package && !ends(&format!("{path}.py")) {
                continue;
            }
            let near = importer.map_or(0, |importer| common_folders(importer, file));
            let rank = (near, std::cmp::Reverse(file.len()));
            if best.as_ref().is_none_or(|(_, _, known)| rank > *known) {
                best = Some((file, is_package, rank));
            }
        }
        best.map(|(file, is_package, _)| (file, is_package))
    }

    /// The folder of a package without `__init__.py`.
    pub fn namespace(&self, name: &str, importer: Option<&str>) -> Option<String> {
        let inner = format!("/{}/", name.replace('.', "/"));
        let folders = self.files.iter().filter_map(|file| {
            let at = format!("/{file}").find(&inner)?;
            file.get(..at + inner.len() - 2)
        });
        let near = |folder: &&str| {
            let depth = importer.map_or(0, |importer| common_folders(importer, &format!("{folder}/x")));
            (depth, std::cmp::Reverse(folder.len()))
        };
        folders.max_by_key(near).map(String::from)
    }

    /// True where any file belongs to the package of that name.
    pub fn has_package(&self, name: &str) -> bool {
        let inner = format!("/{name}/");
        self.files.iter().any(|file| format!("/{}/{file}", self.own_name).contains(&inner))
    }

    /// A file beside the importing one that stands in for a module of a package that is not here: overlays such as LLaVA-pp
    /// hold single files of another repository.
    pub fn overlay(&self, name: &str, importer: Option<&str>) -> Option<&str> {
        let (head, last) = (name.split('.').next()?, name.rsplit('.').next()?);
        if head == last || self.has_package(head) {
            return None;
        }
        let folder = importer?.rsplit_once('/').map_or("", |(folder, _)| folder);
        let path = if folder.is_empty() { format!("{last}.py") } else { format!("{folder}/{last}.py") };
        self.files.iter().find(|file| **file == path).map(String::as_str)
    }

    /// The dotted name by which a file is imported: as many folders as have an `__init__.py`, or all of them.
    pub fn module_name(&self, file: &str) -> String {
        let stem = file.strip_suffix(".py").unwrap_or(file);
        let stem = stem.strip_suffix("/__init__").unwrap_or(stem);
        let parts: Vec<&str> = stem.split('/').collect();
        let has_init = |upto: usize| {
            let folder = parts.get(..upto).unwrap_or_default().join("/");
            self.files.binary_search(&format!("{folder}/__init__.py")).is_ok()
        };
        // Packages without `__init__.py` (LLaVA's `train`) still lie in one that has it: the first such folder is the top.
        let top = (1..parts.len()).find(|upto| has_init(*upto)).map_or(0, |upto| upto - 1);
        parts.get(top..).unwrap_or_default().join(".")
    }

    /// Names in a folder of the repository: Python files and folders that hold some.
    pub fn list(&self, folder: &str) -> Option<Vec<String>> {
        let folder = folder.trim_matches('/');
        let prefix = if folder.is_empty() || folder == "." { String::new() } else { format!("{folder}/") };
        let inside = self.files.iter().filter_map(|file| file.strip_prefix(&prefix));
        let names: BTreeMap<&str, ()> =
            inside.filter_map(|rest| Some((rest.split('/').next()?, ()))).collect();
        if names.is_empty() { None } else { Some(names.into_keys().map(String::from).collect()) }
    }
}

fn common_folders(a: &str, b: &str) -> usize {
    let folders = |path: &str| path.rsplit_once('/').map_or("", |(folder, _)| folder).to_string();
    let (a, b) = (folders(a), folders(b));
    a.split('/').zip(b.split('/')).take_while(|(x, y)| x == y).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkout(files: &[&str]) -> (tempfile::TempDir, Checkout) {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x = 1\n").unwrap();
        }
        let checkout = Checkout::open(dir.path()).unwrap();
        (dir, checkout)
    }

    #[test]
    fn modules_are_found_near_their_importer() {
        let files =
            ["a/pkg/__init__.py", "a/pkg/c.py", "b/pkg/__init__.py", "b/pkg/c.py", "b/pkg/train/t.py"];
        let (_dir, checkout) = checkout(&files);
        assert_eq!(checkout.module("pkg.c", Some("b/pkg/train/t.py")), Some(("b/pkg/c.py", false)));
        assert_eq!(checkout.module("pkg", Some("a/pkg/c.py")), Some(("a/pkg/__init__.py", true)));
        assert_eq!(checkout.module_name("b/pkg/train/t.py"), "pkg.train.t");
        assert_eq!(checkout.list("b/pkg").unwrap(), ["__init__.py", "c.py", "train"]);
        assert_eq!(checkout.list("../etc"), None);
        assert_eq!(checkout.namespace("pkg.train", None).as_deref(), Some("b/pkg/train"));
        assert_eq!(checkout.namespace("train.x", None), None);
    }

    #[test]
    fn an_overlay_lies_beside_its_importer() {
        let (_dir, checkout) = checkout(&["one/train.py", "one/conversation.py"]);
        assert_eq!(checkout.overlay("llava.conversation", Some("one/train.py")), Some("one/conversation.py"));
        assert_eq!(checkout.overlay("llava.constants", Some("one/train.py")), None);
    }
}
