//! Which tokens of a conversation are supervised, and how the training code counts them.

mod outcome;

pub use outcome::*;
