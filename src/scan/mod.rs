//! A whole data set under a set-up: every sample labelled as the training code would, states and causes counted.
//!
//! ```text
//! records ─► batch ─► parse, label, diagnose (all cores) ─► counts of the batch ─┐
//!                                                                      merge ◄───┘ ─► Report
//! ```
//!
//! [`Report`]s of parts of the data merge into the report of the whole: all of it is counts and sums, and lists cut
//! to a length by an order that does not depend on who came first.

mod engine;
mod report;

pub use engine::{Batch, Judged, Scanner, State};
pub use report::{BadRecord, CauseCount, Example, Report, SCHEMA_VERSION, SourceCount, bucket};
