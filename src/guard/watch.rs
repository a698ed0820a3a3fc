//! The last line: a thread that ends the process, with a sentence, when a step on a file takes too long or too much memory.
//!
//! It is there for steps that cannot be interrupted: a comparison of nested values inside the template engine, a search
//! inside the regex library. Entering and leaving a step costs two atomic writes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::usage;
use crate::text;

/// How often the thread looks.
const EVERY: Duration = Duration::from_millis(20);
/// Memory that steps may add, with two workers, and for every further one.
const MEMORY: u64 = 1400 << 20;
const MEMORY_A_WORKER: u64 = 256 << 20;
/// Address space that must be left under a limit of the system.
const SPARE: u64 = 96 << 20;

/// What one thread is doing.
#[derive(Debug, Default)]
struct Slot {
    /// Milliseconds of the clock at which the step began, plus 1; 0 outside of a step.
    began: AtomicU64,
    /// Milliseconds that it may take.
    limit: AtomicU64,
    name: Mutex<String>,
}

#[derive(Debug, Default)]
struct Slots {
    all: Mutex<Vec<Arc<Slot>>>,
    /// Whether a watching thread runs.
    watching: AtomicBool,
    before_exit: Mutex<Vec<fn()>>,
}

fn slots() -> &'static Slots {
    static SLOTS: OnceLock<Slots> = OnceLock::new();
    SLOTS.get_or_init(Slots::default)
}

fn now() -> u64 {
    static BEGIN: OnceLock<Instant> = OnceLock::new();
    u64::try_from(BEGIN.get_or_init(Instant::now).elapsed().as_millis()).unwrap_or(u64::MAX)
}

thread_local! {
    static OWN: Arc<Slot> = {
        let slot = Arc::new(Slot::default());
        slots().all.lock().unwrap_or_else(PoisonError::into_inner).push(slot.clone());
        slot
    };
}

/// A step under watch; it ends with this value.
#[derive(Debug, Default)]
pub struct Watched {
    slot: Option<Arc<Slot>>,
    /// The name of the step that this one is a part of.
    outer: Option<String>,
}

/// Begins a step on `name`; inside another one of the same thread the time of that one goes on.
pub fn watch(name: impl FnOnce() -> String, limit: Duration) -> Watched {
    if !slots().watching.load(Ordering::Relaxed) {
        return Watched::default();
    }
    let slot = OWN.with(Arc::clone);
    if slot.began.load(Ordering::Relaxed) != 0 {
        let mut own = slot.name.lock().unwrap_or_else(PoisonError::into_inner);
        let inner = format!("{own}, {}", name());
        let outer = Some(std::mem::replace(&mut *own, inner));
        drop(own);
        return Watched { slot: Some(slot), outer };
    }
    *slot.name.lock().unwrap_or_else(PoisonError::into_inner) = name();
    slot.limit.store(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    slot.began.store(now() + 1, Ordering::Release);
    Watched { slot: Some(slot), outer: None }
}

impl Drop for Watched {
    fn drop(&mut self) {
        match (&self.slot, self.outer.take()) {
            (Some(slot), Some(outer)) => *slot.name.lock().unwrap_or_else(PoisonError::into_inner) = outer,
            (Some(slot), None) => slot.began.store(0, Ordering::Release),
            (None, _) => {}
        }
    }
}

/// Time for a step on so many bytes: a few seconds, and more for much.
pub fn time_for(bytes: usize) -> Duration {
    Duration::from_secs(4 + u64::try_from(bytes >> 20).unwrap_or(0))
}

/// Something to be done before the process is ended: giving a terminal back, removing a file.
pub fn before_exit(work: fn()) {
    slots().before_exit.lock().unwrap_or_else(PoisonError::into_inner).push(work);
}

/// What steps are held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limits {
    Memory,
    MemoryAndTime,
}

/// Starts the watching thread, once. Without it steps run unwatched, as in tests of the library.
pub fn start_watching(limits: Limits) {
    if slots().watching.swap(true, Ordering::SeqCst) {
        return;
    }
    now();
    let thread = std::thread::Builder::new().name("maskscope-watch".to_string());
    let thread = thread.spawn(move || look_for_ever(limits));
    // Without the thread nothing is watched, which is no reason not to work.
    slots().watching.store(thread.is_ok(), Ordering::SeqCst);
}

/// What the thread knows from its earlier looks.
struct Looks {
    most_mapped: Option<u64>,
    most_own: u64,
    /// Memory when no step ran.
    idle: u64,
    /// Processor seconds at the beginning of each step that is watched, by its slot and beginning.
    seconds: Vec<(usize, u64, f64)>,
    limits: Limits,
}

fn look_for_ever(limits: Limits) {
    let workers = u64::try_from(rayon::current_num_threads()).unwrap_or(2);
    let mut looks = Looks {
        most_mapped: usage::most_mapped(),
        most_own: MEMORY + MEMORY_A_WORKER * workers.saturating_sub(2),
        idle: usage::sizes().map_or(0, |sizes| sizes.own),
        seconds: Vec::new(),
        limits,
    };
    loop {
        std::thread::sleep(EVERY);
        if let Some(reason) = looks.look() {
            end(&reason);
        }
    }
}

impl Looks {
    /// Why the process must end.
    fn look(&mut self) -> Option<String> {
        let all = slots().all.lock().unwrap_or_else(PoisonError::into_inner);
        let running: Vec<(usize, &Arc<Slot>, u64)> = all
            .iter()
            .enumerate()
            .map(|(n, slot)| (n, slot, slot.began.load(Ordering::Acquire)))
            .filter(|(_, _, began)| *began != 0)
            .collect();
        let sizes = usage::sizes();
        if running.is_empty() {
            self.idle = sizes.map_or(0, |sizes| sizes.own);
            self.seconds.clear();
            return None;
        }
        let name = |slot: &Slot| slot.name.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let oldest = running.iter().min_by_key(|(_, _, began)| *began);
        if let (Some(sizes), Some((_, slot, _))) = (sizes, oldest) {
            let is_over = sizes.own.saturating_sub(self.idle) > self.most_own
                || self.most_mapped.is_some_and(|most| sizes.mapped + SPARE > most);
            if is_over {
                return Some(format!("{}: it takes too much memory ({} MB)", name(slot), sizes.own >> 20));
            }
        }
        if self.limits == Limits::Memory {
            return None;
        }
        self.seconds.retain(|(n, began, _)| running.iter().any(|(m, _, b)| (n, began) == (m, b)));
        let seconds = usage::processor_seconds();
        for (n, slot, began) in running {
            let limit = slot.limit.load(Ordering::Relaxed);
            let at_begin = match self.seconds.iter().find(|(m, b, _)| (*m, *b) == (n, began)) {
                Some((_, _, at_begin)) => *at_begin,
                None => {
                    self.seconds.push((n, began, seconds.unwrap_or(0.0)));
                    continue;
                }
            };
            // On a busy machine the clock runs and the process does not.
            let used = seconds.map_or(u64::MAX, |now| ((now - at_begin) * 1000.0) as u64);
            if now().saturating_sub(began) > limit && used > limit {
                return Some(format!("{}: it takes too long (more than {} s)", name(slot), limit / 1000));
            }
        }
        None
    }
}

fn end(reason: &str) -> ! {
    for work in slots().before_exit.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        work();
    }
    eprintln!("{}", text::plain(&format!("error: {reason}; do not trust this file")));
    std::process::exit(2);
}
