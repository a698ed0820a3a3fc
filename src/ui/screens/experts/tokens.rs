//! The token stream: a line of text in the experts' colours, and under it a line with their letters.

use ratatui::style::{Modifier, Style};

use super::words::letter;
use crate::app::flow::{FlowItem, FlowRow};
use crate::app::screens::experts::routed::Layer;
use crate::app::screens::experts::{Routed, all_folds, flow};
use crate::app::{App, Area, Panes, Section, Target};
use crate::labels::TokenLabel;
use crate::moe::token_route::TokenRoute;
use crate::text::{GlyphKind, Spaces, glyphs};
use crate::ui::canvas::Canvas;
use crate::ui::theme::Meaning;

/// Draws the window around the cursor.
pub fn draw(canvas: &mut Canvas<'_>, app: &App, panes: &Panes, area: Area, layer: &Layer) {
    let Some(routed) = &app.screens.experts.routed else { return };
    let view = &routed.view;
    let unfolded = all_folds(view);
    let flow = flow(panes, view, &unfolded);
    let bottom = area.y + area.height;
    let (mut place, mut y) = (app.screens.experts.top(panes, view, app.session.token), area.y);
    while y < bottom {
        let Some(row) = flow.row(place) else { break };
        place = row.next;
        match &row.items {
            None => {
                if let Some(section) = view.sections.get(row.section) {
                    title(canvas, Area { y, height: 1, ..area }, section, routed);
                }
                y += 1;
            }
            Some(_) => {
                draw_row(canvas, app, Area { y, height: (bottom - y).min(2), ..area }, &row, routed, layer);
                y += 2;
            }
        }
    }
}

fn title(canvas: &mut Canvas<'_>, area: Area, section: &Section, routed: &Routed) {
    let name = section.name();
    let rows: usize =
        routed.token_positions.get(section.tokens.clone()).into_iter().flatten().map(|r| r.len()).sum();
    let supervised = if section.supervised > 0 {
        format!("{} supervised", section.supervised)
    } else {
        "masked".to_string()
    };
    let more = format!(" · {supervised} · {}", routed.count_text(rows));
    canvas.spans(area, &[("─ ", Meaning::Quiet), (&name, Meaning::Strong), (&more, Meaning::Quiet)]);
}

fn draw_row(canvas: &mut Canvas<'_>, app: &App, area: Area, row: &FlowRow, routed: &Routed, layer: &Layer) {
    let end = area.x + area.width;
    for placed in row.items.iter().flatten() {
        let FlowItem::Token(index) = placed.item else { continue };
        let x = area.x + placed.x.min(area.width);
        let at_cursor = index == app.session.token;
        canvas.hit(Area { x, width: placed.width.min(area.width), ..area }, Target::Token(index));
        let route = layer.tokens.get(index).copied().flatten();
        let mut style = route_style(canvas, route);
        if routed.view.token(index).is_some_and(|t| t.label == TokenLabel::Supervised) {
            style = style.add_modifier(Modifier::UNDERLINED);
        }
        let style = canvas.theme.shade(style, index % 2 == 1);
        let style = if at_cursor { style.patch(canvas.style(Meaning::Cursor)) } else { style };
        let mut at = x;
        for glyph in &placed.glyphs {
            let own = match glyph.kind {
                GlyphKind::StandIn | GlyphKind::Byte if !at_cursor => style.remove_modifier(Modifier::BOLD),
                _ => style,
            };
            if !canvas.glyph(at, area.y, end, glyph, own) {
                break;
            }
            at += glyph.width;
        }
        if area.height > 1 {
            let (mark, style) = mark(canvas, route);
            let limit = (x + placed.width.max(1)).min(end);
            canvas.glyphs(x, area.y + 1, limit, &glyphs(&mark, Spaces::Blank), style);
        }
    }
}

/// The colour of a token's expert; quiet for a token without rows.
pub fn route_style(canvas: &Canvas<'_>, route: Option<TokenRoute>) -> Style {
    match route {
        Some(route) if route.weight > 0.0 => canvas.theme.expert(route.expert, route.weight),
        // Dropped everywhere: the expert's faintest colour, struck through.
        Some(route) => canvas.theme.expert(route.expert, 0.0).add_modifier(Modifier::CROSSED_OUT),
        None => canvas.style(Meaning::Quiet),
    }
}

/// The letter of a token's expert; with ✂ where some of its assignments were dropped.
pub fn mark(canvas: &Canvas<'_>, route: Option<TokenRoute>) -> (String, Style) {
    match route {
        None => ("–".to_string(), canvas.style(Meaning::Quiet)),
        Some(route) if route.weight == 0.0 => ("✂".to_string(), canvas.style(Meaning::Bad)),
        Some(route) => {
            let style = canvas.theme.expert(route.expert, route.weight);
            let name = letter(route.expert, route.weight);
            // A narrow token has no room for the mark.
            match route.dropped > 0.0 {
                true => (format!("{name}✂"), style.add_modifier(Modifier::CROSSED_OUT)),
                false => (name, style),
            }
        }
    }
}
