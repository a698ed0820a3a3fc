//! What parent and child know of each other.

/// The hidden subcommand that makes this binary the child.
pub const SUBCOMMAND: &str = "__sandbox";
/// Exit status of a child whose time was up.
pub const TIME_IS_UP: i32 = 97;
