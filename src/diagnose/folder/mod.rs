//! What the files of one tokenizer say about one another: ids of tokens, tokens with a role, chat templates.
//!
//! Files that were saved by different releases, or edited by hand, contradict each other without a word; which of them
//! counts depends on class and release. Measured with transformers 4.37.0, 4.57.6 and 5.23.0
//! (`tests/scripts/record_contradictions.py`).

mod ids;
mod roles;
mod templates;

pub use ids::{IdConflict, id_conflicts, used_ids};
pub use roles::role_conflicts;
pub use templates::template_conflict;
