//! Screen Labels: every token as itself, supervised against masked, turn by turn.
//!
//! ```text
//! │ system           A·chat·between·a·curious·user…                    │
//! │   masked 35                                                        │
//! │ round 1 USER     USER:·⟦image⟧↵What·is·shown…·ASSISTANT:           │
//! │   masked 16                                                        │
//! │ round 1 ANSWER ▌ ·A·red·bicycle…⟨|endoftext|⟩                       │
//! │   supervised 11                                                       │
//! ├ token 51 of 107 ───────────────────────────────────────────────────┤
//! │ piece ·A   id 317   bytes 20 41   chars 229..231                    │
//! ```

mod inspector;

use ratatui::style::{Modifier, Style};

use crate::app::flow::{Density, FlowItem, Placed};
use crate::app::screens::labels::LabelsScreen;
use crate::app::{App, Area, Panes, SampleView, Section, Target, TokenKind, TokenState};
use crate::labels::TokenLabel;
use crate::text::{self, Glyph, GlyphKind, Spaces, glyphs};
use crate::ui::canvas::Canvas;
use crate::ui::missing;
use crate::ui::theme::Meaning;

/// Draws the tokens and, under them, what there is to say of the one under the cursor.
pub fn draw(canvas: &mut Canvas<'_>, app: &App, panes: &Panes) {
    let Some(view) = missing::shown(canvas, app, panes) else { return };
    if view.labelled().is_none() {
        return missing::raised(canvas, panes, view);
    }
    tokens(canvas, app, panes, view);
    lost(canvas, panes, view);
    inspector::draw(canvas, app, panes, view);
}

/// What of the record the text does not have: a line each, the last one for all that have no room.
fn lost(canvas: &mut Canvas<'_>, panes: &Panes, view: &SampleView) {
    let rows = usize::from(LabelsScreen::lost_rows(panes, view));
    let left = view.not_carried.len().saturating_sub(rows);
    for (row, line) in view.not_carried.iter().take(rows).enumerate() {
        let y = panes.body.y + LabelsScreen::token_rows(panes, view) + u16::try_from(row).unwrap_or(u16::MAX);
        let more = if left > 0 && row + 1 == rows { format!(" (and {left} more)") } else { String::new() };
        let line = text::plain(&format!("✗ not carried: {line}{more}"));
        canvas.text(Area::new(panes.body.x, y, panes.body.width, 1), &line, Meaning::Bad);
    }
}

fn tokens(canvas: &mut Canvas<'_>, app: &App, panes: &Panes, view: &SampleView) {
    let flow = app.screens.labels.flow(panes, view);
    let height = LabelsScreen::token_rows(panes, view);
    let rows = flow.window(app.screens.labels.top, height);
    let mut y = panes.body.y;
    let bottom = panes.body.y + height;
    let mut named: Option<(usize, u16)> = None;
    for row in &rows {
        let Some(section) = view.sections.get(row.section) else { continue };
        if panes.gutter.width > 0 {
            let (index, line) = named.filter(|(s, _)| *s == row.section).unwrap_or((row.section, 0));
            for extra in 0..row.height {
                let spot = Area::new(panes.gutter.x, y + extra, panes.gutter.width, 1);
                if y + extra < bottom {
                    gutter_line(canvas, spot, section, line + extra);
                }
            }
            named = Some((index, line + row.height));
        }
        match &row.items {
            None => title(canvas, Area::new(panes.body.x, y, panes.body.width, 1), section),
            Some(items) => {
                let area = Area::new(panes.body.x, y, panes.body.width, row.height.min(bottom - y));
                draw_row(canvas, app, view, area, items);
            }
        }
        y += row.height;
        if y >= bottom {
            break;
        }
    }
    canvas.tokens_drawn += flow.touched.get();
}

