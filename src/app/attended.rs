//! Work that runs a repository's own code, which may take long or never end: the screen is told how long it has been running,
//! and a job that is cancelled ends the code.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::job::JobContext;
use crate::guard;
use crate::sandbox::StopSignal;

/// Between two looks at the clock.
const TICK: Duration = Duration::from_millis(250);

/// Does the work in a thread beside this one, which says after each second how many there were. Always `Some`: the work is there once.
pub fn attended<T: Send>(
    job: &JobContext<'_>,
    work: impl FnOnce() -> T + Send,
    mut say: impl FnMut(u64),
) -> Option<T> {
    let (begun, stop) = (Instant::now(), StopSignal::current());
    let (finished, waiting) = channel::<()>();
    // Taken by whoever does it: this thread, where no other can be started.
    let work = Mutex::new(Some(work));
    let take = || work.lock().unwrap_or_else(PoisonError::into_inner).take();
    thread::scope(|scope| {
        let body = || {
            // Dropped with the thread, whether it ends well or by a panic.
            let _finished = finished;
            take().map(|work| stop.within(work))
        };
        let Ok(worker) = thread::Builder::new().stack_size(guard::STACK_BYTES).spawn_scoped(scope, body)
        else {
            return take().map(|work| stop.within(work));
        };
        let mut said = 0;
        while let Err(RecvTimeoutError::Timeout) = waiting.recv_timeout(TICK) {
            let seconds = begun.elapsed().as_secs();
            if seconds > said && !job.is_cancelled() {
                said = seconds;
                say(seconds);
            }
        }
        worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
