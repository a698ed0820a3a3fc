//! A training repository, read and run: which label function a version leads to, and what that function makes of a sample.
//!
//! ```text
//! checkout ─ reading ─ entry ─┐
//!   files     table    what   ├─ function ─ sandbox ─ ids, labels, what was printed, trace
//! pieces ─ tokenizer_api ─────┘
//! ```

mod bounded_parse;
mod changes;
mod checkout;
mod entry;
mod function;
mod inspection;
mod line_edit;
mod lines;
mod listing;
mod named_texts;
mod names;
mod pieces;
mod places;
mod reading;
mod script;
mod setup_lines;
mod spans;
mod tokenizer_api;
mod verify;

pub use changes::{Argument, function_sets_roles};
pub use checkout::Checkout;
pub use entry::{DispatchEntry, FunctionChoice, find, library_of};
pub use function::{CallOptions, Event, FunctionRun, Raised, RepositoryFunction, TemplateTexts};
pub use inspection::inspect;
pub use line_edit::{LineEdit, add_to_value};
pub use listing::{CodeLine, CodeListing, listing};
pub use named_texts::named_texts;
pub use places::{DispatchPlace, RegistryPlace, dispatch_place, registry_place};
pub use reading::{DispatchKind, Item, ItemKind, Reading, Registry, read};
pub use script::{LoadCall, Script, script};
pub use setup_lines::{SetupCode, own_setup, script_of};
pub use tokenizer_api::Loading;
pub use verify::{PythonRun, Verification, Verified, verify};
