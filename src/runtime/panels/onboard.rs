//! The work of screen Onboard: work out a proposal and its patch, and write the patch.

use std::path::Path;

use crate::app::panels::doctor::CHECKED;
use crate::app::panels::onboard::{Onboarded, Outcome, Work};
use crate::diagnose::{llava_setup, onboard, patch, proposal_tokens, write_patch};
use crate::error::with_causes;

/// Name of template and function in the patch; the command line takes another one.
const NAME: &str = "backbone";

/// Does the work; `emit` takes each outcome. A proposal is not interrupted: the samples that it is proven on are as
/// few as the doctor looks at.
pub fn perform(work: Work, _cancelled: &dyn Fn() -> bool, emit: &mut dyn FnMut(Outcome)) {
    match work {
        Work::Onboard { setup, samples } => {
            let samples = samples.get(..CHECKED).unwrap_or(&samples);
            let made = llava_setup(&setup).and_then(|setup| {
                let onboarding = onboard(&setup, samples)?;
                let tokens = proposal_tokens(&setup, &onboarding);
                let patch = patch(&onboarding.setup, NAME, &tokens)?;
                Ok(Box::new(Onboarded { onboarding, patch }))
            });
            emit(match made {
                Ok(onboarded) => Outcome::Onboarded(onboarded),
                Err(error) => Outcome::Failed(with_causes(&error)),
            });
        }
        Work::Write { folder, patch } => {
            let written = write_patch(Path::new(&folder), &patch, false);
            emit(Outcome::Written(
                written
                    .map(|files| format!("wrote {} files to {folder}", files.len()))
                    .map_err(|e| with_causes(&e)),
            ));
        }
    }
}
