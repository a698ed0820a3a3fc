//! All I/O of the screen: the terminal, the input thread, the jobs, the loop.
//!
//! ```text
//! input thread ─┐                      ┌─► draw: at most one frame in 16 ms, in a synchronized update
//! signals ──────┼─► channel ─► update ─┤
//! job threads ──┘        ▲             └─► effects ─► jobs (the newest of a kind wins) ─┐
//!                        └──────────────────────────────────────────────────────────────┘
//! ```

mod clipboard;
mod event_loop;
mod events;
mod export;
mod frame;
mod jobs;
mod run_options;
mod terminal;

use std::io::IsTerminal;
use std::path::Path;

pub use frame::{FrameForm, FrameRequest, feed, frame, run_now};
pub use run_options::RunOptions;

use crate::error::{Error, Result};

/// Runs the screen until the user quits.
///
/// # Errors
/// Where standard output is no terminal, or the terminal fails.
pub fn run(options: RunOptions) -> Result<()> {
    if !std::io::stdout().is_terminal() {
        return Err(Error::Usage(
            "the screen needs a terminal; without one use a command such as `maskscope inspect`".to_string(),
        ));
    }
    if std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb") {
        return Err(Error::Usage(
            "TERM=dumb names a terminal that can move no cursor, and the screen needs one; a command such as \
             `maskscope inspect` prints lines, and `maskscope frame` prints one frame"
                .to_string(),
        ));
    }
    if options.data.as_deref() == Some(Path::new("-")) && std::io::stdin().is_terminal() {
        return Err(Error::Usage(
            "-d - reads conversations from a pipe; here it would take the keys".to_string(),
        ));
    }
    event_loop::run(&options).map_err(|e| Error::io("the terminal", e))
}
