//! What comes from outside, as messages: keys, mouse, paste, size, signals. The only place that knows crossterm's
//! events.

use std::sync::mpsc::Sender;
use std::thread;

use crossterm::event::{
    self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};

use crate::app::{Code, Key, Msg};

/// What the loop waits for.
#[derive(Debug)]
pub enum Incoming {
    Msg(Msg),
    /// The left button at a cell: what lies there is known to the loop.
    Click(u16, u16),
    /// A signal's number.
    Signal(i32),
    /// The terminal is gone.
    Closed,
}

/// Starts the thread that reads keys.
pub fn read_input(to: Sender<Incoming>) {
    thread::spawn(move || {
        loop {
            let sent = match event::read() {
                Ok(event) => incoming(event).is_none_or(|i| to.send(i).is_ok()),
                Err(_) => {
                    // Whoever still listens is told; this thread is done either way.
                    let _ = to.send(Incoming::Closed);
                    false
                }
            };
            if !sent {
                return;
            }
        }
    });
}

/// Starts the thread that hears signals.
#[cfg(unix)]
pub fn read_signals(to: Sender<Incoming>) -> std::io::Result<()> {
    use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP};
    let mut signals = signal_hook::iterator::Signals::new([SIGTERM, SIGHUP, SIGINT, SIGTSTP, SIGCONT])?;
    thread::spawn(move || {
        for signal in signals.forever() {
            if to.send(Incoming::Signal(signal)).is_err() {
                return;
            }
        }
    });
    Ok(())
}

/// No signals to hear.
#[cfg(not(unix))]
pub fn read_signals(_to: Sender<Incoming>) -> std::io::Result<()> {
    Ok(())
}

fn incoming(event: Event) -> Option<Incoming> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => {
            key_of(key).map(|k| Incoming::Msg(Msg::Key(k)))
        }
        Event::Mouse(mouse) => mouse_of(mouse),
        Event::Paste(text) => Some(Incoming::Msg(Msg::Paste(text))),
        Event::Resize(width, height) => Some(Incoming::Msg(Msg::Resize(width, height))),
        _ => None,
    }
}

fn mouse_of(mouse: MouseEvent) -> Option<Incoming> {
    const WHEEL_LINES: i16 = 3;
    match mouse.kind {
        MouseEventKind::Down(MouseButton::Left) => Some(Incoming::Click(mouse.column, mouse.row)),
        MouseEventKind::ScrollDown => Some(Incoming::Msg(Msg::Wheel(WHEEL_LINES))),
        MouseEventKind::ScrollUp => Some(Incoming::Msg(Msg::Wheel(-WHEEL_LINES))),
        _ => None,
    }
}

/// Shift is part of a character already, whatever the terminal says.
fn key_of(event: KeyEvent) -> Option<Key> {
    let code = match event.code {
        KeyCode::Char(c) if event.modifiers.contains(KeyModifiers::CONTROL) => {
            Code::Char(c.to_ascii_lowercase())
        }
        KeyCode::Char(c) => Code::Char(c),
        KeyCode::Enter => Code::Enter,
        KeyCode::Esc => Code::Esc,
        KeyCode::Tab if event.modifiers.contains(KeyModifiers::SHIFT) => Code::BackTab,
        KeyCode::Tab => Code::Tab,
        KeyCode::BackTab => Code::BackTab,
        KeyCode::Backspace => Code::Backspace,
        KeyCode::Delete => Code::Delete,
        KeyCode::Left => Code::Left,
        KeyCode::Right => Code::Right,
        KeyCode::Up => Code::Up,
        KeyCode::Down => Code::Down,
        KeyCode::Home => Code::Home,
        KeyCode::End => Code::End,
        KeyCode::PageUp => Code::PageUp,
        KeyCode::PageDown => Code::PageDown,
        _ => return None,
    };
    let ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
    Some(Key { code, ctrl, alt: event.modifiers.contains(KeyModifiers::ALT) })
}
