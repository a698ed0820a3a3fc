//! One sample as text: its state, its tokens by stretch with long masked ones folded, and the sum of lengths.

use std::io::Write;

use super::alignment::aligned_lines;
use super::glyphs::token_glyphs;
use super::mask::status_text;
use super::paint::Paint;
use super::paint::PaintMeaning;
use crate::chat::Sample;
use crate::diagnose::{PairedRound, RecordAccount, align_tokens, alignment_line};
use crate::labels::{
    IMAGE_TOKEN_INDEX, Inspection, Labelled, LoopEnd, Segment, SegmentKind, StatusCounts, StatusKind,
    TokenLabel,
};
use crate::setup::Setup;
use crate::text;
use crate::tokenizer::{Encoding, Role, TokenId, Tokenizer};

/// A masked stretch longer than this is folded to its ends.
const FOLD_ABOVE: usize = 48;
/// Tokens that stay visible at each end of a folded stretch.
const FOLD_KEEPS: usize = 10;

/// Cells that aligned token lines may take.
const ALIGNED_CELLS: usize = 84;

/// Writes one inspected sample.
pub fn sample_text(
    out: &mut dyn Write,
    setup: &Setup,
    sample: &Sample,
    inspection: &Inspection,
    paint: Paint,
) -> std::io::Result<()> {
    let title =
        format!("{} · template {} · rule {}", inspection.id, inspection.template, inspection.preprocess);
    writeln!(out, "{}", paint.paint(&text::plain(&title), PaintMeaning::Heading, false))?;
    let meaning = if inspection.status().is_sound() { PaintMeaning::Good } else { PaintMeaning::Bad };
    writeln!(out, "  {}", paint.paint(&text::plain(&status_text(inspection)), meaning, false))?;
    let Ok(labelled) = &inspection.result else {
        return match setup.chat() {
            Some(_) => writeln!(out),
            None => writeln!(out, "  the training code raises; the dataset resamples\n"),
        };
    };
    for segment in &labelled.segments {
        writeln!(
            out,
            "  {} {}",
            segment_heading(segment, labelled),
            segment_text(setup, labelled, segment, paint)
        )?;
    }
    for line in stop_line(setup, labelled).into_iter().chain(length_lines(setup, labelled)) {
        writeln!(out, "  {}", text::plain(&line))?;
    }
    for note in &labelled.notes {
        let line = match note.tokens.is_empty() {
            true => format!("note: {}", note.text),
            false => format!("note: tokens {} to {}: {}", note.tokens.start, note.tokens.end, note.text),
        };
        writeln!(out, "  {}", text::plain(&line))?;
    }
    if labelled.mismatch || labelled.cur_len != labelled.total_len {
        let parted = align_tokens(setup, inspection).into_iter();
        let differs = |r: &PairedRound| r.alignment.off != 0 || r.alignment.difference.is_some();
        for round in parted.filter(differs) {
            writeln!(out, "  aligned    {}", text::plain(&alignment_line(&round.alignment)))?;
            let [alone, here, marks] = aligned_lines(&round, ALIGNED_CELLS);
            writeln!(
                out,
                "    alone      {alone}\n    in prompt  {here}\n               {}",
                marks.trim_end()
            )?;
        }
    }
    if let Some(account) = RecordAccount::of(setup, sample, inspection) {
        for line in account.lines() {
            writeln!(
                out,
                "  {}",
                paint.paint(&text::plain(&format!("not carried: {line}")), PaintMeaning::Bad, false)
            )?;
        }
    } else if sample.has_image && labelled.input_ids.iter().all(|id| *id != IMAGE_TOKEN_INDEX) {
        writeln!(out, "  note: the record names an image, and no turn has a placeholder for it")?;
    }
    writeln!(out)
}

pub(super) fn segment_heading(segment: &Segment, labelled: &Labelled) -> String {
    let message = segment.round.and_then(|r| labelled.rounds.get(r)?.message.as_ref());
    let round = match (segment.round, message) {
        (_, Some(message)) => format!("{} {}", message.index + 1, text::plain(&message.role)),
        (Some(round), None) => format!("round {}", round + 1),
        (None, None) => String::new(),
    };
    let all = |label| segment.tokens.clone().all(|index| labelled.token_label(index) == Some(label));
    let what = match segment.kind {
        SegmentKind::Start => "start",
        SegmentKind::Tail => "tail",
        SegmentKind::Header => "header",
        SegmentKind::TurnHead => "left in",
        _ if all(TokenLabel::Masked) => TokenLabel::Masked.name(),
        _ if labelled.mismatch => TokenLabel::Discarded.name(),
        _ if all(TokenLabel::Truncated) => TokenLabel::Truncated.name(),
        _ => TokenLabel::Supervised.name(),
    };
    let width = if message.is_some() { 13 } else { 9 };
    format!("{round:<width$}{what:<11}{:>5} ", segment.tokens.len())
}

