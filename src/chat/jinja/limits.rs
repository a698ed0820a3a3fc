//! What a template may use up, so that a hostile one ends with an error.
//!
//! Fuel counts instructions and bytes (see `minijinja::Environment::set_fuel`); the sizes here bound what
//! a single operation of ours may build before the engine can charge for it.

/// Fuel of one rendering: an instruction, or 64 bytes of text made or read, costs one. That is 320 MB of
/// text at most; of 786 real templates none comes near it.
pub const FUEL: u64 = 5_000_000;
/// Largest text that a template may produce, in bytes; no longer one is encoded.
pub const MAX_OUTPUT: usize = 16 << 20;
/// Largest string that one filter or method may build, in bytes.
pub const MAX_STRING: usize = 16 << 20;
/// Deepest nesting that is printed or serialised.
pub const MAX_DEPTH: usize = 200;
/// Deepest recursion of macros. Python's own limit is 1000 frames, several of them a macro call.
pub const MAX_RECURSION: usize = 200;
/// Most tokens of one tag. The engine goes down a level for each of `1 + 1 + …`, `not not …` or `x.a.b…`, in parsing, in
/// compiling and in freeing the tree; the largest tags of real templates have some hundred.
pub const MAX_TAG_TOKENS: usize = 4000;
/// Most `elif` of one template: each is a level as well.
pub const MAX_ELIFS: usize = 1000;
/// Most items that a list or dict which the template builds may hold, those of its items counted wherever they occur.
pub const MAX_ITEMS: usize = 100_000;
/// Most items of one value that is compared, those of its items counted wherever they occur; a conversation has fewer.
pub const MAX_COMPARED: usize = 1_000_000;
/// Largest template source that is read, in bytes.
pub const MAX_SOURCE: u64 = 1 << 20;

/// A value is larger or deeper than [`MAX_STRING`] or [`MAX_DEPTH`] allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a value of the template is larger than {} MiB or nested deeper than {MAX_DEPTH}", MAX_STRING >> 20)]
pub struct TooLarge;

/// Charges the rendering for so many items or bytes that an operation of ours went through; the engine charges for its
/// own.
///
/// # Errors
/// The fuel is used up.
pub fn charge(state: &minijinja::State, items: usize) -> Result<(), minijinja::Error> {
    state.consume_fuel(u64::try_from(items).unwrap_or(u64::MAX) / 8 + 1)
}

/// A string that refuses to grow beyond [`MAX_STRING`].
#[derive(Debug, Default)]
pub struct BoundedText(String);

impl BoundedText {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn push(&mut self, c: char) -> Result<(), TooLarge> {
        self.push_str(c.encode_utf8(&mut [0; 4]))
    }

    pub fn push_str(&mut self, text: &str) -> Result<(), TooLarge> {
        if self.0.len() + text.len() > MAX_STRING {
            return Err(TooLarge);
        }
        self.0.push_str(text);
        Ok(())
    }

    pub fn into_string(self) -> String {
        self.0
    }
}

impl From<TooLarge> for minijinja::Error {
    fn from(error: TooLarge) -> Self {
        Self::new(minijinja::ErrorKind::OutOfFuel, error.to_string()).with_source(error)
    }
}
