//! How many of the first samples end how under a set-up, for previews.

use crate::chat::Sample;
use crate::labels::StatusCounts;
use crate::setup::Setup;

/// A preview looks at this many samples at most: it runs at every movement of a list's cursor.
pub const PREVIEW_LIMIT: usize = 200;

/// The count over samples under a set-up.
pub fn count_statuses(setup: &Setup, samples: &[Sample]) -> StatusCounts {
    samples.iter().map(|sample| setup.inspect(sample).status().kind()).collect()
}
