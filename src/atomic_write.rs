//! Files that appear under their name whole or not at all.
//!
//! Every function here writes to a temporary name in the same file system and renames it, so another program that
//! opens the path finds the old content or the new, never a part. A process that is killed leaves at most the
//! temporary file behind.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use tempfile::Builder;

/// What a finished write is safe against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The end of the process: other programs see one content or the other.
    Process,
    /// A power cut too: content and name are synced to the disk before the call returns.
    PowerCut,
}

/// Puts `bytes` in the place of what `path` holds. The folder must exist.
///
/// # Errors
/// What the file system refuses; the old content is unchanged then.
pub fn write(path: &Path, bytes: &[u8], durability: Durability) -> io::Result<()> {
    let mut file = builder().tempfile_in(folder_of(path))?;
    file.write_all(bytes)?;
    if durability == Durability::PowerCut {
        file.as_file().sync_all()?;
    }
    file.persist(path)?;
    match durability {
        Durability::Process => Ok(()),
        Durability::PowerCut => sync_folder(path),
    }
}

/// As [`write()`] with [`Durability::PowerCut`], the new file locked before it appears under its name; the lock ends with the
/// returned file. File systems without locks give none.
///
/// # Errors
/// What the file system refuses; the old content is unchanged then.
pub fn write_locked(path: &Path, bytes: &[u8]) -> io::Result<File> {
    let mut file = builder().tempfile_in(folder_of(path))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    // Nobody else knows the file yet, so only a file system without locks fails.
    let _ = file.as_file().try_lock();
    let file = file.persist(path)?;
    sync_folder(path)?;
    Ok(file)
}

/// Writes a file that must not exist yet.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`], and what the file system refuses.
pub fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = builder().tempfile_in(folder_of(path))?;
    file.write_all(bytes)?;
    file.persist_noclobber(path)?;
    Ok(())
}

/// Puts what `create` makes (a link, a file) in the place of `path`. `create` gets a free name in `scratch`, a folder
/// of the same file system.
///
/// # Errors
/// What the file system refuses; nothing stays in `scratch` then.
pub fn replace(path: &Path, scratch: &Path, create: impl FnMut(&Path) -> io::Result<()>) -> io::Result<()> {
    Builder::new().prefix("maskscope.").suffix(".incomplete").make_in(scratch, create)?.persist(path)?;
    Ok(())
}

/// Gives a finished file or folder its final name and syncs the name to the disk. The content is the caller's to sync.
///
/// # Errors
/// What the file system refuses; `from` is unchanged then.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_folder(to)
}

/// Temporary files with the permissions that any new file gets; without this they are private to the user.
fn builder() -> Builder<'static, 'static> {
    let mut builder = Builder::new();
    builder.prefix(".maskscope.").suffix(".incomplete");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666)); // less the umask
    }
    builder
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A rename reaches the disk with the folder that holds the name. Only Unix lets a folder be opened and synced.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder_of(path))?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name());
        let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn content_is_replaced_whole_and_nothing_else_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        for (bytes, durability) in [(b"1".as_slice(), Durability::Process), (b"22", Durability::PowerCut)] {
            write(&path, bytes, durability).unwrap();
            assert_eq!(fs::read(&path).unwrap(), bytes);
        }
        assert_eq!(write_new(&path, b"3").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        write_new(&dir.path().join("b.json"), b"3").unwrap();
        replace(&path, dir.path(), |temporary| fs::write(temporary, "4")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"4");
        rename(&path, &dir.path().join("c.json")).unwrap();
        assert_eq!(names(dir.path()), ["b.json", "c.json"]);
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_content_and_no_temporary_file() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("taken");
        fs::create_dir_all(folder.join("inner")).unwrap();
        assert!(write(&folder, b"x", Durability::Process).is_err());
        assert!(replace(&folder, dir.path(), |temporary| fs::write(temporary, "x")).is_err());
        assert!(replace(&folder, dir.path(), |_| Err(io::Error::other("refused"))).is_err());
        assert_eq!(names(dir.path()), ["taken"]);
        assert!(write(&dir.path().join("none/a"), b"x", Durability::Process).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_new_file_has_the_permissions_of_any_other() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let (ours, plain) = (dir.path().join("ours"), dir.path().join("plain"));
        write(&ours, b"x", Durability::Process).unwrap();
        fs::write(&plain, "x").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&plain));
    }
}
