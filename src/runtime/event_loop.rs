//! The loop: wait, update, carry out effects, draw.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use super::events::{Incoming, read_input, read_signals};
use super::export::export;
use super::jobs::Jobs;
use super::run_options::RunOptions;
use super::terminal::TakenTerminal;
use crate::app::{App, Background, Effect, Msg, update};
use crate::ui::{Depth, Frame, ascii, render};

/// Frames follow each other no faster than this.
const FRAME: Duration = Duration::from_millis(16);

struct Loop {
    app: App,
    terminal: TakenTerminal,
    jobs: Jobs,
    depth: Depth,
    /// The terminal shows nothing but ASCII.
    ascii: bool,
    frame: Option<Frame>,
    /// To itself, for what is done off the loop.
    to: Sender<Incoming>,
}

/// Runs until the user quits or the terminal is gone.
pub fn run(options: &RunOptions) -> io::Result<()> {
    let (to, from) = channel();
    let terminal = TakenTerminal::take(!options.no_mouse)?;
    let mut app = options.app();
    app.session.remembers = true;
    app.shell.background = options.background.unwrap_or_else(background);
    let variable = |name: &str| std::env::var(name).ok();
    let (depth, ascii) = (Depth::detect(variable), ascii::is_wanted(variable));
    let jobs = Jobs::new(to.clone());
    let mut this = Loop { app, terminal, jobs, depth, ascii, frame: None, to: to.clone() };
    // Before the first frame: whoever sees it may end the program, and the terminal must come back.
    read_signals(to.clone())?;
    this.draw()?;
    read_input(to);
    let effects = update(&mut this.app, Msg::Start);
    this.carry_out(effects)?;
    if cfg!(debug_assertions) && std::env::var_os("MASKSCOPE_TEST_PANIC").is_some() {
        panic_for_the_test();
    }
    let ended = this.wait(&from);
    this.app.session.keep();
    ended
}

/// Dark unless the terminal says otherwise (`COLORFGBG=fg;bg`, where 7 and 15 are white grounds).
fn background() -> Background {
    let light = std::env::var("COLORFGBG").is_ok_and(|v| matches!(v.rsplit(';').next(), Some("7" | "15")));
    if light { Background::Light } else { Background::Dark }
}

/// The terminal test asks whether a panic gives the terminal back.
#[allow(clippy::panic)]
fn panic_for_the_test() {
    panic!("asked to panic by MASKSCOPE_TEST_PANIC");
}

impl Loop {
    fn wait(&mut self, from: &Receiver<Incoming>) -> io::Result<()> {
        let mut drawn = Instant::now();
        let mut dirty = true;
        while !self.app.shell.quit {
            let wait = if dirty { FRAME.saturating_sub(drawn.elapsed()) } else { Duration::from_secs(3600) };
            match from.recv_timeout(wait) {
                Ok(incoming) => {
                    dirty = true;
                    if !self.take(incoming)? {
                        return Ok(());
                    }
                }
                Err(RecvTimeoutError::Timeout) if dirty => {
                    self.draw()?;
                    (drawn, dirty) = (Instant::now(), false);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            // A stream of events must not starve the eye.
            if dirty && drawn.elapsed() > FRAME * 2 {
                self.draw()?;
                (drawn, dirty) = (Instant::now(), false);
            }
        }
        Ok(())
    }

    /// False when it is time to go.
    fn take(&mut self, incoming: Incoming) -> io::Result<bool> {
        let msg = match incoming {
            Incoming::Msg(msg) => msg,
            Incoming::Click(x, y) => match self.frame.as_ref().and_then(|f| f.target_at(x, y)) {
                Some(target) => Msg::Click(target),
                None => return Ok(true),
            },
            Incoming::Signal(signal) => return self.signal(signal),
            Incoming::Closed => return Ok(false),
        };
        let effects = update(&mut self.app, msg);
        self.carry_out(effects)?;
        Ok(true)
    }

    #[cfg(unix)]
    fn signal(&mut self, signal: i32) -> io::Result<bool> {
        use signal_hook::consts::{SIGCONT, SIGTSTP};
        match signal {
            SIGTSTP => self.terminal.suspend()?,
            SIGCONT => self.terminal.retake()?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    #[cfg(not(unix))]
    fn signal(&mut self, _signal: i32) -> io::Result<bool> {
        Ok(true)
    }

    fn carry_out(&mut self, effects: Vec<Effect>) -> io::Result<()> {
        for effect in effects {
            match effect {
                Effect::Start(job) => self.jobs.start(*job)?,
                Effect::Cancel(kind) => self.jobs.cancel(kind),
                Effect::Export(form) => {
                    let buffer = render(&self.app, self.depth).buffer;
                    export(self.to.clone(), buffer, self.app.shell.background, self.app.shell.screen, form)?;
                }
                Effect::Copy(text, name) => {
                    let said = self.terminal.copy(&text, name)?;
                    let effects = update(&mut self.app, Msg::Copied(said));
                    self.carry_out(effects)?;
                }
                Effect::Suspend => self.terminal.suspend()?,
                Effect::Quit => {}
            }
        }
        Ok(())
    }

    fn draw(&mut self) -> io::Result<()> {
        let (width, height) = self.terminal.size()?;
        if (width, height) != self.app.shell.size {
            let effects = update(&mut self.app, Msg::Resize(width, height));
            self.carry_out(effects)?;
        }
        let mut frame = render(&self.app, self.depth);
        if self.ascii {
            ascii::replace(&mut frame.buffer);
        }
        self.terminal.show(&frame.buffer)?;
        self.frame = Some(frame);
        Ok(())
    }
}
