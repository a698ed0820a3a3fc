//! Keys as data: parsed from their names, independent of the terminal library.

use std::fmt;

use crate::error::{Error, Result};

/// What was pressed, without modifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    Char(char),
    Enter,
    Esc,
    Tab,
    BackTab,
    Backspace,
    Delete,
    Left,
    Right,
    Up,
    Down,
    Home,
    End,
    PageUp,
    PageDown,
}

/// A key with its modifiers. Shift is part of the character.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    pub code: Code,
    pub ctrl: bool,
    pub alt: bool,
}

const NAMES: &[(&str, Code)] = &[
    ("enter", Code::Enter),
    ("esc", Code::Esc),
    ("tab", Code::Tab),
    ("shift-tab", Code::BackTab),
    ("backspace", Code::Backspace),
    ("delete", Code::Delete),
    ("left", Code::Left),
    ("right", Code::Right),
    ("up", Code::Up),
    ("down", Code::Down),
    ("home", Code::Home),
    ("end", Code::End),
    ("pgup", Code::PageUp),
    ("pgdn", Code::PageDown),
    ("space", Code::Char(' ')),
];

impl Key {
    /// A key without modifiers.
    pub const fn plain(code: Code) -> Self {
        Self { code, ctrl: false, alt: false }
    }

    /// Reads `x`, `enter`, `ctrl-c`, `alt-enter`; `None` for anything else.
    pub fn parse(name: &str) -> Option<Self> {
        if let Some(rest) = name.strip_prefix("ctrl-") {
            return Self::parse(rest).map(|key| Self { ctrl: true, ..key });
        }
        if let Some(rest) = name.strip_prefix("alt-") {
            return Self::parse(rest).map(|key| Self { alt: true, ..key });
        }
        if let Some((_, code)) = NAMES.iter().find(|(n, _)| *n == name) {
            return Some(Self::plain(*code));
        }
        let mut chars = name.chars();
        match (chars.next(), chars.next()) {
            (Some(c), None) if !c.is_control() => Some(Self::plain(Code::Char(c))),
            _ => None,
        }
    }

    /// Reads keys separated by blanks, as `frame --keys` takes them; a word that is no key name is typed.
    ///
    /// # Errors
    /// A modifier without a key behind it.
    #[cfg_attr(not(feature = "internals"), allow(dead_code))]
    pub fn parse_list(text: &str) -> Result<Vec<Self>> {
        Ok(Self::parse_words(text)?.into_iter().flat_map(|word| word.keys()).collect())
    }

    /// The same, with the words that are typed kept apart: they want something to be typed into.
    ///
    /// # Errors
    /// A modifier without a key behind it.
    pub fn parse_words(text: &str) -> Result<Vec<KeyWord>> {
        let word = |word: &str| match Self::parse(word) {
            Some(key) => Ok(KeyWord::Key(key)),
            None if word.starts_with("ctrl-") || word.starts_with("alt-") => {
                Err(Error::Usage(format!("{word:?} is no key: write one like ctrl-c or alt-enter")))
            }
            None => Ok(KeyWord::Typed(word.to_string())),
        };
        text.split_whitespace().map(word).collect()
    }

    /// The names of keys that are no characters.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(name, _)| *name)
    }
}

/// A word of a list of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyWord {
    Key(Key),
    /// No key's name: its characters one after another.
    Typed(String),
}

impl KeyWord {
    /// The keys that are pressed.
    pub fn keys(&self) -> Vec<Key> {
        match self {
            Self::Key(key) => vec![*key],
            Self::Typed(text) => text.chars().map(|c| Key::plain(Code::Char(c))).collect(),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ctrl {
            f.write_str("ctrl-")?;
        }
        if self.alt {
            f.write_str("alt-")?;
        }
        let arrow = match self.code {
            Code::Left => "←",
            Code::Right => "→",
            Code::Up => "↑",
            Code::Down => "↓",
            Code::Char(c) if c != ' ' => return write!(f, "{c}"),
            code => NAMES.iter().find(|(_, c)| *c == code).map_or("?", |(name, _)| name),
        };
        f.write_str(arrow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_keys() {
        assert_eq!(Key::parse("N"), Some(Key::plain(Code::Char('N'))));
        assert_eq!(Key::parse("ctrl-c"), Some(Key { code: Code::Char('c'), ctrl: true, alt: false }));
        assert_eq!(Key::parse("alt-enter"), Some(Key { code: Code::Enter, ctrl: false, alt: true }));
        assert_eq!(Key::parse("nonsense"), None);
        assert_eq!(Key::parse(""), None);
    }

    #[test]
    fn a_list_types_what_is_no_key() {
        let keys = Key::parse_list("t mis enter").expect("keys");
        let shown: Vec<String> = keys.iter().map(Key::to_string).collect();
        assert_eq!(shown, ["t", "m", "i", "s", "enter"]);
        assert!(Key::parse_list("ctrl-nothing").is_err());
    }
}
