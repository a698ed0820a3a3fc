//! Links in a folder from a stranger: those that lead out of it are not followed.
//!
//! A folder of the hub's cache is made of links, `snapshots/COMMIT/config.json -> ../../blobs/…`, which stay inside the
//! folder of their repository; these are followed.

use std::path::{Path, PathBuf};

/// Why a file of a folder is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("this link leads out of its folder, to {}, and is not followed; put the file itself there", .0.display())]
    LeadsOut(PathBuf),
    #[error("this is not a regular file, and is not read")]
    NotPlain,
}

/// Whether `file`, which lies below `folder`, may be read; a file that is not there may.
///
/// # Errors
/// Why not.
pub fn check_inside(folder: &Path, file: &Path) -> Result<(), Refusal> {
    let Ok(kind) = std::fs::symlink_metadata(file).map(|m| m.file_type()) else { return Ok(()) };
    if kind.is_dir() {
        return Ok(());
    }
    if !kind.is_symlink() && !kind.is_file() {
        return Err(Refusal::NotPlain);
    }
    // A plain file leads out too where a folder on its way is a link. What cannot be followed is said
    // by whoever opens it.
    let (Ok(folder), Ok(target)) = (folder.canonicalize(), file.canonicalize()) else { return Ok(()) };
    let inside = target.starts_with(&folder) || blobs(&folder).is_some_and(|blobs| target.starts_with(blobs));
    match (inside, target.is_file()) {
        (false, _) => Err(Refusal::LeadsOut(target)),
        (true, false) => Err(Refusal::NotPlain),
        (true, true) => Ok(()),
    }
}

/// The blobs of the repository that a folder is a snapshot of.
fn blobs(folder: &Path) -> Option<PathBuf> {
    let snapshots =
        folder.ancestors().find(|path| path.file_name().is_some_and(|name| name == "snapshots"))?;
    Some(snapshots.parent()?.join("blobs"))
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_of_the_hub_cache_are_followed_and_those_that_lead_out_are_not() {
        let dir = tempfile::tempdir().expect("a folder");
        let (blobs, snapshot) = (dir.path().join("blobs"), dir.path().join("snapshots/abc"));
        for folder in [&blobs, &snapshot] {
            std::fs::create_dir_all(folder).expect("made");
        }
        std::fs::write(blobs.join("1"), "{}").expect("written");
        std::fs::write(dir.path().join("secret"), "s").expect("written");
        symlink("../../blobs/1", snapshot.join("config.json")).expect("a link");
        symlink("config.json", snapshot.join("again.json")).expect("a link");
        symlink("../../secret", snapshot.join("env.json")).expect("a link");
        symlink("nowhere", snapshot.join("none.json")).expect("a link");
        let check = |name: &str| check_inside(&snapshot, &snapshot.join(name));
        for name in ["config.json", "again.json", "none.json", "absent"] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
        assert!(matches!(check("env.json"), Err(Refusal::LeadsOut(path)) if path.ends_with("secret")));
        symlink("/dev/zero", blobs.join("zero")).expect("a link");
        assert!(check_inside(&blobs, &blobs.join("zero")).is_err());
    }

    #[test]
    fn a_plain_file_behind_a_folder_that_is_a_link_leads_out() {
        let dir = tempfile::tempdir().expect("a folder");
        let (model, private) = (dir.path().join("model"), dir.path().join("private"));
        for folder in [&model.join("own"), &private] {
            std::fs::create_dir_all(folder).expect("made");
            std::fs::write(folder.join("a.jinja"), "s").expect("written");
        }
        symlink("../private", model.join("additional_chat_templates")).expect("a link");
        symlink("own", model.join("again")).expect("a link");
        symlink("model", dir.path().join("by_link")).expect("a link");
        let check = |name: &str| check_inside(&model, &model.join(name));
        for name in ["own/a.jinja", "again/a.jinja"] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
        for name in ["additional_chat_templates/a.jinja", "../private/a.jinja"] {
            assert!(
                matches!(check(name), Err(Refusal::LeadsOut(path)) if path.ends_with("private/a.jinja")),
                "{name}"
            );
        }
        let by_link = dir.path().join("by_link");
        assert_eq!(
            check_inside(&by_link, &by_link.join("own/a.jinja")),
            Ok(()),
            "the user's own way to the folder"
        );
    }
}
