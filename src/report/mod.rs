//! The same results without a screen: JSON for programs, text, pages and pictures for people.

mod alignment;
mod compare;
mod doctor;
mod drift;
mod dumps;
mod explain;
mod glyphs;
mod images;
pub mod json;
mod mask;
mod moe;
mod onboard;
mod page;
mod paint;
mod sample;
mod sample_page;
mod scan;
mod scan_page;
mod special;
mod strategies;
mod svg;
mod table;
mod throughput;

pub use alignment::aligned_lines;
pub use compare::{
    CompareTotalsJson, ComparisonJson, comparison_text, label_effect, side_name, side_text, totals_text, what,
};
pub use doctor::{doctor_text, fix_text};
pub use drift::{DriftJson, DriftRowJson, drift_text};
pub use dumps::{
    DumpJson, DumpRowJson, dump_row_text, dump_text, explained_text, explained_totals_text, routes_text,
    totals_line,
};
pub use explain::explanation_lines;
pub use glyphs::{glyph_text, token_glyphs};
pub use images::{ImagesJson, images_text};
pub use json::{EncodeJson, SampleJson, SpecialJson};
pub use mask::{example_mask, status_text};
pub use moe::{expert_name, moe_legend, moe_sample_text};
pub use onboard::{StepLine, effect_text, onboarding_lines};
pub use page::{Visible, page};
pub use paint::{Paint, PaintMeaning};
pub use sample::{encoding_text, sample_text, summary_line};
pub use sample_page::{samples_page, samples_picture};
pub use scan::scan_lines;
pub use scan_page::scan_page;
pub use special::special_text;
pub use strategies::{StrategiesJson, strategies_text};
pub use svg::{Run, picture};
pub use table::table;
pub use throughput::{Throughput, pace_text, share_and_left};
