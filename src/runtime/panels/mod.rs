//! What the panels' jobs do, one file a panel.

mod compare;
mod doctor;
mod experts;
mod onboard;
mod scan;
mod strategies;

use crate::app::panels::{PanelOutcome, PanelWork};

/// Does a panel's work; `emit` takes each outcome, `cancelled` says that nobody waits any more.
pub fn perform(work: PanelWork, cancelled: &dyn Fn() -> bool, emit: &mut dyn FnMut(PanelOutcome)) {
    match work {
        PanelWork::Doctor(work) => doctor::perform(*work, cancelled, &mut |o| emit(PanelOutcome::Doctor(o))),
        PanelWork::Onboard(work) => {
            onboard::perform(*work, cancelled, &mut |o| emit(PanelOutcome::Onboard(o)));
        }
        PanelWork::Experts(work) => {
            experts::perform(*work, cancelled, &mut |o| emit(PanelOutcome::Experts(o)))
        }
        PanelWork::Compare(work) => {
            compare::perform(*work, cancelled, &mut |o| emit(PanelOutcome::Compare(o)))
        }
        PanelWork::Strategies(work) => {
            strategies::perform(*work, cancelled, &mut |o| emit(PanelOutcome::Strategies(o)));
        }
        PanelWork::Scan(work) => scan::perform(*work, cancelled, &mut |o| emit(PanelOutcome::Scan(o))),
    }
}
