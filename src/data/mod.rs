//! Records of a data set, one after another and never all in memory: JSON arrays and lines, plain, `.gz` or `.zst`.
//!
//! ```text
//! paths, folders, globs, - ─► sources ─► decompressed bytes ─► stream: one record as text ─► place in its file
//! ```
//!
//! A record that is no JSON is given as an error with its place; the stream goes on behind it where it can.

mod sources;
mod stream;

pub use sources::{Source, sources};
pub use stream::{Place, Record, Records};
