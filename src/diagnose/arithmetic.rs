//! What the rule of a set-up takes for granted of the tokenizer.

use crate::chat::SeparatorStyle;
pub use crate::labels::rules::Arithmetic;
use crate::setup::LlavaSetup;

impl Arithmetic {
    /// What the rule of a set-up assumes for text samples or for samples with an image; `None` for rules that do not
    /// count, or where even the separator cannot be encoded.
    pub fn of(setup: &LlavaSetup, has_image: bool) -> Option<Self> {
        let labelling = &setup.labelling;
        labelling.rule.counting().arithmetic(&setup.tokenizer, &labelling.template, has_image)
    }
}

/// True where the template writes turns as `ROLE: text` between two separators.
pub fn has_two_separators(setup: &LlavaSetup) -> bool {
    setup.labelling.template.style == SeparatorStyle::Two
}
