//! The hub client: from `org/name@revision` to a folder of checked files in the cache that Python uses too.
//!
//! ```no_run
//! use std::ops::ControlFlow;
//! use maskscope::hub::{HubId, HubOptions, WantedFiles, fetch};
//!
//! let id = HubId::parse("microsoft/phi-2")?;
//! let folder = fetch(&id, &HubOptions::from_env(), WantedFiles::tokenizer(), &mut |progress| {
//!     eprintln!("{} {} bytes", progress.file, progress.bytes);
//!     ControlFlow::Continue(())
//! })?;
//! # Ok::<(), maskscope::hub::HubError>(())
//! ```
//!
//! # One fetch
//! ```text
//! list     GET  api/models/ID/revision/REV    commit, file names       listing
//! check    HEAD ID/resolve/REV/FILE           ETag, size               metadata
//! load     GET  ID/resolve/COMMIT/FILE        blobs/ETAG, if not there download
//! publish  snapshots/COMMIT/FILE → blobs/ETAG, then refs/REV           cache
//! ```
//! Names appear in `snapshots` only when every file is whole and checked. When the first two steps meet an
//! outage, a copy in the cache serves instead; a refusal (gated, missing, …) is an error even so.
//!
//! # What is hf-hub's and what is not
//! From `hf-hub` 0.5.0 come the cache layout and the token file. Its download is not
//! used: it has no deadline, takes a cut body without Content-Length for a whole file, needs a server with
//! Range, checks no hash, answers a refusal with a bare status, and panics without a home folder. `ureq`, which
//! hf-hub brings along, does the requests instead (`http.rs`, the only file that names it).
//!
//! # Trust
//! Everything a server sends is untrusted: names become paths only after a check, sizes and answers have limits,
//! nothing is executed. The token goes to the endpoint's own origin and nowhere else, and is never part of
//! a message. Text from servers is kept raw in errors; who prints them sends them through the display door.

mod cache;
mod cached;
mod checksum;
mod commit;
mod dataset;
mod download;
mod error;
mod fetch;
mod http;
mod id;
mod listing;
mod metadata;
mod options;
mod progress;
mod refusal;

pub use cached::{CachedModel, cached_models};
pub use dataset::{DATASET_PREFIX, DatasetFiles};
pub use error::HubError;
pub use fetch::fetch;
pub use id::HubId;
pub use listing::{WantedFiles, is_tokenizer_file};
pub use options::{AccessToken, HubOptions};
pub use progress::{DownloadProgress, Stage};
