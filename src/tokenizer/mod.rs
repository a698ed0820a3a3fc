//! Tokenizers as the Python classes behave.

mod added;
mod byte_alphabet;
mod census;
mod class;
mod config;
mod convert;
mod core;
mod decode;
mod encoding;
pub mod explain;
mod fast;
mod fast_change;
mod files;
pub mod formats;
mod gguf;
mod load;
mod loaded;
mod profile;
mod quick;
mod recognize;
pub mod slow;
mod special;
mod standalone;
mod table;
mod v5;

pub use census::Census;
pub use class::{ClassFacts, Loader, Release, Side, VERY_LARGE_INTEGER};
pub use core::{AddedTokenWithId, Core, CoreParts, SharedModel};
pub use encoding::{Encoding, IGNORE_INDEX, IMAGE_TOKEN_INDEX, NO_ID, Piece, TokenId};
pub use files::{CHAT_TEMPLATES, FileSet};
pub use load::{LoadOptions, load};
pub use loaded::Tokenizer;
pub use profile::Profile;
pub use quick::{QuickEncoder, Unsure, Words};
pub use special::{AddedTokens, Role, SpecialToken, SpecialTokens};
pub use table::{RoleToken, SpecialTokenTable};
