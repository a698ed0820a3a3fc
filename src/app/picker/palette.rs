//! Every action by name.

use super::{PickerChoice, PickerEntry};
use crate::app::action::Action;
use crate::app::keymap::bindings;

/// The actions of all screens, with their keys.
pub fn palette() -> Vec<PickerEntry> {
    let mut entries: Vec<PickerEntry> = Vec::new();
    let offered = bindings().filter(|b| !b.context.is_overlay());
    for binding in offered.filter(|b| b.action != Action::Palette && b.action != Action::Accept) {
        let choice = PickerChoice::Act(binding.action);
        if !entries.iter().any(|e| e.choice == choice) {
            entries.push(PickerEntry::new(binding.help, binding.keys_text(), choice));
        }
    }
    entries
}
