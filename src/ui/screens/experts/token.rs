//! The token under the cursor: a strip of all layers, and everything about it in a view of its own.

use std::ops::Range;

use super::tokens::mark;
use super::words::{rule_text, weight_text};
use crate::app::flow::token_glyphs;
use crate::app::screens::experts::Routed;
use crate::app::screens::experts::routed::Layer;
use crate::app::{App, Area};
use crate::labels::TokenLabel;
use crate::report::expert_name;
use crate::text::{Spaces, glyphs, glyphs_of_bytes, glyphs_width};
use crate::ui::canvas::Canvas;
use crate::ui::theme::Meaning;

/// Experts of a layer that the detail lists.
const LISTED: usize = 8;

fn cursor(app: &App, routed: &Routed) -> usize {
    app.session.token.min(routed.view.len().saturating_sub(1))
}

/// `token 12 of 107 "·shown" supervised · round 1 ANSWER · 6 bytes`.
pub fn title(app: &App, routed: &Routed) -> String {
    let token = cursor(app, routed);
    let text: String = token_glyphs(&routed.view, token).iter().map(|g| g.text.as_str()).collect();
    let state = routed.view.token(token).map_or(TokenLabel::Masked, |t| t.label).words();
    let place = routed.view.section_at(token).map_or(String::new(), |(_, s)| match s.round {
        Some(round) => format!(" · round {} {}", round + 1, s.speaker.name()),
        None => format!(" · {}", s.speaker.name()),
    });
    let rows = routed.token_positions.get(token).map_or(0, |r| r.len());
    format!("token {token} of {} “{text}” {state}{place} · {}", routed.view.len(), routed.count_text(rows))
}

/// The token through all layers in few lines: one line of layers, then its bytes.
pub fn strip(canvas: &mut Canvas<'_>, app: &App, area: Area, routed: &Routed) {
    if area.height == 0 {
        return;
    }
    let token = cursor(app, routed);
    let mut line = area.line(0);
    if area.height == 1 {
        // There is no title line at this size.
        let style = canvas.style(Meaning::Strong);
        let limit = area.x + area.width / 3;
        let x = canvas.glyphs(area.x, area.y, limit, &token_glyphs(&routed.view, token), style) + 1;
        line = Area { x, width: (area.x + area.width).saturating_sub(x), ..line };
    }
    layers_line(canvas, line, routed, token);
    let span = routed.token_positions.get(token).cloned().unwrap_or(0..0);
    if !routed.is_bytes() || span.is_empty() {
        if area.height > 2 {
            let why = app.screens.experts.shown_layer().map_or(String::new(), rule_text);
            canvas.text(area.line(1), &why, Meaning::Quiet);
        }
        return;
    }
    let rest = Area { y: area.y + 1, height: area.height - 1, ..area };
    let chosen = app.screens.experts.shown_layer();
    if rest.height >= 3 {
        bytes(canvas, rest, routed, &span, usize::MAX, &routed.layers.iter().collect::<Vec<_>>());
    } else if let (1.., Some(layer)) = (rest.height, chosen) {
        bytes_in_a_line(canvas, rest.line(0), routed, &span, layer);
    }
}

/// `L0 B .71 A .29   L1 …`: choices with their weights, of one row, or the mean over several.
fn layers_line(canvas: &mut Canvas<'_>, area: Area, routed: &Routed, token: usize) {
    let end = area.x + area.width;
    let mut x = area.x;
    for layer in &routed.layers {
        if x >= end {
            break;
        }
        let name = format!("L{} ", layer.routing.layer);
        x = canvas.text(Area { x, width: end - x, ..area }, &name, Meaning::Quiet);
        let rows = routed.token_positions.get(token).cloned().unwrap_or(0..0);
        let weights = choice_weights(layer, &rows);
        if weights.is_empty() {
            x = canvas.text(Area { x, width: end.saturating_sub(x), ..area }, "–", Meaning::Quiet);
        }
        for (expert, weight, dropped) in weights.into_iter().take(3) {
            let text =
                format!("{} {}{} ", expert_name(expert), weight_text(weight), if dropped { "✂" } else { "" });
            let style = canvas.theme.expert(expert, weight);
            x = canvas.styled(Area { x, width: end.saturating_sub(x), ..area }, &text, style);
        }
        x = x.saturating_add(2).min(end);
    }
}

