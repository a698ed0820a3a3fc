//! A signal that ends what runs in sandboxes for somebody who no longer wants it. It belongs to the threads of one piece of work,
//! so that other work with the same function goes on.

use std::cell::RefCell;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crate::guard;

thread_local! {
    static CURRENT: RefCell<StopSignal> = const { RefCell::new(StopSignal(None)) };
}

/// A flag that somebody else may set; without one nothing stops the work.
#[derive(Debug, Clone, Default)]
pub struct StopSignal(Option<Arc<AtomicBool>>);

impl StopSignal {
    /// The signal of a flag.
    pub fn of(flag: Arc<AtomicBool>) -> Self {
        Self(Some(flag))
    }

    /// That of the work which this thread does.
    pub fn current() -> Self {
        CURRENT.with(|current| current.borrow().clone())
    }

    /// True from when the flag is set.
    pub fn is_set(&self) -> bool {
        self.0.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed))
    }

    /// Does the work, of which this is the signal. Workers that it is spread over are given [`Self::current`] by hand.
    pub fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        /// Puts the outer signal back, after a panic too.
        struct Outer(StopSignal);
        impl Drop for Outer {
            fn drop(&mut self) {
                CURRENT.with(|current| *current.borrow_mut() = std::mem::take(&mut self.0));
            }
        }
        let _outer = Outer(CURRENT.with(|current| current.replace(self.clone())));
        work()
    }
}

/// Does the same to each item, on all cores, in threads of its own: a rayon worker that waits takes up other work, which may
/// want what this work is to make.
pub fn side_by_side<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let stop = StopSignal::current();
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let next = AtomicUsize::new(0);
    let one_thread = || {
        stop.within(|| {
            let mut done = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(item) = items.get(at) else { return done };
                done.push((at, work(item)));
            }
        })
    };
    let mut all: Vec<(usize, R)> = thread::scope(|scope| {
        let started = (0..cores.min(items.len())).filter_map(|_| {
            thread::Builder::new().stack_size(guard::STACK_BYTES).spawn_scoped(scope, one_thread).ok()
        });
        let threads: Vec<_> = started.collect();
        let mut all = if threads.is_empty() { one_thread() } else { Vec::new() };
        for thread in threads {
            match thread.join() {
                Ok(done) => all.extend(done),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    });
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, made)| made).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_keep_their_order_and_workers_have_the_signal() {
        let flag = Arc::new(AtomicBool::new(true));
        let items: Vec<usize> = (0..50).collect();
        let made = StopSignal::of(flag)
            .within(|| side_by_side(&items, |item| (item * 2, StopSignal::current().is_set())));
        assert_eq!(made, items.iter().map(|item| (item * 2, true)).collect::<Vec<_>>());
        assert!(!StopSignal::current().is_set());
        assert!(side_by_side(&[] as &[u8], |item| *item).is_empty());
    }
}
