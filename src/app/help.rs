//! The lines of the help: the table of keys, that of the screen below first.

use super::binding::KeyContext;
use super::keymap::bindings;
use super::screen::Screen;

/// A line: keys and what they do, or a heading with nothing beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelpLine {
    pub keys: String,
    pub what: &'static str,
}

/// All lines, over a screen.
pub fn lines(screen: Screen) -> Vec<HelpLine> {
    let here = KeyContext::On(screen);
    let others = KeyContext::all().filter(|context| *context != here);
    let mut lines = Vec::new();
    for context in std::iter::once(here).chain(others) {
        lines.push(HelpLine { keys: context.name().to_string(), what: "" });
        let own = bindings().filter(|b| b.context == context);
        lines.extend(own.map(|b| HelpLine { keys: format!("  {}", b.keys_text()), what: b.help }));
    }
    lines
}
