//! Changes of the data itself that a doctor can try: each takes a conversation and gives another, with the Python that
//! does the same to a data set.

mod edit;
mod kind;
mod python;
#[cfg(test)]
mod tests;

pub use edit::USUAL_ROLES;
pub use kind::DataFix;
pub use python::program;
