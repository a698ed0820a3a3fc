//! The panic boundary: a panic of a library, on a file that it was not made for, is an error like any other.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::Once;

use crate::text;

thread_local! {
    /// Boundaries that this thread is inside of.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    /// Where the last contained panic of this thread began.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// A panic that was contained. The message is raw: it may quote a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}{}", place.as_ref().map_or(String::new(), |place| format!(" (at {place})")))]
pub struct Panic {
    pub message: String,
    /// Source file and line; unknown for a panic of another thread.
    pub place: Option<String>,
}

impl Panic {
    fn of(payload: &(dyn Any + Send)) -> Self {
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_string());
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
        Self {
            message: text.unwrap_or_else(|| "no message".to_string()),
            place: PLACE.with(|place| place.borrow_mut().take()),
        }
    }
}

/// Does the work; a panic in it, or in threads that it waits for, comes back as a value and is not printed.
///
/// # Errors
/// The panic.
pub fn contain<T>(work: impl FnOnce() -> T) -> Result<T, Panic> {
    DEPTH.with(|depth| depth.set(depth.get() + 1));
    // What a panic leaves half done is dropped with the work: callers keep nothing that they lent to it.
    let done = catch_unwind(AssertUnwindSafe(work));
    DEPTH.with(|depth| depth.set(depth.get().saturating_sub(1)));
    done.map_err(|payload| Panic::of(&*payload))
}

/// True where a panic of this thread comes back from [`contain`]: in it, and in the workers that its work is spread over.
pub fn is_contained() -> bool {
    DEPTH.with(|depth| depth.get() > 0) || rayon::current_thread_index().is_some()
}

/// Contained panics print nothing, all others one line without anything that steers a terminal.
pub fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| std::panic::set_hook(Box::new(hook)));
}

fn hook(info: &PanicHookInfo<'_>) {
    let place = info.location().map(|at| format!("{}:{}", at.file(), at.line()));
    if is_contained() {
        PLACE.with(|last| *last.borrow_mut() = place);
        return;
    }
    let message = info.payload_as_str().unwrap_or("no message");
    let place = place.unwrap_or_default();
    eprintln!("{}", text::plain(&format!("maskscope: a thread ended with a bug: {message} ({place})")));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_value_with_its_message() {
        install_hook();
        let panic = contain(|| -> u32 { panic!("bad {}", "file") }).expect_err("a panic");
        assert_eq!(panic.message, "bad file");
        assert!(panic.place.is_some_and(|place| place.contains("boundary.rs")));
        assert_eq!(contain(|| 7), Ok(7));
        assert!(!is_contained());
    }

    #[test]
    fn panics_of_workers_come_back_too() {
        use rayon::prelude::*;
        install_hook();
        let panic = contain(|| (0..64).into_par_iter().for_each(|n| assert!(n < 32, "worker {n}")));
        assert!(panic.expect_err("a panic").message.contains("worker"));
    }
}