/// Experts that rows chose, with the mean weight over the rows and whether a choice of it was dropped; in the order
/// of choice for one row, by weight for several.
fn choice_weights(layer: &Layer, rows: &Range<usize>) -> Vec<(usize, f32, bool)> {
    let d = &layer.routing.decision;
    let mut sums: Vec<(usize, f32, bool)> = Vec::new();
    for row in rows.clone() {
        for rank in 0..d.top_k {
            let at = row * d.top_k + rank;
            let (Some(&expert), Some(&weight)) = (d.idx.get(at), d.weights.get(at)) else { continue };
            let (weight, dropped) = (weight / rows.len() as f32, d.is_dropped(row, rank));
            match sums.iter_mut().find(|(e, ..)| *e == expert) {
                Some((_, sum, any)) => (*sum, *any) = (*sum + weight, *any || dropped),
                None => sums.push((expert, weight, dropped)),
            }
        }
    }
    if rows.len() > 1 {
        sums.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    }
    sums
}

/// The bytes of a token under each other: a line of bytes, then a line of letters a layer.
fn bytes(
    canvas: &mut Canvas<'_>,
    area: Area,
    routed: &Routed,
    span: &Range<usize>,
    limit: usize,
    layers: &[&Layer],
) -> u16 {
    let prompt = routed.view.inspection.prompt.as_deref().unwrap_or("").as_bytes();
    let shown = span.start..span.end.min(span.start.saturating_add(limit));
    canvas.text(area.line(0), "bytes", Meaning::Quiet);
    let end = area.x + area.width;
    for (n, layer) in layers.iter().enumerate() {
        let line = area.line(u16::try_from(n + 1).unwrap_or(u16::MAX));
        if line.height > 0 {
            canvas.text(line, &format!("L{}", layer.routing.layer), Meaning::Quiet);
        }
    }
    let mut x = area.x + 7;
    for row in shown {
        let Some(byte) = prompt.get(row) else { break };
        let own = glyphs_of_bytes(&[*byte], Spaces::Shown);
        let wide = u16::try_from(glyphs_width(&own)).unwrap_or(1).max(2) + 1;
        if x.saturating_add(wide) > end {
            canvas.text(Area { x: end.saturating_sub(1), width: 1, ..area.line(0) }, "…", Meaning::Quiet);
            break;
        }
        let style = canvas.style(Meaning::Strong);
        canvas.glyphs(x, area.y, end, &own, style);
        for (n, layer) in layers.iter().enumerate() {
            let line = area.line(u16::try_from(n + 1).unwrap_or(u16::MAX));
            if line.height > 0 {
                let (mark, style) = row_mark(canvas, layer, row);
                canvas.styled(Area { x, width: wide, ..line }, &mark, style);
            }
        }
        x += wide;
    }
    u16::try_from(layers.len() + 1).unwrap_or(u16::MAX).min(area.height)
}

/// Bytes with the letter of one layer behind each.
fn bytes_in_a_line(canvas: &mut Canvas<'_>, area: Area, routed: &Routed, span: &Range<usize>, layer: &Layer) {
    let prompt = routed.view.inspection.prompt.as_deref().unwrap_or("").as_bytes();
    let end = area.x + area.width;
    let mut x = canvas.text(area, &format!("bytes in L{} ", layer.routing.layer), Meaning::Quiet);
    for row in span.clone() {
        let Some(byte) = prompt.get(row).filter(|_| x < end) else { break };
        let strong = canvas.style(Meaning::Strong);
        x = canvas.glyphs(x, area.y, end, &glyphs_of_bytes(&[*byte], Spaces::Shown), strong);
        let (mark, style) = row_mark(canvas, layer, row);
        x = canvas.glyphs(x, area.y, end, &glyphs(&mark, Spaces::Blank), style) + 1;
    }
}

