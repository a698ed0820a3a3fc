//! What holds for work on files from strangers, whatever a library does with them.
//!
//! ```text
//! contain(work)        a panic inside becomes a value with its message; nothing is printed
//! within(limit, work)  steps inside ask check() and end with an error when the time is over
//! watch(name, limit)   where nothing inside can ask: a thread ends the process, in a sentence, before time or memory run out
//! large_stack(work)    a stack of stated size, for work whose depth a file decides
//! without_stderr(work) what a driver of the system writes there does not arrive
//! ```
//!
//! The first answer to a hostile file is a check before a library sees it, in the module that reads it. This is what
//! remains for the ones that nobody thought of.

mod boundary;
mod deadline;
mod json_values;
mod links;
mod plain_file;
mod quiet;
mod stack;
mod usage;
mod watch;

pub use boundary::{Panic, contain, install_hook, is_contained};
pub use deadline::{check, within};
pub use json_values::json_values;
pub use links::check_inside;
pub use plain_file::read_plain;
pub use quiet::without_stderr;
pub use stack::{STACK_BYTES, large_stack, size_worker_stacks};
pub use usage::sizes;
pub use watch::{Limits, before_exit, start_watching, time_for, watch};
