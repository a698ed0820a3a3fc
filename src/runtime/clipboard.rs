//! A text to the clipboard of the terminal, through the sequence OSC 52, which also goes through ssh; into a file where the
//! terminal has none.

use std::io::{self, Write};

use crossterm::clipboard::CopyToClipboard;
use crossterm::execute;

use super::export::write_new;

/// Bytes that terminals and tmux take; more of them become a file.
const MOST: usize = 72 << 10;

/// Copies a text, and says where it went.
///
/// # Errors
/// The terminal cannot be written to.
pub fn copy(out: &mut impl Write, terminal: &str, text: &str, name: &str) -> io::Result<String> {
    // The console of Linux has no clipboard, and no sequence of its own for it.
    let has_clipboard = !matches!(terminal, "linux" | "dumb" | "");
    if has_clipboard && text.len() <= MOST {
        execute!(out, CopyToClipboard::to_clipboard_from(text))?;
        return Ok(format!("copied: {name}, {} bytes", text.len()));
    }
    Ok(match write_new("maskscope-copy", "txt", text) {
        Ok(file) => {
            let why =
                if has_clipboard { "too long for the clipboard" } else { "this terminal has no clipboard" };
            format!("{name}: written to {file} ({why})")
        }
        Err(error) => format!("{name} cannot be copied, nor written into this folder: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_goes_out_in_base64() {
        let mut out = Vec::new();
        let said = copy(&mut out, "xterm-256color", "[1, 2]", "input_ids").unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "\u{1b}]52;c;WzEsIDJd\u{1b}\\");
        assert_eq!(said, "copied: input_ids, 6 bytes");
    }
}
