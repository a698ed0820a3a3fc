//! The generation prompt laid over the training text: for each answer where both part, where learning begins, and
//! whether it ends on a token at which generation stops.
//!
//! ```text
//! hf_generation · generation stops at <|im_end|> (151645)
//! ✓ message 2  starts where the prompt ends · learns the stop token · 12 tokens
//! ✗ message 4  2 tokens of the prompt are supervised · …
//!
//! inference  …<|im_start|>assistant↵│
//! training   …<|im_start|>assistant↵│Ten.<|im_end|>↵
//! learned                            ████▓▓▓▓▓▓▓▓▓▓
//! ```

use crate::app::Area;
use crate::app::screens::strategies::{ComparedStrategies, StrategiesScreen};
use crate::masks::compare::{ComparisonCell, Strip};
use crate::masks::overlay::{AnswerStart, AnswerStop, LabelOverlay, LabelledAnswer};
use crate::text::{Spaces, glyphs, glyphs_width};
use crate::ui::canvas::Canvas;
use crate::ui::theme::Meaning;

/// Draws the view.
pub fn draw(canvas: &mut Canvas<'_>, state: &StrategiesScreen, area: Area, compared: &ComparedStrategies) {
    let Some((index, strip)) = compared.strip(state.strip) else { return };
    let stops: Vec<String> = compared.stops.iter().map(|id| token(compared, *id)).collect();
    let stops = if stops.is_empty() { "none".to_string() } else { stops.join(", ") };
    canvas.spans(
        area.line(0),
        &[
            (strip.labeller.name(), Meaning::Strong),
            (" · EOS tokens ", Meaning::Quiet),
            (&stops, Meaning::Special),
        ],
    );
    let rest = Area { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    let Some(overlay) = compared.overlays.get(index).and_then(Option::as_ref) else {
        let text = "this strategy has no labels on the rendered text: it failed, or encodes turns by itself; v goes back \
                    to the strips, where ↑↓ chooses another";
        canvas.paragraph(rest, text, Meaning::Warning);
        return;
    };
    if overlay.answers.is_empty() {
        canvas.text(rest, "the conversation has no answer", Meaning::Warning);
        return;
    }
    let detail_height = 9.min(rest.height * 2 / 3);
    let list_height = rest.height.saturating_sub(detail_height);
    let list = Area { height: list_height, ..rest };
    rows(canvas, state, list, compared, overlay);
    let used = list_height.min(u16::try_from(overlay.answers.len()).unwrap_or(u16::MAX)) + 1;
    let detail = Area { y: rest.y + used, height: rest.height.saturating_sub(used), ..rest };
    if let Some(answer) = overlay.answers.get(state.answer) {
        full(canvas, detail, compared, strip, answer);
    }
}

fn rows(
    canvas: &mut Canvas<'_>,
    state: &StrategiesScreen,
    area: Area,
    compared: &ComparedStrategies,
    overlay: &LabelOverlay,
) {
    let room = usize::from(area.height);
    let top = state.answer.saturating_sub(room / 2).min(overlay.answers.len().saturating_sub(room));
    for (n, answer) in overlay.answers.iter().enumerate().skip(top).take(room) {
        let line = area.line(u16::try_from(n - top).unwrap_or(u16::MAX));
        let (mark, meaning) = match (answer.supervised, answer.is_right()) {
            (0, _) => ("–", Meaning::Quiet),
            (_, true) => ("✓", Meaning::Good),
            _ => ("✗", Meaning::Bad),
        };
        let hidden = match answer.body_masked {
            0 => String::new(),
            n => format!(" · {n} of the answer masked"),
        };
        let text = format!(
            " message {}  {} · {} · {} tokens{hidden}",
            answer.message,
            start_text(answer.start),
            stop_text(compared, answer),
            answer.supervised
        );
        canvas.spans(line, &[(mark, meaning), (&text, Meaning::Text)]);
        if n == state.answer {
            canvas.tint(line, Meaning::Selected);
        }
    }
}

fn start_text(start: AnswerStart) -> String {
    match start {
        AnswerStart::Exact => "supervision starts where the prompt ends".to_string(),
        AnswerStart::Early(n) => format!("{n} tokens of the prompt are supervised"),
        AnswerStart::Late(n) => format!("{n} tokens behind the prompt are masked"),
        AnswerStart::Straddles(true) => "the first token joins the header, and is supervised".to_string(),
        AnswerStart::Straddles(false) => "the first token joins the header, and is masked".to_string(),
        AnswerStart::Never => "masked".to_string(),
        AnswerStart::Cut => "truncated".to_string(),
    }
}

fn stop_text(compared: &ComparedStrategies, answer: &LabelledAnswer) -> String {
    let named = |at: usize| {
        compared.comparison.turns.encoded.ids.get(at).map(|id| token(compared, *id)).unwrap_or_default()
    };
    let beyond = match answer.beyond_stop {
        0 => String::new(),
        n => format!(" and {n} behind it"),
    };
    match answer.stop {
        AnswerStop::Supervised(at) => format!("EOS token {} is supervised{beyond}", named(at)),
        AnswerStop::Masked(at) => format!("EOS token {} is masked", named(at)),
        AnswerStop::Other(at) => format!("ends with {}, which is no EOS token", named(at)),
        AnswerStop::Absent => "no special token ends it".to_string(),
        AnswerStop::Cut => "its end is truncated".to_string(),
    }
}

fn token(compared: &ComparedStrategies, id: crate::tokenizer::TokenId) -> String {
    let bytes = compared.setup.tokenizer.token_bytes(id).unwrap_or_default();
    format!("{} ({id})", String::from_utf8_lossy(&bytes))
}

/// Both texts around the seam of one answer, one over the other.
fn full(
    canvas: &mut Canvas<'_>,
    area: Area,
    compared: &ComparedStrategies,
    strip: &Strip,
    answer: &LabelledAnswer,
) {
    let turns = &compared.comparison.turns;
    let Some(message) = turns.messages.get(answer.message) else { return };
    let Some(prompt) = &message.prompt else {
        canvas.text(area, "the first message is an answer: there is no prompt for it", Meaning::Quiet);
        return;
    };
    let name = 12.min(area.width);
    let row = |n: u16| {
        let line = area.line(n);
        Area { x: line.x + name, width: line.width.saturating_sub(name), ..line }
    };
    for (n, (label, meaning)) in
        [("inference", Meaning::Strong), ("training", Meaning::Strong), ("supervised", Meaning::Quiet)]
            .into_iter()
            .enumerate()
    {
        canvas.text(area.line(u16::try_from(n).unwrap_or(0)), label, meaning);
    }
    let half = row(0).width / 2;
    let shared = turns.slice(prompt.end.saturating_sub(usize::from(half))..prompt.end);
    let shared = glyphs(&shared, Spaces::Shown);
    let mut skip = 0;
    while glyphs_width(shared.get(skip..).unwrap_or_default()) > usize::from(half) {
        skip += 1;
    }
    let shared = shared.get(skip..).unwrap_or_default();
    let seam = row(0).x + u16::try_from(glyphs_width(shared)).unwrap_or(0);
    let end = row(0).x + row(0).width;
    for n in [0, 1] {
        let style = canvas.style(Meaning::Masked);
        let at = canvas.glyphs(row(n).x, row(n).y, end, shared, style);
        canvas.text(Area::new(at, row(n).y, 1.min(end.saturating_sub(at)), row(n).height), "│", Meaning::Key);
    }
    let behind = Area { x: seam + 1, width: end.saturating_sub(seam + 1), ..row(0) };
    if prompt.missing.is_empty() {
        canvas.text(behind, "generation goes on here", Meaning::Quiet);
    } else {
        canvas.styled(behind, &shown(&prompt.missing), canvas.style(Meaning::Bad));
    }
    answer_text(canvas, [behind.x, end], [row(1), row(2)], compared, strip, prompt.end);
    let mut line = 3;
    for (what, text) in remarks(compared, answer) {
        let below = Area { y: area.y + line, height: area.height.saturating_sub(line), ..area };
        if below.height == 0 {
            return;
        }
        canvas.text(below, what, Meaning::Warning);
        let beside = Area { x: below.x + name, width: below.width.saturating_sub(name), ..below };
        line += canvas.paragraph(beside, &text, Meaning::Text);
    }
}

/// The tokens behind the seam with a mark under each that is learned.
fn answer_text(
    canvas: &mut Canvas<'_>,
    [mut x, end]: [u16; 2],
    [text, marks]: [Area; 2],
    compared: &ComparedStrategies,
    strip: &Strip,
    seam: usize,
) {
    let turns = &compared.comparison.turns;
    let first = turns.encoded.offsets.partition_point(|(_, to)| *to <= seam);
    for index in first..turns.places.len() {
        let glyphs = super::tokens::token_glyphs(compared, index);
        let wide = u16::try_from(glyphs_width(&glyphs)).unwrap_or(u16::MAX);
        if x.saturating_add(wide) > end {
            break;
        }
        let special = super::tokens::is_special(compared, index);
        let style = canvas.style(if special { Meaning::Special } else { Meaning::Text });
        if text.height > 0 {
            canvas.glyphs(x, text.y, end, &glyphs, style);
        }
        let (mark, meaning) = match strip.cell(index) {
            ComparisonCell::Supervised => ("█", Meaning::Supervised),
            ComparisonCell::Other(_) => ("≠", Meaning::Bad),
            _ => ("·", Meaning::Masked),
        };
        canvas.text(Area { x, width: wide, ..marks }, &mark.repeat(usize::from(wide)), meaning);
        x += wide;
    }
}

/// What the prompt has and the training text lacks, and what history looks like then.
fn remarks(compared: &ComparedStrategies, answer: &LabelledAnswer) -> Vec<(&'static str, String)> {
    let turns = &compared.comparison.turns;
    let mut remarks = Vec::new();
    let Some(prompt) = turns.messages.get(answer.message).and_then(|m| m.prompt.as_ref()) else {
        return remarks;
    };
    if !prompt.missing.is_empty() {
        let text = format!(
            "the prompt ends with “{}”, which the training text does not have there: the model answers from a seam that it \
             was not trained on",
            prompt.missing
        );
        remarks.push(("parts", text));
    }
    if prompt.ignored {
        remarks.push(("ignored", "the template takes no notice of add_generation_prompt".to_string()));
    }
    if let Some(history) = &prompt.history {
        let text = format!(
            "at inference the messages before read “{}” at character {}, in training “{}”",
            history.alone, history.at, history.whole
        );
        remarks.push(("history", text));
    }
    // What parts further up is history, not this answer.
    let message = turns.messages.get(answer.message);
    let divergence =
        message.and_then(|m| m.prefix.divergence().filter(|divergence| divergence.at >= m.block.start));
    if let Some(divergence) = divergence {
        let text = format!(
            "while it is the last message this answer reads “{}” at character {}, as history “{}”",
            divergence.alone, divergence.at, divergence.whole
        );
        remarks.push(("rewritten", text));
    }
    remarks
}

fn shown(text: &str) -> String {
    glyphs(text, Spaces::Shown).into_iter().map(|glyph| glyph.text).collect()
}
