//! Records of a data set, one after another and never all in memory: JSON arrays and lines, plain, `.gz` or `.zst`, and
//! the rows of Parquet files.
//!
//! ```text
//! paths, folders, globs, - ─► sources ─┬─► decompressed bytes ─► stream: one record as text ─► place in its file
//!                                      └─► parquet: one row as a record
//! ```
//!
//! A record that is no JSON is given as an error with its place; the stream goes on behind it where it can.

mod byte_counter;
mod cutter;
mod inflated;
mod parquet;
mod record;
mod sources;
mod stream;

pub use byte_counter::ByteCounter;
pub use inflated::inflated;
pub use parquet::parquet_batches;
pub use record::{Record, RecordError, RecordPosition};
pub use sources::{RecordSource, fits_pattern, is_same_file, sources, unread_folders};
pub use stream::{Quirks, Records};
