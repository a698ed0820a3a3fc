//! The real binary in a terminal: first frame, keys, resize, quit, panic, signals.

#![cfg(unix)]

use std::io::{Read, Write};
use std::num::NonZero;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// Longer than any machine needs; no test measures time.
const PATIENCE: Duration = Duration::from_secs(60);

struct Terminal {
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    parser: Arc<Mutex<vt100::Parser>>,
    /// What is remembered from one start to the next.
    _state: tempfile::TempDir,
}

fn size(cols: u16, rows: u16) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}

fn cells(n: u16) -> NonZero<u16> {
    NonZero::new(n).expect("not zero")
}

impl Terminal {
    fn start(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::start_in(None, arguments, variables)
    }

    fn start_in(folder: Option<&Path>, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let pty = native_pty_system().openpty(size(120, 40)).expect("pty");
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_maskscope"));
        command.args(arguments);
        folder.iter().for_each(|folder| command.cwd(folder));
        command.env("RUST_BACKTRACE", "0");
        command.env("TERM", "xterm-256color");
        command.env_remove("NO_COLOR");
        // Neither what a developer has opened nor his settings.
        let state = tempfile::tempdir().expect("a folder");
        command.env("XDG_STATE_HOME", state.path());
        command.env("MASKSCOPE_CONFIG", "");
        variables.iter().for_each(|(name, value)| command.env(name, value));
        let child = pty.slave.spawn_command(command).expect("spawn");
        drop(pty.slave);
        let mut reader = pty.master.try_clone_reader().expect("reader");
        let writer = pty.master.take_writer().expect("writer");
        let parser = Arc::new(Mutex::new(vt100::Parser::new(cells(40), cells(120), 0)));
        let to = parser.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n) = reader.read(&mut buffer) {
                if n == 0 {
                    return;
                }
                to.lock().expect("parser").process(&buffer[..n]);
            }
        });
        Self { master: pty.master, writer, child, parser, _state: state }
    }

    fn screen(&self) -> String {
        self.parser.lock().expect("parser").screen().contents()
    }

    fn wait(&self, what: &str) -> String {
        self.wait_for(what, |screen| screen.contains(what))
    }

    fn wait_for(&self, what: &str, is: impl Fn(&str) -> bool) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let screen = self.screen();
            if is(&screen) {
                return screen;
            }
            assert!(Instant::now() < end, "never saw {what:?} in\n{screen}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn keys(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).expect("write");
        self.writer.flush().expect("flush");
    }

    fn resize(&self, cols: u16, rows: u16) {
        self.parser.lock().expect("parser").screen_mut().set_size(cells(rows), cells(cols));
        self.master.resize(size(cols, rows)).expect("resize");
    }

    fn exit(&mut self) -> u32 {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("wait") {
                return status.exit_code();
            }
            assert!(Instant::now() < end, "still running\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn modes(&self) -> u64 {
        modes(&*self.master)
    }

    fn left_the_alternate_screen(&self) -> bool {
        !self.parser.lock().expect("parser").screen().alternate_screen()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

#[test]
fn a_visit_from_the_mismatch_to_the_match() {
    let mut terminal = Terminal::start(&[], &[]);
    terminal.wait("maskscope");
    terminal.wait("all labels are −100");
    terminal.wait("press f to try recipe phi");
    terminal.keys("f");
    terminal.wait("✓ cur_len");
    terminal.keys("n");
    terminal.wait("one-round · 2/");
    terminal.keys("p");
    terminal.wait("three-rounds · 1/");
    terminal.resize(40, 12);
    terminal.wait_for("a small screen", |s| s.lines().count() <= 12 && s.contains('✓') && !s.contains('╭'));
    terminal.resize(120, 40);
    terminal.wait("1 Labels");
    terminal.keys("q");
    assert_eq!(terminal.exit(), 0);
    terminal.wait_for("the ordinary screen", |_| terminal.left_the_alternate_screen());
}

#[test]
fn an_override_by_hand_turns_the_mismatch_into_a_match() {
    let mut terminal = Terminal::start(&[], &[]);
    terminal.wait("press f to try recipe phi");
    terminal.keys("o");
    terminal.wait("as loaded");
    terminal.keys("jj\r");
    terminal.wait("token for unk");
    terminal.keys("<|extra_0|>");
    terminal.wait("this sample ✓");
    terminal.keys("\r");
    terminal.wait("is new: id 50295");
    terminal.wait("✓ cur_len");
    terminal.keys("q");
    assert_eq!(terminal.exit(), 0);
}

#[test]
fn a_long_paste_is_shown() {
    let mut terminal = Terminal::start(&[], &[]);
    terminal.wait("press f to try recipe phi");
    terminal.keys("e");
    terminal.wait("the tokens above follow");
    terminal.keys(&format!("\u{1b}[200~{}the end of it\u{1b}[201~", "many words ".repeat(207_000 / 11)));
    terminal.wait("the end of it");
    terminal.keys("\u{1b}");
    terminal.wait_for("the editor closed", |screen| !screen.contains("the end of it"));
    terminal.keys("q");
    assert_eq!(terminal.exit(), 0);
}

#[test]
fn no_color_leaves_no_colour_but_keeps_the_marks() {
    let mut terminal = Terminal::start(&[], &[("NO_COLOR", "1")]);
    terminal.wait("press f to try recipe phi");
    {
        let parser = terminal.parser.lock().expect("parser");
        let screen = parser.screen();
        let cells = (0..40).flat_map(|row| (0..120).map(move |col| (row, col)));
        let mut bold = 0;
        for cell in cells.filter_map(|(row, col)| screen.cell(row, col)) {
            assert_eq!(cell.fgcolor(), vt100::Color::Default);
            assert_eq!(cell.bgcolor(), vt100::Color::Default);
            bold += usize::from(cell.bold());
        }
        assert!(bold > 0, "modifiers carry the meaning");
    }
    terminal.keys("q");
    assert_eq!(terminal.exit(), 0);
}

// Release builds know no such variable.
#[cfg(debug_assertions)]
#[test]
fn a_panic_gives_the_terminal_back_and_shows_its_message() {
    let mut terminal = Terminal::start(&[], &[("MASKSCOPE_TEST_PANIC", "1")]);
    terminal.wait("asked to panic");
    assert_ne!(terminal.exit(), 0);
    assert!(terminal.left_the_alternate_screen());
}

#[test]
fn a_termination_signal_gives_the_terminal_back() {
    let mut terminal = Terminal::start(&[], &[]);
    terminal.wait("1 Labels");
    signal(&terminal, "TERM");
    terminal.exit();
    terminal.wait_for("the ordinary screen", |_| terminal.left_the_alternate_screen());
}

#[test]
fn signals_that_end_it_leave_the_terminal_as_it_was() {
    for name in ["TERM", "HUP", "INT"] {
        let mut terminal = Terminal::start(&[], &[]);
        terminal.wait("1 Labels");
        assert_ne!(terminal.modes(), modes_of_a_new_one(), "{name}: it was raw before");
        signal(&terminal, name);
        terminal.exit();
        terminal.wait_for("the ordinary screen", |_| terminal.left_the_alternate_screen());
        assert_eq!(terminal.modes(), modes_of_a_new_one(), "{name}: lines are edited and shown again");
        let parser = terminal.parser.lock().expect("parser");
        let screen = parser.screen();
        assert!(!screen.hide_cursor() && !screen.bracketed_paste(), "{name}");
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None, "{name}");
    }
}

#[test]
fn a_terminal_that_closes_ends_it() {
    let folder = tempfile::tempdir().expect("folder");
    let pty = native_pty_system().openpty(size(120, 40)).expect("pty");
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_maskscope"));
    command.cwd(folder.path());
    command.env("TERM", "xterm-256color");
    let mut child = pty.slave.spawn_command(command).expect("spawn");
    drop(pty.slave);
    let (mut reader, mut seen) =
        (pty.master.try_clone_reader().expect("reader"), vt100::Parser::new(cells(40), cells(120), 0));
    let mut buffer = [0; 4096];
    while !seen.screen().contents().contains("1 Labels") {
        let n = reader.read(&mut buffer).expect("read");
        assert_ne!(n, 0, "it ended early");
        seen.process(&buffer[..n]);
    }
    // The last handle of this side: what the terminal's window does when it is closed.
    drop((reader, pty.master));
    let end = Instant::now() + PATIENCE;
    while child.try_wait().expect("wait").is_none() {
        assert!(Instant::now() < end, "it goes on without a terminal");
        std::thread::sleep(Duration::from_millis(10));
    }
    let left: Vec<_> =
        std::fs::read_dir(folder.path()).expect("folder").flatten().map(|e| e.file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Whether a terminal edits lines, shows what is typed and makes signals of keys, as bits.
fn modes_of_a_new_one() -> u64 {
    modes(&*native_pty_system().openpty(size(120, 40)).expect("pty").master)
}

fn modes(master: &dyn MasterPty) -> u64 {
    let termios = master.get_termios().expect("the modes of a terminal");
    u64::from(termios.local_flags.bits()) << 32 | u64::from(termios.input_flags.bits())
}

#[test]
fn a_suspended_program_gives_the_terminal_back_and_takes_it_again() {
    let mut terminal = Terminal::start(&[], &[]);
    terminal.wait("press f to try recipe phi");
    terminal.keys("\u{1a}");
    terminal.wait_for("the ordinary screen", |_| terminal.left_the_alternate_screen());
    signal(&terminal, "CONT");
    terminal
        .wait_for("the screen again", |s| !terminal.left_the_alternate_screen() && s.contains("1 Labels"));
    terminal.keys("q");
    assert_eq!(terminal.exit(), 0);
}

fn signal(terminal: &Terminal, name: &str) {
    let pid = terminal.child.process_id().expect("pid").to_string();
    let sent = std::process::Command::new("kill").args([&format!("-{name}"), &pid]).status().expect("kill");
    assert!(sent.success());
}

#[test]
fn a_broken_file_is_said_on_the_screen() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("broken.json");
    std::fs::write(&path, "{\"conversations\": 1}").expect("write");
    let mut terminal = Terminal::start(&["--data", &path.to_string_lossy()], &[]);
    terminal.wait("is not a list");
    terminal.keys("q");
    assert_eq!(terminal.exit(), 0);
}

#[test]
fn one_key_writes_the_screen_into_a_new_file_and_names_it() {
    let folder = tempfile::tempdir().expect("folder");
    std::fs::write(folder.path().join("maskscope-labels-1.html"), "mine").expect("write");
    let mut terminal = Terminal::start_in(Some(folder.path()), &[], &[]);
    terminal.wait("press f to try recipe phi");
    terminal.keys("X");
    terminal.wait("written: maskscope-labels-2.html");
    terminal.keys("2");
    terminal.wait("cur_len");
    terminal.keys("X");
    terminal.wait("written: maskscope-lengths-1.html");
    terminal.keys(":picture\r");
    terminal.wait("written: maskscope-lengths-1.svg");
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("the file");
    assert_eq!(read("maskscope-labels-1.html"), "mine", "nothing is written over");
    assert!(read("maskscope-labels-2.html").contains("all labels are −100"));
    assert!(read("maskscope-lengths-1.svg").starts_with("<svg"));
    terminal.keys("q");
    assert_eq!(terminal.exit(), 0);
}

/// Every `<|endoftext|>` in turn, and the ids on the clipboard: what the terminal gets is the sequence for it.
#[test]
fn a_search_and_a_copy() {
    let mut terminal = Terminal::start(&[], &[]);
    terminal.wait("press f to try recipe phi");
    terminal.keys("/<|endoftext|>");
    terminal.wait("3 matches");
    terminal.keys("\r");
    terminal.wait("1 of 3, token");
    terminal.keys("n");
    terminal.wait("2 of 3, token");
    terminal.keys("y");
    terminal.wait("copy to the clipboard");
    terminal.keys("input\r");
    terminal.wait("copied: input_ids");
    terminal.keys("q");
    assert_eq!(terminal.exit(), 0);
}

#[test]
fn a_terminal_without_a_cursor_is_refused() {
    let mut terminal = Terminal::start(&[], &[("TERM", "dumb")]);
    terminal.wait("TERM=dumb");
    assert_eq!(terminal.exit(), 2);
}

#[test]
fn a_locale_without_utf_8_gets_ascii() {
    let mut terminal = Terminal::start(&[], &[("LC_ALL", "C")]);
    terminal.wait("press f to try recipe phi");
    terminal.wait_for("nothing but ASCII", |s| s.is_ascii() && s.contains("+-") && s.contains("x cur_len"));
    terminal.keys("q");
    assert_eq!(terminal.exit(), 0);
}

#[test]
fn what_was_open_is_offered_at_the_next_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("mine.jsonl");
    let row = r#"{"id": "one", "conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello."}]}"#;
    std::fs::write(&data, row).expect("written");
    let state = folder.path().join("state");
    let variables = [("XDG_STATE_HOME", state.to_str().expect("UTF-8"))];
    let mut first =
        Terminal::start_in(Some(folder.path()), &["-t", "sample:mistral", "-d", "mine.jsonl"], &variables);
    // What was never shown is not kept.
    first.wait("piece");
    first.keys("q");
    assert_eq!(first.exit(), 0);
    // From another folder: the paths are not those of the command line.
    let mut second = Terminal::start(&[], &variables);
    second.wait("last session");
    second.keys("'");
    second.wait("one · 1/1");
    second.wait("mistral");
    // The input for a file lists it, too.
    second.keys("O");
    second.wait("opened lately");
    second.keys("\x1b[B");
    second.wait("▸");
    second.keys("\r");
    second.wait("one · 1/1");
    second.keys("q");
    assert_eq!(second.exit(), 0);
    // The demo is no session.
    let third = state.join("third");
    let mut third = Terminal::start(&[], &[("XDG_STATE_HOME", third.to_str().expect("UTF-8"))]);
    let shown = third.wait("Demo:");
    assert!(!shown.contains("last session"), "{shown}");
    third.keys("q");
    assert_eq!(third.exit(), 0);
}
