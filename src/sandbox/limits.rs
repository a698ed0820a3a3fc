//! What the kernel refuses to the child, whatever its code finds a way to ask for.
//!
//! The interpreter is built without files, sockets and processes. These limits hold should that have a hole: no file can be
//! opened (not one descriptor is free), none can grow, and memory and processor time end.

use std::io;

/// Bytes of address space that the child may have beyond what it has at its start.
const MEMORY: u64 = 768 << 20;
/// Bytes of address space that it is taken to have there where the system does not say.
#[cfg(unix)]
const UNKNOWN: u64 = 2 << 30;

/// Takes files, processes and memory beyond [`MEMORY`] away from this process, for good.
///
/// # Errors
/// The kernel refuses a limit.
#[cfg(unix)]
pub fn apply() -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let none = |resource, value: u64| {
        let limit = Rlimit { current: Some(value), maximum: Some(value) };
        setrlimit(resource, limit).map_err(io::Error::from)
    };
    let now = crate::guard::sizes().map_or(UNKNOWN, |sizes| sizes.mapped);
    none(Resource::As, now.saturating_add(MEMORY))?;
    none(Resource::Core, 0)?;
    none(Resource::Fsize, 0)?;
    none(Resource::Nproc, 0)?;
    none(Resource::Nofile, 0)
}

#[cfg(not(unix))]
pub fn apply() -> io::Result<()> {
    Ok(())
}
