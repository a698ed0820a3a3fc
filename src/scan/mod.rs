//! A whole data set under a set-up: every sample labelled as the training code would, states and causes counted.
//!
//! ```text
//! records ─► batch ─► parse, label, diagnose (all cores) ─► counts of the batch ─┐
//!                                                                      merge ◄───┘ ─► finish ─► ScanReport
//! ```
//!
//! [`ScanReport`]s of parts of the data merge into the report of the whole: all of it is counts and sums, and lists cut
//! to a length by an order that does not depend on who came first.

mod checkpoint;
mod counted;
mod counts;
mod engine;
mod example;
mod fast_labeler;
mod finish;
mod fix_samples;
mod report;
mod trial_texts;

pub use checkpoint::{ScanCheckpoint, ScanPosition};
pub use counted::{Counted, Lengths};
pub use counts::{CauseCount, CutLoss, SourceCount};
pub use engine::{RecordStatus, ScanBatch, ScanMode, Scanner};
pub use example::{BadRecord, Example, Mask, MaskStretch};
pub use fix_samples::{DRAWN, FixEffect, FixSample, SampledRecord};
pub use report::{MOST_ROUNDS, MOST_SOURCES, SCHEMA_VERSION, ScanReport, bucket};
