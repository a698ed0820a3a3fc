//! What is wrong with rows that a trainer was fed, found row by row and decided for the file as a whole.
//!
//! ```text
//! FedRow ─► look: what the row has (a few bytes) ─► DumpChecks::add ─► finish: findings
//! ```
//!
//! Some faults show in a row alone. Others only beside the other rows: whether eos is supervised at all, what share of tokens is
//! usual, which rows are there twice. So each row leaves a few numbers behind, and nothing else is kept of it.

mod check;
mod findings;
mod look;
mod outcome;
mod tally;

pub use check::{DUMP_CHECKS, DumpCheck};
pub use look::{RowHit, RowHits, RowLook};
pub use tally::DumpChecks;
