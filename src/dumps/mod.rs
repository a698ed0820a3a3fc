//! Token dumps: ids, labels and masks that were made elsewhere, opened, brought into one form and checked.
//!
//! ```text
//! files ─► read ─► RawRow (named cells) ─► row ─► DumpRow (fields by their meaning)
//!                                                   │
//!            convention: how the file labels ───────┤
//!                                                   ▼
//!                                     fed: each token's label at its own place ─► checks, explained, drift
//! ```
//!
//! Readers hold one row, or one record batch of the file, at a time. What a key means is decided in [`keys`], and what
//! the numbers mean in [`convention`]; everything behind it sees ids and labels as this program's own strategies give them.

mod cell;
mod checks;
mod convention;
mod drift;
mod dump_setup;
mod explained;
mod fed;
mod hook;
mod keys;
mod opened;
mod read;
mod routes;
mod row;
mod token_facts;

pub use cell::{DumpCell, Numbers};
pub use checks::{DUMP_CHECKS, DumpCheck, DumpChecks, RowHit, RowHits, RowLook};
pub use convention::{Convention, LabelForm, MaskForm, Packing, Padding};
pub use drift::{Drift, DriftAgainst, DriftClass, DriftCounts, DriftExample, LogProbGap, row_gaps};
pub use dump_setup::DumpSetup;
pub use explained::{DivergenceCause, Explained, ExplainedTotals, FirstDivergence, SamplesBySaying};
pub use fed::{Document, FedRow};
pub use hook::{HOOK_TRAINERS, HookTrainer, hook_lines};
pub use keys::{Field, Keys};
pub use opened::{CheckedRow, TokenDump};
pub use read::DumpRows;
pub use routes::{LayerRoutes, RouteCounts};
pub use row::{DumpRow, RawRow, RowMask, RowPlace, TokenValues, split_batches};
pub use token_facts::TokenFacts;
