//! Python of others, run where it can do no harm: an embedded interpreter in a child process.
//!
//! ```text
//! parent: client ── JSON lines over pipes ── child: interpreter + python/*.py
//!    │  answers what the code asks: modules of     │  no files, no network, no processes: the interpreter is built
//!    │  the repository, the tokenizer              │  without them, and the kernel refuses them (limits)
//! ```
//!
//! This module knows nothing of tokenizers and repositories: a [`Host`] answers for them.

mod child;
mod client;
mod json;
mod limits;
mod protocol;
mod regex;
mod sources;
mod stop;

pub use child::main as child_main;
pub use client::{Host, Sandbox, SandboxError, SandboxLimits, set_executable};
pub use protocol::SUBCOMMAND;
pub use stop::{StopSignal, side_by_side};