fn segment_text(setup: &Setup, labelled: &Labelled, segment: &Segment, paint: Paint) -> String {
    let all: Vec<usize> = segment.tokens.clone().collect();
    let foldable =
        all.len() > FOLD_ABOVE && all.iter().all(|i| labelled.token_label(*i) == Some(TokenLabel::Masked));
    let show = |indices: &[usize]| {
        let tokens = indices.iter().map(|&i| {
            let id = labelled.input_ids.get(i).copied().unwrap_or_default();
            let meaning = match labelled.token_label(i) {
                Some(TokenLabel::Supervised) => PaintMeaning::Supervised,
                Some(TokenLabel::Discarded | TokenLabel::Truncated) => PaintMeaning::Lost,
                Some(TokenLabel::Masked) | None => PaintMeaning::Masked,
            };
            paint.paint(&token_glyphs(&setup.tokenizer, id), meaning, i % 2 == 1)
        });
        tokens.collect::<Vec<_>>().join(if paint == Paint::Plain { "|" } else { "" })
    };
    match (foldable, all.split_at_checked(FOLD_KEEPS), all.len().checked_sub(FOLD_KEEPS)) {
        (true, Some((head, _)), Some(tail_at)) => {
            let tail = all.get(tail_at..).unwrap_or_default();
            let folded = all.len() - head.len() - tail.len();
            format!("{} ⋯ {folded} masked ⋯ {}", show(head), show(tail))
        }
        _ => show(&all),
    }
}

/// Why the loop over the rounds ended before the prompt did.
pub(super) fn stop_line(setup: &Setup, labelled: &Labelled) -> Option<String> {
    match labelled.stop {
        LoopEnd::Parts { round, parts } => {
            let llava = setup.llava()?;
            let mark = llava.rule.answer_mark(&llava.template);
            Some(format!(
                "rounds     parsed: {round}; round {} splits into {parts} parts at {mark:?}, not 2: all that follows is masked",
                round + 1
            ))
        }
        LoopEnd::EmptyRound { .. } | LoopEnd::End | LoopEnd::NoLoop => None,
    }
}

/// The sum of lengths in numbers: how `cur_len` and `total_len` come about.
pub(super) fn length_lines(setup: &Setup, labelled: &Labelled) -> Vec<String> {
    let (Some(cur), Some(total)) = (labelled.cur_len, labelled.total_len) else { return Vec::new() };
    let start = cur - labelled.rounds.iter().map(|r| r.round_len).sum::<i64>();
    let rounds: Vec<String> = labelled.rounds.iter().map(|r| r.round_len.to_string()).collect();
    let sum =
        if rounds.is_empty() { "no round".to_string() } else { format!("rounds {}", rounds.join(" + ")) };
    let mut lines = vec![format!("cur_len    start {start} + {sum} = {cur}")];
    let pad = setup.tokenizer.role_id(Role::Pad);
    let padded = labelled.input_ids.iter().filter(|id| pad.map(i64::from) == Some(**id)).count();
    let pad_token = setup.tokenizer.special.get(Role::Pad).map_or("none", |t| t.content.as_str());
    let ids = labelled.input_ids.len();
    let why =
        if pad.is_some() && pad == setup.tokenizer.role_id(Role::Eos) { ", which is eos too" } else { "" };
    let counted = i64::try_from(ids - padded).unwrap_or(i64::MAX);
    let correction = match total - counted {
        0 => String::new(),
        more => format!(" + {more} separators"),
    };
    lines.push(format!(
        "total_len  {ids} ids − {padded} equal to pad ({pad_token}{why}){correction} = {total}"
    ));
    lines
}

/// `14 samples: ✓ 9 sound, ∅ 1 silent, ✗ 3 mismatch, ! 1 raises`.
pub fn summary_line(counts: &StatusCounts) -> String {
    let of = |kind: &StatusKind| format!("{} {} {}", kind.symbol(), counts.count(*kind), kind.name());
    let parts: Vec<String> = StatusKind::ALL.iter().map(of).collect();
    format!("{} samples: {}", counts.total(), parts.join(", "))
}

/// Writes one encoded text: its tokens, then their ids.
pub fn encoding_text(
    out: &mut dyn Write,
    tokenizer: &Tokenizer,
    input: &str,
    encoding: &Encoding,
) -> std::io::Result<()> {
    let tokens: Vec<String> = encoding.ids.iter().map(|id| token_glyphs(tokenizer, i64::from(*id))).collect();
    let ids: Vec<String> = encoding.ids.iter().map(TokenId::to_string).collect();
    writeln!(out, "{}", text::plain(input))?;
    writeln!(out, "  {} tokens  {}", tokens.len(), tokens.join("|"))?;
    writeln!(out, "  ids  {}", ids.join(" "))
}
