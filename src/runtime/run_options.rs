//! How the screen is started.

use std::path::PathBuf;

use crate::app::{App, Background, DataSource, KeptSession, Screen};
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
    /// What was open when the program ended last, to be offered.
    pub kept: Option<KeptSession>,
    /// What a trainer fed: screen Tokens opens with it.
    pub dump: Option<PathBuf>,
    /// Where the experts' forward runs.
    pub device: DeviceChoice,
    /// Rows of one image in the experts' view; by the model's config without it.
    pub image_tokens: Option<usize>,
    /// Colours for which background; by what the terminal says without it.
    pub background: Option<Background>,
}

impl RunOptions {
    /// The state to begin with.
    pub(super) fn app(&self) -> App {
        let built_in = match self.request.template.is_built_in() {
            true => DataSource::EmbeddedMessages,
            false => DataSource::Embedded,
        };
        let source = self.data.clone().map_or(built_in, DataSource::File);
        let mut app = App::new(self.request.clone(), source, self.first_run);
        app.shell.background = self.background.unwrap_or_default();
        app.shell.tour = self.tour.then_some(0);
        app.session.kept = self.kept.clone().map(Box::new);
        if self.dump.is_some() {
            app.shell.screen = Screen::Tokens;
            app.screens.tokens.path.clone_from(&self.dump);
        }
        let settings = &mut app.screens.experts.settings;
        (settings.device, settings.image_tokens) = (self.device, self.image_tokens);
        app
    }
}
