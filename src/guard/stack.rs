//! Stacks of stated size for work whose depth a file decides: compiling a template, nested JSON.

use rayon::ThreadPoolBuilder;

use super::boundary::{Panic, contain};

/// Stack of workers, of jobs and of whatever compiles a template. Memory is taken as the stack grows, so a large one costs
/// nothing; the limits on nesting (`chat::jinja::limits`) keep all work inside a quarter of it.
pub const STACK_BYTES: usize = 64 << 20;

/// Does the work on a thread with a large stack and waits for it; where the system has no thread left, right here.
///
/// # Errors
/// A panic of the work.
pub fn large_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, Panic> {
    let mut slot = Some(work);
    let ran = std::thread::scope(|scope| {
        let work = || slot.take().map(|work| contain(work));
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work);
        thread.ok().and_then(|thread| thread.join().ok().flatten())
    });
    match (ran, slot) {
        (Some(done), _) => done,
        (None, Some(work)) => contain(work),
        (None, None) => Err(Panic { message: "the thread is gone".to_string(), place: None }),
    }
}

/// Gives the workers of rayon stacks of the same size. To be called before the first of them is needed.
pub fn size_worker_stacks() {
    // A pool that is there already stays as it is.
    let _ = ThreadPoolBuilder::new().stack_size(STACK_BYTES).build_global();
}
