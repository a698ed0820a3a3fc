//! A row of the table of keys.

use super::action::Action;
use super::key::Key;
use super::screen::Screen;

/// Where a key has its meaning. Overlays take every key; a screen's keys win over the global ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyContext {
    Global,
    On(Screen),
    Picker,
    Editor,
    Template,
    Path,
    Search,
    Help,
}

impl KeyContext {
    /// All contexts, in the order of the help.
    pub fn all() -> impl Iterator<Item = Self> {
        let overlays = [Self::Picker, Self::Editor, Self::Template, Self::Path, Self::Search, Self::Help];
        [Self::Global].into_iter().chain(Screen::ALL.map(Self::On)).chain(overlays)
    }

    /// Heading in the help.
    pub fn name(self) -> &'static str {
        match self {
            Self::Global => "Everywhere",
            Self::On(screen) => screen.name(),
            Self::Picker => "Lists",
            Self::Editor => "Editor",
            Self::Template => "Template editor",
            Self::Path => "Open a file",
            Self::Search => "Search",
            Self::Help => "Help",
        }
    }

    /// Whether it takes every key.
    pub fn is_overlay(self) -> bool {
        !matches!(self, Self::Global | Self::On(_))
    }

    /// Whether characters are typed into something.
    pub fn takes_text(self) -> bool {
        self.is_overlay() && self != Self::Help
    }
}

/// Keys for one action in one context.
#[derive(Debug, Clone, Copy)]
pub struct Binding {
    pub context: KeyContext,
    /// Key names as [`Key::parse`] reads them; none for an action that only the palette offers.
    pub keys: &'static [&'static str],
    pub action: Action,
    /// What it does, for help and palette.
    pub help: &'static str,
    /// A word for the footer, where it belongs there.
    pub hint: Option<&'static str>,
}

impl Binding {
    /// The keys as a person reads them.
    pub fn keys_text(&self) -> String {
        self.quoted_keys("")
    }

    /// The same with each key between quotes.
    pub fn quoted_keys(&self, quote: &str) -> String {
        if self.keys.is_empty() {
            return "palette".to_string();
        }
        let keys = self.keys.iter().filter_map(|k| Key::parse(k));
        keys.map(|key| format!("{quote}{key}{quote}")).collect::<Vec<_>>().join(" ")
    }

    /// Where they have this meaning.
    pub fn context_text(&self) -> &'static str {
        self.context.name()
    }
}

/// A row of the table.
pub const fn bind(
    context: KeyContext,
    keys: &'static [&'static str],
    action: Action,
    help: &'static str,
    hint: Option<&'static str>,
) -> Binding {
    Binding { context, keys, action, help, hint }
}
