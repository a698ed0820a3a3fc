//! All I/O of the screen: the terminal, the input thread, the jobs, the loop.
//!
//! ```text
//! input thread ─┐                      ┌─► draw: at most one frame in 16 ms, in a synchronized update
//! signals ──────┼─► channel ─► update ─┤
//! job threads ──┘        ▲             └─► effects ─► jobs (the newest of a kind wins) ─┐
//!                        └──────────────────────────────────────────────────────────────┘
//! ```

mod event_loop;
mod events;
mod export;
mod frame;
mod jobs;
mod terminal;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

pub use frame::{FrameForm, FrameRequest, feed, frame, run_now};

use crate::app::{App, DataSource};
use crate::error::{Error, Result};
use crate::moe::backbone::DeviceChoice;
use crate::setup::Request;

/// How the screen is started.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// Nothing was asked for: open on the planted mismatch.
    pub first_run: bool,
    pub request: Request,
    /// Conversations; the built-in ones without it.
    pub data: Option<PathBuf>,
    pub no_mouse: bool,
    /// Begin with the first stop of the tour.
    pub tour: bool,
    /// Where the experts' forward runs.
    pub device: DeviceChoice,
    /// Rows of one image in the experts' view; by the model's config without it.
    pub image_tokens: Option<usize>,
}

impl RunOptions {
    /// The state to begin with.
    fn app(&self) -> App {
        let built_in = match self.request.template.is_built_in() {
            true => DataSource::EmbeddedMessages,
            false => DataSource::Embedded,
        };
        let source = self.data.clone().map_or(built_in, DataSource::File);
        let mut app = App::new(self.request.clone(), source, self.first_run);
        app.shell.tour = self.tour.then_some(0);
        let settings = &mut app.screens.experts.settings;
        (settings.device, settings.image_tokens) = (self.device, self.image_tokens);
        app
    }
}

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
    if options.data.as_deref() == Some(Path::new("-")) && std::io::stdin().is_terminal() {
        return Err(Error::Usage(
            "-d - reads conversations from a pipe; here it would take the keys".to_string(),
        ));
    }
    event_loop::run(&options).map_err(|e| Error::io("the terminal", e))
}
