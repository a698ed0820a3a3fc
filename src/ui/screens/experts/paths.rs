//! Expert co-activation in a layer, and the most frequent routing paths through all layers.

use super::figures::bar;
use crate::app::screens::experts::Routed;
use crate::app::screens::experts::routed::Layer;
use crate::app::{App, Area};
use crate::moe::backbone::LayerRouting;
use crate::moe::statistics::{coactivation, paths};
use crate::report::expert_name;
use crate::ui::canvas::Canvas;
use crate::ui::theme::Meaning;

/// Experts of the matrix at most.
const MATRIX: usize = 16;

/// Draws both, side by side where there is room, else the paths below the matrix.
pub fn draw(canvas: &mut Canvas<'_>, app: &App, area: Area, routed: &Routed, layer: &Layer) {
    let n = layer.routing.decision.num_experts.min(MATRIX);
    let cell = 6u16;
    let wide = u16::try_from(n).unwrap_or(0) * cell + 5;
    let beside = area.width >= wide + 40;
    if beside {
        matrix(canvas, app, Area { width: wide, ..area }, routed, layer, cell);
        let x = area.x + wide + 2;
        frequent_paths(canvas, app, Area { x, width: area.width - wide - 2, ..area }, routed);
    } else if area.height >= u16::try_from(n).unwrap_or(0) + 9 {
        let height = u16::try_from(n).unwrap_or(0) + 3;
        matrix(
            canvas,
            app,
            Area { height, ..area },
            routed,
            layer,
            cell.min((area.width.saturating_sub(5)) / u16::try_from(n.max(1)).unwrap_or(1)),
        );
        frequent_paths(
            canvas,
            app,
            Area { y: area.y + height, height: area.height - height, ..area },
            routed,
        );
    } else {
        frequent_paths(canvas, app, area, routed);
    }
}

/// Of the positions routed to the expert of a line, the share also routed to that of a column.
fn matrix(canvas: &mut Canvas<'_>, app: &App, area: Area, routed: &Routed, layer: &Layer, cell: u16) {
    let d = &layer.routing.decision;
    let subset = app.screens.experts.subset;
    let holds = |at: usize| routed.positions.get(at).is_some_and(|p| subset.holds(p));
    let pairs = coactivation(d, holds);
    let title = format!("layer {} · expert co-activation · subset {}", layer.routing.layer, subset.name());
    canvas.text(area.line(0), &title, Meaning::Strong);
    let n = d.num_experts.min(MATRIX);
    if d.top_k < 2 {
        canvas.text(area.line(1), "top-1: no two experts are active for one position", Meaning::Quiet);
        return;
    }
    for column in 0..n {
        let x = area.x + 4 + u16::try_from(column).unwrap_or(0) * cell;
        let style = canvas.theme.expert(column, 1.0);
        canvas.styled(Area { x, width: cell, ..area.line(1) }, &expert_name(column), style);
    }
    for line in 0..n {
        let y = u16::try_from(line + 2).unwrap_or(u16::MAX);
        let row = area.line(y);
        if row.height == 0 {
            break;
        }
        let style = canvas.theme.expert(line, 1.0);
        canvas.styled(row, &expert_name(line), style);
        let own = pairs.get(line * d.num_experts + line).copied().unwrap_or(0);
        for column in 0..n {
            let x = area.x + 4 + u16::try_from(column).unwrap_or(0) * cell;
            let both = pairs.get(line * d.num_experts + column).copied().unwrap_or(0);
            let share = both as f64 / own.max(1) as f64;
            let (text, style) = match (line == column, own) {
                (true, _) => ("·".to_string(), canvas.style(Meaning::Quiet)),
                (_, 0) => ("–".to_string(), canvas.style(Meaning::Quiet)),
                _ if cell >= 5 => (
                    format!("{}{:>3.0}%", bar(share), share * 100.0),
                    canvas.theme.expert(column, share as f32),
                ),
                _ => (bar(share).to_string(), canvas.theme.expert(column, share as f32)),
            };
            canvas.styled(Area { x, width: cell, ..row }, &text, style);
        }
    }
    let rest = Area {
        y: area.y + u16::try_from(n + 3).unwrap_or(0),
        height: area.height.saturating_sub(u16::try_from(n + 3).unwrap_or(0)),
        ..area
    };
    let text = format!(
        "of the positions routed to the expert of a line, the share also routed to that of a column; all pairs of the {} choices, kept or not",
        d.top_k
    );
    canvas.paragraph(rest, &text, Meaning::Quiet);
}

/// The most frequent paths.
fn frequent_paths(canvas: &mut Canvas<'_>, app: &App, area: Area, routed: &Routed) {
    let state = &app.screens.experts;
    let holds = |at: usize| routed.positions.get(at).is_some_and(|p| state.subset.holds(p));
    let routings: Vec<&LayerRouting> = routed.layers.iter().map(|l| &l.routing).collect();
    let all = paths(&routings, holds);
    let total: usize = all.iter().map(|(_, n)| n).sum();
    let names: Vec<String> = routings.iter().map(|r| format!("L{}", r.layer)).collect();
    let title = format!(
        "{} distinct routing paths of {} · subset {} · first choices in {}",
        all.len(),
        routed.count_text(total),
        state.subset.name(),
        names.join(" ")
    );
    canvas.text(area.line(0), &title, Meaning::Strong);
    let end = area.x + area.width;
    let first = state.line.min(all.len().saturating_sub(1));
    for (n, (path, count)) in all.iter().skip(first).enumerate() {
        let line = area.line(u16::try_from(n + 1).unwrap_or(u16::MAX));
        if line.height == 0 {
            break;
        }
        let share = *count as f64 / total.max(1) as f64;
        let mut x = canvas.text(line, &format!("{:>5.1} % {count:>5}  ", share * 100.0), Meaning::Text);
        for (at, expert) in path.iter().enumerate() {
            let arrow = if at == 0 { "" } else { "→" };
            x = canvas.text(Area { x, width: end.saturating_sub(x), ..line }, arrow, Meaning::Quiet);
            let style = canvas.theme.expert(*expert, 1.0);
            x = canvas.styled(Area { x, width: end.saturating_sub(x), ..line }, &expert_name(*expert), style);
        }
        let bars = "█".repeat((share * f64::from(end.saturating_sub(x + 2))).round() as usize);
        canvas.text(
            Area { x: (x + 2).min(end), width: end.saturating_sub(x + 2), ..line },
            &bars,
            Meaning::Quiet,
        );
    }
}
