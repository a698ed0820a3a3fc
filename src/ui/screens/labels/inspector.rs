//! The token under the cursor: what it is, where it stands, and why it is masked or supervised.

use crate::app::flow::token_glyphs;
use crate::app::{App, Area, Panes, SampleView, Tier, TokenKind, TokenState};
use crate::labels::{IMAGE_TOKEN_INDEX, Labelled, SegmentKind, TokenLabel};
use crate::text::plain;
use crate::tokenizer::{Piece, TokenId};
use crate::ui::canvas::Canvas;
use crate::ui::theme::Meaning;

/// Draws the inspector.
pub fn draw(canvas: &mut Canvas<'_>, app: &App, panes: &Panes, view: &SampleView) {
    let area = panes.inspector;
    let index = app.session.token;
    if area.height == 0 || view.token(index).is_none() {
        return;
    }
    if panes.tier == Tier::Small {
        small(canvas, area, view, index);
        return;
    }
    let y = area.y - 1;
    canvas.divider(panes.frame, y, Meaning::Quiet);
    let title = format!(" token {} of {} · {} ", index, view.len(), app.screens.labels.density.name());
    canvas.text(Area::new(area.x, y, area.width, 1), &title, Meaning::Strong);
    facts(canvas, area.line(0), view, index);
    pair(canvas, area.line(1), "label", &label_line(view, index), label_meaning(view, index));
    pair(canvas, area.line(2), "why", &why(view, index), Meaning::Text);
    if area.height > 3 {
        pair(canvas, area.line(3), "token", &kind_line(view, index), Meaning::Text);
    }
}

fn pair(canvas: &mut Canvas<'_>, area: Area, name: &str, value: &str, meaning: Meaning) {
    canvas.text(area, name, Meaning::Quiet);
    let x = area.x + 7.min(area.width);
    canvas.text(Area { x, width: area.width.saturating_sub(7), ..area }, value, meaning);
}

fn facts(canvas: &mut Canvas<'_>, area: Area, view: &SampleView, index: usize) {
    let Some(token) = view.token(index) else { return };
    canvas.text(area, "piece", Meaning::Quiet);
    let end = area.x + area.width;
    let style = canvas.style(Meaning::Strong);
    let limit = (area.x + 7 + area.width / 3).min(end);
    let at = canvas.glyphs(area.x + 7, area.y, limit, &token_glyphs(view, index), style);
    let vocabulary = piece_of(view, token.id);
    let chars = view.char_span(index).map_or(String::new(), |c| format!("{}..{}", c.start, c.end));
    canvas.spans(
        Area { x: at, width: end.saturating_sub(at), ..area },
        &[
            ("   id ", Meaning::Quiet),
            (&token.id.to_string(), Meaning::Strong),
            ("   in vocabulary ", Meaning::Quiet),
            (&vocabulary, Meaning::Text),
            ("   bytes ", Meaning::Quiet),
            (&bytes_of(view, token.id), Meaning::Text),
            ("   chars ", Meaning::Quiet),
            (&chars, Meaning::Text),
        ],
    );
}

fn piece_of(view: &SampleView, id: i64) -> String {
    match TokenId::try_from(id).ok().and_then(|id| view.setup.tokenizer.piece(id)) {
        Some(Piece::Text(text)) => text,
        Some(Piece::Bytes(bytes)) => format!("b{:?}", String::from_utf8_lossy(&bytes)),
        None => "–".to_string(),
    }
}

/// The token's bytes in hexadecimal.
pub fn bytes_of(view: &SampleView, id: i64) -> String {
    const SHOWN: usize = 12;
    let bytes = TokenId::try_from(id).ok().and_then(|id| view.setup.tokenizer.token_bytes(id));
    let bytes = bytes.unwrap_or_default();
    let hex: Vec<String> = bytes.iter().take(SHOWN).map(|b| format!("{b:02x}")).collect();
    let more = if bytes.len() > SHOWN { " …" } else { "" };
    if hex.is_empty() { "–".to_string() } else { format!("{}{more}", hex.join(" ")) }
}

fn label_meaning(view: &SampleView, index: usize) -> Meaning {
    match view.token(index) {
        Some(TokenState { label: TokenLabel::Supervised, .. }) => Meaning::Supervised,
        Some(TokenState { label: TokenLabel::Discarded | TokenLabel::Truncated, .. }) => Meaning::Bad,
        _ => Meaning::Text,
    }
}

fn place(view: &SampleView, index: usize) -> String {
    view.section_at(index).map_or(String::new(), |(_, section)| section.name())
}

fn label_line(view: &SampleView, index: usize) -> String {
    let Some(token) = view.token(index) else { return String::new() };
    let place = place(view, index);
    let id = token.id;
    match token.label {
        TokenLabel::Supervised => format!("{id} · supervised: the loss sees it · {place}"),
        TokenLabel::Discarded => {
            format!("−100 · would be {id}, but the length check discarded it · {place}")
        }
        TokenLabel::Truncated => {
            let kept = view.setup.model_max_length();
            format!("{id} · but the collator cuts the sample to model_max_length {kept} · {place}")
        }
        TokenLabel::Masked => format!("−100 · masked · {place}"),
    }
}

