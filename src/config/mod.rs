//! The file with a person's own settings, and TOML files of this program in general: what they say, line by line.

mod document;
mod place;
mod settings;

pub use document::{TomlEntry, TomlFile, TomlValue, nearest};
pub use place::ConfigPlace;
pub use settings::{KeyWish, Settings, ThemeChoice};
