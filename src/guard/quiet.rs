//! Libraries that write to stderr by themselves: a graphics driver would write into the middle of the screen.

/// Does the work while nothing that is written to stderr arrives. Other threads are not heard meanwhile either, so it is
/// for short work only.
pub fn without_stderr<T>(work: impl FnOnce() -> T) -> T {
    let silence = Silence::begin();
    let done = work();
    drop(silence);
    done
}

/// Stderr as it was, which comes back with the end of this.
#[cfg(unix)]
struct Silence(std::os::fd::OwnedFd);

#[cfg(unix)]
impl Silence {
    fn begin() -> Option<Self> {
        let nowhere = std::fs::OpenOptions::new().write(true).open("/dev/null").ok()?;
        let stderr = rustix::io::fcntl_dupfd_cloexec(std::io::stderr(), 3).ok()?;
        rustix::stdio::dup2_stderr(nowhere).ok()?;
        Some(Self(stderr))
    }
}

#[cfg(unix)]
impl Drop for Silence {
    fn drop(&mut self) {
        let _ = rustix::stdio::dup2_stderr(&self.0);
    }
}

#[cfg(not(unix))]
struct Silence;

#[cfg(not(unix))]
impl Silence {
    fn begin() -> Option<Self> {
        None
    }
}