fn kind_line(view: &SampleView, index: usize) -> String {
    let Some(token) = view.token(index) else { return String::new() };
    let mut parts = Vec::new();
    if token.id == IMAGE_TOKEN_INDEX {
        parts.push("stands for one image; the model puts its features here".to_string());
    }
    if let Ok(id) = TokenId::try_from(token.id) {
        let roles: Vec<&str> = view.setup.tokenizer.roles_of(id).map(|r| r.name()).collect();
        if !roles.is_empty() {
            parts.push(format!("is {}", roles.join(" and ")));
        }
        if view.setup.tokenizer.added.get(id).is_some() {
            parts.push("added token".to_string());
        }
    }
    if token.kind == TokenKind::Overridden {
        parts.push("by an override".to_string());
    }
    if view.pads.binary_search(&index).is_ok() {
        parts.push("equals pad: total_len does not count it".to_string());
    }
    if view.parts_at == Some(index) {
        parts.push("✗ the count goes wrong here".to_string());
    }
    if parts.is_empty() { "ordinary".to_string() } else { parts.join(" · ") }
}

/// Which rule and which arithmetic made a token what it is.
fn why(view: &SampleView, index: usize) -> String {
    let Some(labelled) = view.labelled() else { return String::new() };
    let rule = view.setup.rule_name();
    let Some(segment) = labelled.segment_at(index) else { return String::new() };
    let round = segment.round.unwrap_or(0);
    let text = match segment.kind {
        SegmentKind::Start => {
            format!("cur_len starts at {}: [0, {}) is masked", segment.tokens.end, segment.tokens.end)
        }
        SegmentKind::Instruction => instruction(view, labelled, round, segment.tokens.len()),
        SegmentKind::Answer => answer(labelled, round),
        SegmentKind::Tail => format!(
            "behind the last cur_len {}: no round reaches this token",
            labelled.cur_len.unwrap_or_default()
        ),
        SegmentKind::Header => format!("the header, {} tokens when encoded alone", segment.tokens.len()),
        SegmentKind::TurnHead => "the first 2 tokens of a human turn stay supervised".to_string(),
        SegmentKind::Frame => format!("what the template puts around {}", turn_of(labelled, segment.round)),
        SegmentKind::Content => format!("the text of {}", turn_of(labelled, segment.round)),
        SegmentKind::ImagePrefix => {
            "the placeholder encoded alone is masked, the rest is supervised".to_string()
        }
    };
    match view.code.as_ref().and_then(|code| Some((&code.file, code.line_of_token(index)?))) {
        Some((file, line)) => {
            let file = file.rsplit('/').next().unwrap_or(file);
            format!("{}:{} {} · {text}", plain(file), line.line, plain(line.text.trim()))
        }
        None => format!("rule {rule}: {text}"),
    }
}

fn turn_of(labelled: &Labelled, round: Option<usize>) -> String {
    match round.and_then(|round| labelled.rounds.get(round)?.message.as_ref()) {
        Some(message) => format!("turn {} ({})", message.index + 1, plain(&message.role)),
        None => "the turns".to_string(),
    }
}

fn instruction(view: &SampleView, labelled: &Labelled, round: usize, len: usize) -> String {
    let Some(counted) = labelled.rounds.get(round).filter(|r| r.instruction_len > 0) else {
        return format!("the {len} tokens of a human turn are masked");
    };
    let prompt = view.inspection.prompt.as_deref().unwrap_or("");
    let text = prompt.get(counted.instruction_text.clone()).unwrap_or("");
    let tail: String = text.chars().rev().take(18).collect::<Vec<_>>().into_iter().rev().collect();
    format!(
        "[{}, {}) masked = cur_len {} + instruction_len {}, measured on \"…{}\" alone",
        counted.start,
        counted.start + counted.instruction_len,
        counted.start,
        counted.instruction_len,
        plain(&tail)
    )
}

fn answer(labelled: &Labelled, round: usize) -> String {
    match labelled.rounds.get(round).filter(|r| r.instruction_len > 0) {
        Some(counted) => format!(
            "[{}, {}) supervised = after instruction_len {}, up to cur_len {} + round_len {}",
            counted.start + counted.instruction_len,
            counted.end,
            counted.instruction_len,
            counted.start,
            counted.round_len
        ),
        None => "all that is not masked is supervised".to_string(),
    }
}

fn small(canvas: &mut Canvas<'_>, area: Area, view: &SampleView, index: usize) {
    let Some(token) = view.token(index) else { return };
    let style = canvas.style(Meaning::Strong);
    let end = area.x + area.width;
    let limit = area.x + area.width / 3;
    let at = canvas.glyphs(area.x, area.y, limit, &token_glyphs(view, index), style);
    let label = token.label.name();
    let rest = Area { x: at, width: end.saturating_sub(at), ..area };
    canvas.spans(
        rest,
        &[
            (" id ", Meaning::Quiet),
            (&token.id.to_string(), Meaning::Text),
            (" · ", Meaning::Quiet),
            (label, label_meaning(view, index)),
            (" · ", Meaning::Quiet),
            (&place(view, index), Meaning::Text),
        ],
    );
}
