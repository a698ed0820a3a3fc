//! The chat checks, one a file: a new one is a file here and a line in [`CHAT_CHECKS`]. Their ids go on from those of the LLaVA checks.

mod answer_parts;
mod answer_seam;
mod check;
mod control_tokens;
mod double_bos;
mod generation_prompt;
mod generation_tag;
mod generation_tag_place;
mod header_learned;
mod ignored_flags;
mod inserted_learned;
mod lost_parts;
mod mask_extent;
mod media_places;
mod other_turns;
mod preference_sides;
mod prefix;
mod prompt_ignored;
mod prompt_length;
mod release_text;
mod response_marker;
mod roles_differ;
mod stop_learned;
mod template_places;
mod terminator;
mod trainer_fails;
mod truncation;
mod two_ids;
mod unknown_tokens;

pub use check::ChatCheck;

/// All chat checks, by id.
pub const CHAT_CHECKS: &[ChatCheck] = &[
    terminator::CHECK,
    stop_learned::CHECK,
    mask_extent::CHECK,
    generation_tag::CHECK,
    generation_tag_place::CHECK,
    header_learned::CHECK,
    inserted_learned::CHECK,
    other_turns::CHECK,
    prefix::CHECK,
    prompt_length::CHECK,
    response_marker::CHECK,
    answer_seam::CHECK,
    truncation::CHECK,
    double_bos::CHECK,
    unknown_tokens::CHECK,
    prompt_ignored::CHECK,
    generation_prompt::CHECK,
    trainer_fails::CHECK,
    answer_parts::CHECK,
    lost_parts::CHECK,
    media_places::CHECK,
    ignored_flags::CHECK,
    preference_sides::CHECK,
    release_text::CHECK,
    two_ids::CHECK,
    roles_differ::CHECK,
    template_places::CHECK,
    control_tokens::CHECK,
];
