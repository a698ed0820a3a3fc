//! The same results without a screen: JSON for programs, text for people.

pub mod json;
mod paint;
mod sample;
mod special;
mod table;

pub use json::{EncodeJson, SampleJson, SpecialJson};
pub use paint::Paint;
pub use sample::{encoding_text, sample_text, summary_line};
pub use special::special_text;
pub use table::table;
