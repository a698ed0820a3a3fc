//! The checks, one a file. A new one is a file here and a line in [`CHECKS`]; what they share is in [`check`].

mod answer_shapes;
mod bare_space;
mod cannot_encode;
mod check;
mod closing_uncounted;
mod count_term;
mod counted_bos;
mod cut_answers;
mod double_bos;
mod eaten_space;
mod empty_turn;
mod ends_on_user;
mod image_behind_cut;
mod image_chunks;
mod image_count;
mod image_in_answer;
mod join;
mod legacy_correction;
mod length_guard;
mod literal_mark;
mod literal_separator;
mod loaded_twice;
mod loading;
mod missing_bos;
mod new_rows;
mod other_loaders;
mod pad_in_text;
mod pad_is_a_word;
mod pad_is_eos;
mod pad_is_separator;
mod pad_missing;
mod pieces_differ;
mod roles;
mod separator_not_one;
mod silent_mask;
mod start;
mod stop_token;
mod style;
mod template_name;
mod turn_boundaries;
mod vocabulary;

pub use check::{Check, CheckOutcome};

/// All checks, by id.
pub const CHECKS: &[Check] = &[
    template_name::CHECK,
    empty_turn::CHECK,
    counted_bos::CHECK,
    missing_bos::CHECK,
    separator_not_one::CHECK,
    pad_is_separator::CHECK,
    count_term::CHECK,
    length_guard::CHECK,
    pad_missing::CHECK,
    pad_is_a_word::CHECK,
    pad_is_eos::CHECK,
    stop_token::CHECK,
    literal_separator::CHECK,
    literal_mark::CHECK,
    ends_on_user::CHECK,
    roles::CHECK,
    pad_in_text::CHECK,
    image_count::CHECK,
    cut_answers::CHECK,
    join::CHECK,
    legacy_correction::CHECK,
    turn_boundaries::CHECK,
    new_rows::CHECK,
    image_chunks::CHECK,
    start::CHECK,
    eaten_space::CHECK,
    image_behind_cut::CHECK,
    loaded_twice::CHECK,
    closing_uncounted::CHECK,
    silent_mask::CHECK,
    style::CHECK,
    bare_space::CHECK,
    double_bos::CHECK,
    pieces_differ::CHECK,
    cannot_encode::CHECK,
    answer_shapes::CHECK,
    image_in_answer::CHECK,
    vocabulary::CHECK,
    other_loaders::CHECK,
    loading::CHECK,
];
