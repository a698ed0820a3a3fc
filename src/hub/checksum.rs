//! What an ETag promises about the content of a file, and whether it keeps it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::error::HubError;
use super::progress::Reporter;

const READ_BYTES: usize = 256 * 1024;

/// The hash that an ETag is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Checksum {
    /// 64 digits: SHA-256 of the content (files in large-file storage).
    Sha256(String),
    /// 40 digits: git's name of the file, SHA-1 of `blob LENGTH\0` and the content; some stand-ins of the hub
    /// leave the header away, and both find damage equally well.
    Sha1(String),
}

impl Checksum {
    /// The hash in a normalised ETag; `None` for one that is opaque.
    pub(super) fn of_etag(etag: &str) -> Option<Self> {
        let hex = etag.to_ascii_lowercase();
        match hex.len() {
            _ if !hex.chars().all(|c| c.is_ascii_hexdigit()) => None,
            64 => Some(Self::Sha256(hex)),
            40 => Some(Self::Sha1(hex)),
            _ => None,
        }
    }

    /// Reads the file once. Returns the digest found when it differs.
    ///
    /// # Errors
    /// The file cannot be read, or the user cancelled.
    pub(super) fn mismatch(
        &self,
        path: &Path,
        reporter: &mut Reporter<'_>,
    ) -> Result<Option<String>, HubError> {
        let mut file = File::open(path).map_err(|e| HubError::cache(path, e))?;
        let length = file.metadata().map_err(|e| HubError::cache(path, e))?.len();
        let (mut sha256, mut plain, mut git) = (Sha256::new(), Sha1::new(), Sha1::new());
        git.update(format!("blob {length}\0"));
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let read = file.read(&mut buffer).map_err(|e| HubError::cache(path, e))?;
            let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
            reporter.check()?;
            match self {
                Self::Sha256(_) => sha256.update(bytes),
                Self::Sha1(_) => {
                    plain.update(bytes);
                    git.update(bytes);
                }
            }
        }
        Ok(match self {
            Self::Sha256(expected) => {
                let found = hex(&sha256.finalize());
                (found != *expected).then_some(found)
            }
            Self::Sha1(expected) => {
                let found = hex(&git.finalize());
                (found != *expected && hex(&plain.finalize()) != *expected).then_some(found)
            }
        })
    }
}

/// The digest as ETags write it.
fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;

    #[test]
    fn digests_by_their_length() {
        assert_eq!(Checksum::of_etag(&"A".repeat(64)), Some(Checksum::Sha256("a".repeat(64))));
        assert_eq!(Checksum::of_etag(&"0".repeat(40)), Some(Checksum::Sha1("0".repeat(40))));
        for opaque in ["", "abc", &"g".repeat(40), &"a".repeat(32), &"a".repeat(65)] {
            assert_eq!(Checksum::of_etag(opaque), None, "{opaque}");
        }
    }

    /// `printf 'hello\n' | git hash-object --stdin`, `| sha1sum`, `| sha256sum`.
    #[test]
    fn content_against_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        let known = [
            "ce013625030ba8dba906f756967f9e9ca394464a",
            "f572d396fae9206628714fb2ce00f72e94f2258f",
            "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03",
        ];
        let mut go_on = |_| ControlFlow::Continue(());
        let mut reporter = Reporter::new(&mut go_on);
        for etag in known {
            let checksum = Checksum::of_etag(etag).unwrap();
            std::fs::write(&path, "hello\n").unwrap();
            assert_eq!(checksum.mismatch(&path, &mut reporter).unwrap(), None, "{etag}");
            std::fs::write(&path, "hello").unwrap();
            assert!(checksum.mismatch(&path, &mut reporter).unwrap().is_some(), "{etag}");
        }
    }
}
