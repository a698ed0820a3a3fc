//! A deadline that steps of the work ask for: between matches of a pattern, words of a model, steps of a pipeline.
//!
//! The clock alone would make a result depend on what else the machine does. So from the deadline on, the thread may still
//! use half as much processor time: one that waits for its turn gets it.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::usage;

/// When the time is over.
#[derive(Debug, Clone, Copy)]
struct Deadline {
    at: Instant,
    limit: Duration,
    /// Processor time of the thread when the deadline had passed.
    used: Option<Duration>,
}

thread_local! {
    static DEADLINE: Cell<Option<Deadline>> = const { Cell::new(None) };
}

/// The time for a piece of work is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it takes too long")]
pub struct Expired;

/// Does the work, of which [`check`] fails from `limit` on; of two deadlines the earlier one holds.
pub fn within<T>(limit: Duration, work: impl FnOnce() -> T) -> T {
    /// Puts the outer deadline back, after a panic too.
    struct Outer(Option<Deadline>);
    impl Drop for Outer {
        fn drop(&mut self) {
            DEADLINE.with(|deadline| deadline.set(self.0));
        }
    }
    let own = Instant::now().checked_add(limit).map(|at| Deadline { at, limit, used: None });
    let outer = Outer(DEADLINE.with(Cell::get));
    let earlier = match (own, outer.0) {
        (Some(own), Some(outer)) => Some(if own.at < outer.at { own } else { outer }),
        (own, outer) => own.or(outer),
    };
    DEADLINE.with(|deadline| deadline.set(earlier));
    work()
}

/// Fails when the time is over; costs a look at the clock.
///
/// # Errors
/// [`Expired`].
pub fn check() -> Result<(), Expired> {
    match DEADLINE.with(Cell::get) {
        Some(deadline) if Instant::now() >= deadline.at => check_processor(deadline),
        _ => Ok(()),
    }
}

fn check_processor(deadline: Deadline) -> Result<(), Expired> {
    let now = usage::thread_processor_time().ok_or(Expired)?;
    let used = deadline.used.unwrap_or(now);
    DEADLINE.with(|slot| slot.set(Some(Deadline { used: Some(used), ..deadline })));
    match now.saturating_sub(used) >= deadline.limit / 2 {
        true => Err(Expired),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earlier_deadline_holds_and_ends_with_its_work() {
        let later = Duration::from_secs(1000);
        assert_eq!(check(), Ok(()));
        within(later, || {
            assert_eq!(check(), Ok(()));
            assert_eq!(within(Duration::ZERO, check), Err(Expired));
            assert_eq!(check(), Ok(()));
        });
        within(Duration::ZERO, || assert_eq!(within(later, check), Err(Expired)));
        assert_eq!(check(), Ok(()));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_thread_that_waits_for_its_turn_gets_it() {
        within(Duration::from_millis(20), || {
            std::thread::sleep(Duration::from_millis(30));
            assert_eq!(check(), Ok(()), "it has used no processor time");
            let begin = Instant::now();
            while check().is_ok() {
                assert!(begin.elapsed() < Duration::from_secs(60), "it ends when it has");
            }
        });
    }
}
