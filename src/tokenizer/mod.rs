//! Tokenizers as the Python classes behave.

mod core;
mod encoding;

pub use core::{AddedTokenWithId, Core, CoreParts, SharedModel};
pub use encoding::{Encoding, Piece, TokenId};
mod files;
mod special;
pub use files::FileSet;
pub use special::{AddedTokens, Role, SpecialToken, SpecialTokens};
