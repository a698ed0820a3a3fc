//! One frame without a terminal: the same state, update and screens, with every job done at once.

use std::cell::RefCell;
use std::collections::VecDeque;

use super::run_options::RunOptions;
use crate::app::{App, Effect, Job, JobContext, Key, KeyWord, Load, Msg, Screen, context, update};
use crate::error::{Error, Result};
use crate::ui::{Depth, Frame, render, to_ansi, to_html, to_svg, to_text};

/// What a frame is printed as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameForm {
    Text,
    /// Text with terminal colours.
    Ansi,
    Html,
    Svg,
}

/// Which frame.
#[derive(Debug, Clone)]
pub struct FrameRequest {
    pub options: RunOptions,
    pub screen: Screen,
    pub width: u16,
    pub height: u16,
    /// Keys pressed before the frame is taken, as [`Key::parse_words`] reads them.
    pub keys: String,
    pub form: FrameForm,
    /// Which colours.
    pub depth: Depth,
}

/// The frame as text.
///
/// # Errors
/// Keys that are none, and what could not be loaded.
pub fn frame(request: &FrameRequest) -> Result<String> {
    let words = Key::parse_words(&request.keys)?;
    let mut app = request.options.app();
    app.shell.screen = request.screen;
    feed(&mut app, Msg::Resize(request.width, request.height));
    feed(&mut app, Msg::Start);
    if let Load::Failed(error) = &app.session.base {
        return Err(Error::Usage(error.clone()));
    }
    if let Load::Failed(error) = &app.session.samples {
        return Err(Error::Usage(error.clone()));
    }
    for word in words {
        if let KeyWord::Typed(text) = &word
            && !context(&app).takes_text()
        {
            return Err(no_key(text));
        }
        word.keys().into_iter().for_each(|key| feed(&mut app, Msg::Key(key)));
    }
    let Frame { buffer, .. } = render(&app, request.depth);
    let title = format!("maskscope · {}", app.shell.screen.name());
    Ok(match request.form {
        FrameForm::Text => to_text(&buffer),
        FrameForm::Ansi => to_ansi(&buffer),
        FrameForm::Html => to_html(&buffer, app.shell.background, &title),
        FrameForm::Svg => to_svg(&buffer, app.shell.background, &title),
    })
}

fn no_key(word: &str) -> Error {
    let names: Vec<&str> = Key::names().collect();
    Error::Usage(format!(
        "--keys: {word:?} is no key, and nothing is open here to type it into; keys are single characters, {}, and \
         these behind ctrl- or alt-; `maskscope keys` lists what each does",
        names.join(", ")
    ))
}

/// Gives a message to the state and does all that follows from it, here and now.
pub fn feed(app: &mut App, msg: Msg) {
    let mut effects: VecDeque<Effect> = update(app, msg).into();
    while let Some(effect) = effects.pop_front() {
        let Effect::Start(job) = effect else { continue };
        for msg in run_now(*job, &|| false) {
            effects.extend(update(app, msg));
        }
    }
}

/// Does a job here and now; gives the messages with its outcomes.
pub fn run_now(job: Job, cancelled: &dyn Fn() -> bool) -> Vec<Msg> {
    let (kind, ticket) = (job.kind, job.ticket);
    let messages = RefCell::new(Vec::new());
    let emit = |outcome| messages.borrow_mut().push(Msg::Done { kind, ticket, outcome });
    job.run(&JobContext::new(cancelled, &emit));
    messages.into_inner()
}