/// What becomes of most of a section's labels, and the style for it.
fn section_count(section: &Section) -> (String, Meaning) {
    let Section { supervised, truncated, discarded, .. } = section;
    if *discarded > 0 {
        (format!("discarded {discarded}"), Meaning::Bad)
    } else if *supervised > 0 && *truncated > 0 {
        (format!("truncated {truncated}/{}", supervised + truncated), Meaning::Bad)
    } else if *truncated > 0 {
        (format!("truncated {truncated}"), Meaning::Bad)
    } else if *supervised > 0 {
        (format!("supervised {supervised}"), Meaning::Supervised)
    } else {
        (format!("masked {}", section.tokens.len()), Meaning::Quiet)
    }
}

fn gutter_line(canvas: &mut Canvas<'_>, area: Area, section: &Section, line: u16) {
    let (count, meaning) = section_count(section);
    match line {
        0 => {
            canvas.text(area, &section.name(), Meaning::Strong);
        }
        1 => {
            canvas.text(Area { x: area.x + 2, width: area.width - 2, ..area }, &count, meaning);
        }
        _ => {}
    }
    let bar = match meaning {
        Meaning::Supervised => Some(("▌", canvas.style(Meaning::Good))),
        Meaning::Bad => Some(("╎", canvas.style(Meaning::Bad))),
        _ => None,
    };
    if let Some((bar, style)) = bar {
        canvas.styled(Area { x: area.x + area.width - 2, width: 1, ..area }, bar, style);
    }
}

fn title(canvas: &mut Canvas<'_>, area: Area, section: &Section) {
    let (count, meaning) = section_count(section);
    let mark = if meaning == Meaning::Quiet { "─ " } else { "▌ " };
    let name = section.name();
    canvas.spans(
        area,
        &[
            (mark, meaning_of_mark(meaning)),
            (&name, Meaning::Strong),
            (" · ", Meaning::Quiet),
            (&count, meaning),
        ],
    );
}

fn meaning_of_mark(count: Meaning) -> Meaning {
    match count {
        Meaning::Supervised => Meaning::Good,
        other => other,
    }
}

fn draw_row(canvas: &mut Canvas<'_>, app: &App, view: &SampleView, area: Area, items: &[Placed]) {
    for placed in items {
        let x = area.x + placed.x.min(area.width);
        let at_cursor = match &placed.item {
            FlowItem::Token(index) => *index == app.session.token,
            FlowItem::Fold(tokens) => tokens.contains(&app.session.token),
        };
        canvas.hit(
            Area { x, width: placed.width.min(area.width), ..area },
            Target::Token(placed.item.cursor()),
        );
        let end = area.x + area.width;
        match (&placed.item, app.screens.labels.density) {
            (FlowItem::Fold(_), _) => {
                let meaning = if at_cursor { Meaning::Cursor } else { Meaning::Quiet };
                canvas.glyphs(x, area.y, end, &placed.glyphs, canvas.style(meaning));
            }
            (FlowItem::Token(index), density) => {
                let Some(token) = view.token(*index) else { continue };
                let style = token_style(canvas, view, *index, token);
                let is_found = app.session.matches.binary_search(index).is_ok();
                let style = if is_found { style.patch(canvas.style(Meaning::Found)) } else { style };
                let style = if at_cursor { style.patch(canvas.style(Meaning::Cursor)) } else { style };
                match density {
                    Density::Flow => {
                        token_glyphs(canvas, (x, area.y), end, &placed.glyphs, style, at_cursor);
                    }
                    Density::Interlinear => {
                        interlinear(canvas, Area { x, ..area }, end, placed, token, style)
                    }
                    Density::Table => {
                        table_row(canvas, view, *index, token, Area { x, ..area }, &placed.glyphs, style);
                    }
                }
            }
        }
    }
}

/// The look of a token: supervised or masked, what marks it out, and the shade that parts it from its neighbour.
fn token_style(canvas: &Canvas<'_>, view: &SampleView, index: usize, token: TokenState) -> Style {
    let mut style = canvas.style(match token.label {
        TokenLabel::Supervised => Meaning::Supervised,
        TokenLabel::Discarded | TokenLabel::Truncated => Meaning::Lost,
        TokenLabel::Masked => Meaning::Masked,
    });
    let kind = match token.kind {
        TokenKind::Ordinary => None,
        TokenKind::Image => Some(Meaning::Image),
        TokenKind::Special => Some(Meaning::Special),
        TokenKind::Overridden => Some(Meaning::Overridden),
    };
    if let Some(kind) = kind {
        let over = canvas.style(kind);
        style = style.patch(Style { sub_modifier: Modifier::empty(), ..over });
    }
    if view.parts_at == Some(index) {
        style = style.patch(canvas.style(Meaning::Bad)).add_modifier(Modifier::REVERSED);
    }
    canvas.theme.shade(style, index % 2 == 1)
}

