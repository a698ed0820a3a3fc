//! The work of screen Onboard.

use crate::app::panels::onboard::{Outcome, Work};

/// Does the work; `emit` takes each outcome, `cancelled` says that nobody waits any more.
pub fn perform(_work: Work, _cancelled: &dyn Fn() -> bool, _emit: &mut dyn FnMut(Outcome)) {}