/// The letter of one row's first choice.
fn row_mark(canvas: &Canvas<'_>, layer: &Layer, row: usize) -> (String, ratatui::style::Style) {
    let d = &layer.routing.decision;
    let at = row * d.top_k;
    let route = d.idx.get(at).zip(d.weights.get(at)).map(|(expert, weight)| {
        let dropped = if d.is_dropped(row, 0) { 1.0 } else { 0.0 };
        crate::moe::token_route::TokenRoute { expert: *expert, weight: *weight, dropped }
    });
    mark(canvas, route)
}

/// Everything about the token: a block a layer with the gate's probabilities, the choices, and why one was dropped.
pub fn detail(canvas: &mut Canvas<'_>, app: &App, area: Area, routed: &Routed) {
    let token = cursor(app, routed);
    canvas.text(area.line(0), &title(app, routed), Meaning::Strong);
    let rows = routed.token_positions.get(token).cloned().unwrap_or(0..0);
    let mut area = Area { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    if rows.is_empty() {
        canvas.text(area, "no position of the forward belongs to this token", Meaning::Quiet);
        return;
    }
    if routed.is_bytes() {
        let layers: Vec<&Layer> = routed.layers.iter().collect();
        let used = bytes(canvas, area, routed, &rows, 64, &layers);
        area = Area { y: area.y + used, height: area.height - used, ..area };
    }
    if rows.len() > 1 {
        let text =
            "below: the choices of its first position; probabilities are the softmax of the gate's logits";
        canvas.text(area.line(0), text, Meaning::Quiet);
    } else {
        canvas.text(area.line(0), "probabilities are the softmax of the gate's logits", Meaning::Quiet);
    }
    let rest = Area { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    let mut y = 0;
    for layer in
        routed.layers.iter().skip(app.screens.experts.line.min(routed.layers.len().saturating_sub(1)))
    {
        if y >= rest.height {
            break;
        }
        y += layer_detail(canvas, Area { y: rest.y + y, height: rest.height - y, ..rest }, layer, rows.start);
    }
}

fn layer_detail(canvas: &mut Canvas<'_>, area: Area, layer: &Layer, row: usize) -> u16 {
    let d = &layer.routing.decision;
    let n = d.num_experts;
    let head = format!("layer {} · {}", layer.routing.layer, rule_text(layer));
    canvas.text(area.line(0), &head, Meaning::Strong);
    let gates = layer.gates.get(row * n..(row + 1) * n).unwrap_or_default();
    let line = Area { x: area.x + 2, width: area.width.saturating_sub(2), ..area.line(1) };
    let end = line.x + line.width;
    let mut x = line.x;
    for (expert, gate) in gates.iter().enumerate().take(LISTED) {
        let text = format!(
            "{} {} {}  ",
            expert_name(expert),
            super::figures::bar(f64::from(*gate)),
            weight_text(*gate)
        );
        let style = canvas.theme.expert(expert, *gate);
        x = canvas.styled(Area { x, width: end.saturating_sub(x), ..line }, &text, style);
    }
    if n > LISTED {
        canvas.text(
            Area { x, width: end.saturating_sub(x), ..line },
            &format!("… {} more", n - LISTED),
            Meaning::Quiet,
        );
    }
    let mut y = 2;
    for rank in 0..d.top_k {
        let at = row * d.top_k + rank;
        let Some(&expert) = d.idx.get(at) else { break };
        let weight = d.weights.get(at).copied().unwrap_or(0.0);
        let place = layer.queue.as_ref().and_then(|q| q.get(at));
        let (fate, meaning) = match (d.capacity, place) {
            (Some(c), Some(place)) if d.is_dropped(row, rank) => {
                (format!("✂ dropped: position {place} in its queue, capacity {c} per expert"), Meaning::Bad)
            }
            (Some(c), Some(place)) => {
                (format!("kept: position {place} in its queue, capacity {c} per expert"), Meaning::Good)
            }
            _ => ("kept: this router has no capacity".to_string(), Meaning::Good),
        };
        let text = format!("choice {} → {} · weight {weight:.3} · ", rank + 1, expert_name(expert));
        let line = Area { x: area.x + 2, width: area.width.saturating_sub(2), ..area.line(y) };
        if line.height > 0 {
            canvas.spans(line, &[(&text, Meaning::Text), (&fate, meaning)]);
        }
        y += 1;
    }
    y
}
