//! The present screen into a file, off the loop: a new name each time, never over a file that is there.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::mpsc::Sender;
use std::thread;

use ratatui::buffer::Buffer;

use super::events::Incoming;
use crate::app::{Background, ExportForm, Msg, Screen};
use crate::atomic_write;
use crate::ui::{to_html, to_svg};

/// Names that are tried: after so many files somebody should clean up.
const MOST: usize = 10_000;

/// Writes the cells into the working folder; the name, or why not, comes back as a message.
pub fn export(
    to: Sender<Incoming>,
    buffer: Buffer,
    background: Background,
    screen: Screen,
    form: ExportForm,
) -> std::io::Result<()> {
    let body = move || {
        let title = format!("maskscope · {}", screen.name());
        let text = match form {
            ExportForm::Page => to_html(&buffer, background, &title),
            ExportForm::Picture => to_svg(&buffer, background, &title),
        };
        let stem = format!("maskscope-{}", screen.name().to_lowercase());
        let written = write_new(&stem, form.ending(), &text).map_err(|e| format!("{stem}: {e}"));
        // A closed channel means that the screen is gone.
        let _ = to.send(Incoming::Msg(Msg::Exported(written)));
    };
    thread::Builder::new().name(super::jobs::THREAD_NAME.to_string()).spawn(body).map(|_| ())
}

/// Writes under the first free name `stem-n.ending` of the working folder.
pub(super) fn write_new(stem: &str, ending: &str, text: &str) -> std::io::Result<String> {
    for n in 1..=MOST {
        let name = format!("{stem}-{n}.{ending}");
        match atomic_write::write_new(Path::new(&name), text.as_bytes()) {
            Ok(()) => return Ok(name),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}