fn token_glyphs(
    canvas: &mut Canvas<'_>,
    at: (u16, u16),
    end: u16,
    glyphs: &[Glyph],
    style: Style,
    at_cursor: bool,
) -> u16 {
    let (mut x, y) = at;
    let quiet = canvas.style(Meaning::StandIn).fg;
    for glyph in glyphs {
        let own = match (glyph.kind, quiet) {
            (GlyphKind::StandIn | GlyphKind::Byte, Some(color)) if !at_cursor => style.fg(color),
            _ => style,
        };
        if !canvas.glyph(x, y, end, glyph, own) {
            break;
        }
        x += glyph.width;
    }
    x
}

/// Piece, id and label under each other.
fn interlinear(
    canvas: &mut Canvas<'_>,
    area: Area,
    end: u16,
    placed: &Placed,
    token: TokenState,
    style: Style,
) {
    token_glyphs(canvas, (area.x, area.y), end, &placed.glyphs, style, false);
    let quiet = canvas.style(Meaning::Quiet);
    let line = |canvas: &mut Canvas<'_>, n: u16, text: &str, style: Style| {
        if n < area.height {
            canvas.glyphs(area.x, area.y + n, end, &glyphs(text, Spaces::Blank), style);
        }
    };
    line(canvas, 1, &token.id.to_string(), quiet);
    let (label, style) = match token.label {
        TokenLabel::Supervised => (token.id.to_string(), canvas.style(Meaning::Supervised)),
        TokenLabel::Discarded | TokenLabel::Truncated => (token.id.to_string(), canvas.style(Meaning::Lost)),
        TokenLabel::Masked => ("–".to_string(), quiet),
    };
    line(canvas, 2, &label, style);
}

/// One token a row: position, piece, id, label, bytes, characters.
fn table_row(
    canvas: &mut Canvas<'_>,
    view: &SampleView,
    index: usize,
    token: TokenState,
    area: Area,
    glyphs: &[Glyph],
    style: Style,
) {
    let end = area.x + area.width;
    let wide = area.width >= 70;
    canvas.text(Area { width: 7.min(area.width), ..area }, &format!("{index:>6}"), Meaning::Quiet);
    let piece_width = if wide { 26 } else { area.width.saturating_sub(26) };
    let piece_end = (area.x + 8 + piece_width).min(end);
    token_glyphs(canvas, (area.x + 8, area.y), piece_end, glyphs, style, false);
    let x = piece_end.saturating_add(1).min(end);
    let (label, meaning) = match token.label {
        TokenLabel::Supervised => (token.id.to_string(), Meaning::Supervised),
        TokenLabel::Discarded | TokenLabel::Truncated => (token.id.to_string(), Meaning::Lost),
        TokenLabel::Masked => ("−100".to_string(), Meaning::Quiet),
    };
    canvas.text(Area { x, width: end - x, ..area }, &format!("{:>7}", token.id), Meaning::Text);
    let x = (x + 8).min(end);
    canvas.text(Area { x, width: end - x, ..area }, &format!("{label:>7}"), meaning);
    if wide {
        let x = (x + 10).min(end);
        let bytes = inspector::bytes_of(view, token.id);
        canvas.text(Area { x, width: (end - x).min(24), ..area }, &bytes, Meaning::Quiet);
        let x = (x + 26).min(end);
        let chars = view.char_span(index).map_or(String::new(), |c| format!("chars {}..{}", c.start, c.end));
        canvas.text(Area { x, width: end - x, ..area }, &chars, Meaning::Quiet);
    }
}
