//! The terminal, taken and given back: on leaving, on a panic, on a signal, around a suspension.

use std::io::{self, BufWriter, Stdout, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::cursor::Show;
use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen,
    LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{execute, queue};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::buffer::Buffer;

use super::clipboard;
use crate::guard;

/// Whether the terminal is ours at the moment; the panic hook and the guard both look at it.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The terminal while it is ours; dropping gives it back.
#[derive(Debug)]
pub struct TakenTerminal {
    terminal: Terminal<CrosstermBackend<BufWriter<Stdout>>>,
    mouse: bool,
}

impl TakenTerminal {
    /// Takes the terminal and makes panics give it back before they are printed.
    pub fn take(mouse: bool) -> io::Result<Self> {
        // NO_COLOR is honoured by the theme; crossterm's own way drops bold and reverse too.
        crossterm::style::force_color_output(true);
        hook_panics();
        enter(mouse)?;
        let terminal = Terminal::new(CrosstermBackend::new(BufWriter::new(io::stdout())))?;
        Ok(Self { terminal, mouse })
    }

    /// Columns and rows.
    pub fn size(&self) -> io::Result<(u16, u16)> {
        self.terminal.size().map(|s| (s.width, s.height))
    }

    /// Shows a frame: only cells that changed are written, all at once.
    pub fn show(&mut self, frame: &Buffer) -> io::Result<()> {
        queue!(self.terminal.backend_mut(), BeginSynchronizedUpdate)?;
        self.terminal.draw(|target| {
            let buffer = target.buffer_mut();
            let area = buffer.area.intersection(frame.area);
            for (x, y) in (area.y..area.bottom()).flat_map(|y| (area.x..area.right()).map(move |x| (x, y))) {
                if let (Some(to), Some(from)) = (buffer.cell_mut((x, y)), frame.cell((x, y))) {
                    to.clone_from(from);
                }
            }
        })?;
        execute!(self.terminal.backend_mut(), EndSynchronizedUpdate)
    }

    /// Copies a text to the terminal's clipboard, and says where it went.
    pub fn copy(&mut self, text: &str, name: &str) -> io::Result<String> {
        let terminal = std::env::var("TERM").unwrap_or_default();
        clipboard::copy(self.terminal.backend_mut(), &terminal, text, name)
    }

    /// Gives the terminal back, stops the process, and takes the terminal again when it is continued.
    pub fn suspend(&mut self) -> io::Result<()> {
        leave()?;
        #[cfg(unix)]
        signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGTSTP)?;
        self.retake()
    }

    /// Takes the terminal again and draws everything anew.
    pub fn retake(&mut self) -> io::Result<()> {
        enter(self.mouse)?;
        // `Terminal::clear` asks the terminal for the cursor's place, and the input thread would eat the answer.
        // A cleared screen and two blank buffers do the same.
        execute!(self.terminal.backend_mut(), Clear(ClearType::All))?;
        self.terminal.swap_buffers();
        Ok(())
    }
}

impl Drop for TakenTerminal {
    fn drop(&mut self) {
        // Nothing can be done about a terminal that is gone.
        let _ = leave();
    }
}

fn enter(mouse: bool) -> io::Result<()> {
    TAKEN.store(true, Ordering::SeqCst);
    enable_raw_mode()?;
    let mut out = io::stdout();
    execute!(out, EnterAlternateScreen, EnableBracketedPaste)?;
    if mouse {
        execute!(out, EnableMouseCapture)?;
    }
    Ok(())
}

/// Gives the terminal back, once.
fn leave() -> io::Result<()> {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return Ok(());
    }
    let mut out = io::stdout();
    execute!(out, DisableMouseCapture, DisableBracketedPaste, LeaveAlternateScreen, Show)?;
    disable_raw_mode()?;
    out.flush()
}

/// A panic that nobody contains gives the terminal back before its message is printed, and so does the end of a step that
/// takes too much memory. Panics of job threads are shown on the screen ([`super::jobs`]).
fn hook_panics() {
    guard::before_exit(|| drop(leave()));
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        // The main thread is contained too: the terminal is given back as its work is dropped, then the panic is told.
        if !guard::is_contained() {
            let _ = leave();
        }
        previous(info);
    }));
}
