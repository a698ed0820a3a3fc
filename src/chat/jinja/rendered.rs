//! What a template made of a conversation.

use super::tracker::Span;

/// A rendered conversation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rendered {
    pub text: String,
    /// The `{% generation %}` blocks in the order in which they end; empty without the tag.
    pub spans: Vec<Span>,
    /// For each message the byte at which its turn begins, as the loop over the messages showed; `None` for messages
    /// that no loop took. Only a claim: text that a macro or a `set` block collects is written later.
    pub turn_starts: Vec<Option<usize>>,
}
