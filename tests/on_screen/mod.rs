//! The state of the screen without a terminal, for tests that press keys.

use maskscope::app::{App, DataSource, Key, Msg};
use maskscope::runtime::feed;
use maskscope::setup::Request;

/// The first run, everything loaded: pad equals eos, so that the samples mismatch.
#[allow(dead_code)] // each test takes what it needs
pub fn first_run() -> App {
    let mut app = App::new(Request::default(), DataSource::Embedded, true);
    feed(&mut app, Msg::Resize(120, 40));
    feed(&mut app, Msg::Start);
    app
}

/// Presses keys, as `frame --keys` takes them.
pub fn press(app: &mut App, keys: &str) {
    for key in Key::parse_list(keys).expect("keys") {
        feed(app, Msg::Key(key));
    }
}
