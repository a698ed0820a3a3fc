//! The same results without a screen: JSON for programs, text for people.

mod alignment;
mod compare;
mod doctor;
mod explain;
mod images;
pub mod json;
mod moe;
mod paint;
mod sample;
mod scan;
mod special;
mod strategies;
mod table;

pub use alignment::aligned_lines;
pub use compare::{
    CompareTotalsJson, ComparisonJson, comparison_text, label_effect, part_text, side_name, side_state,
    totals_text, what,
};
pub use doctor::{doctor_text, fix_text};
pub use explain::explanation_lines;
pub use images::{ImagesJson, images_text};
pub use json::{EncodeJson, SampleJson, SpecialJson};
pub use moe::{expert_name, moe_legend, moe_sample_text};
pub use paint::Paint;
pub use sample::{encoding_text, glyph_text, sample_text, summary_line, token_glyphs};
pub use scan::scan_lines;
pub use special::special_text;
pub use strategies::{StrategiesJson, strategies_text};
pub use table::table;
