//! How much memory and processor time this process has used, as the system tells it.

use std::time::Duration;

/// Sizes in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Address space.
    pub mapped: u64,
    /// Memory of its own in use, without files that are mapped.
    pub own: u64,
}

/// Bytes of a page of memory, in which the system counts.
fn page_size() -> u64 {
    #[cfg(unix)]
    return rustix::param::page_size() as u64;
    #[cfg(not(unix))]
    4096
}

/// The sizes now; `None` where the system does not say.
pub fn sizes() -> Option<Sizes> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let mut pages = text.split_whitespace().map(|n| n.parse::<u64>().ok());
    let (mapped, resident, shared) = (pages.next()??, pages.next()??, pages.next()??);
    let bytes = |pages: u64| pages.saturating_mul(page_size());
    Some(Sizes { mapped: bytes(mapped), own: bytes(resident.saturating_sub(shared)) })
}

/// The most address space that the process may have; `None` without a limit.
pub fn most_mapped() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Max address space"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Seconds of processor time that all threads together have used; `None` where the system does not say.
pub fn processor_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program, in brackets, may hold anything.
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11).map(|n| n.parse::<f64>().ok());
    Some((fields.next()?? + fields.next()??) / 100.0)
}

/// Processor time of this thread; `None` where the system does not say.
pub fn thread_processor_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}
