//! Load of the experts: of one layer beside the tokens, of all layers, and of one layer by subset of positions.
//!
//! Every figure counts kept assignments: all k of a position, each once whatever its weight.

use super::words::rule_text;
use crate::app::screens::experts::routed::Layer;
use crate::app::screens::experts::{Routed, subset::Subset};
use crate::app::{App, Area};
use crate::moe::gating::Decision;
use crate::moe::statistics::LayerStatistics;
use crate::report::expert_name;
use crate::text::width;
use crate::ui::canvas::Canvas;
use crate::ui::theme::Meaning;

/// A bar of one cell; full at `share` 1.
pub fn bar(share: f64) -> char {
    const BARS: [char; 9] = ['·', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let step = (share.clamp(0.0, 1.0) * 8.0).round() as usize;
    BARS.get(step).copied().unwrap_or('█')
}

/// Load of a layer over the positions of a subset.
pub fn statistics(routed: &Routed, layer: &Layer, subset: Subset) -> LayerStatistics {
    let holds = |at: usize| routed.positions.get(at).is_some_and(|p| subset.holds(p));
    LayerStatistics::of_decision(layer.routing.layer, &layer.routing.decision, holds)
}

/// What is counted, over which subset of positions.
fn caption(app: &App) -> String {
    format!("load ÷ uniform (kept assignments), subset: {}", app.screens.experts.subset.name())
}

/// The ends of a layer's load-balancing loss. DeepSpeed's gate for more than two choices counts all of them.
fn loss_ends(d: &Decision) -> String {
    let (n, k) = (d.num_experts, d.top_k);
    match d.capacity.is_some() && k > 2 {
        true => format!("1 = uniform, {:.1} = collapsed", n as f64 / k as f64),
        false => format!("1 = uniform, {n} = collapsed"),
    }
}

/// The load of one layer as bars against the ideal line, an expert a line.
pub fn side(canvas: &mut Canvas<'_>, app: &App, area: Area, routed: &Routed, layer: &Layer) {
    if area.width == 0 {
        return;
    }
    let of = statistics(routed, layer, app.screens.experts.subset);
    let title = format!("layer {} · load ÷ uniform", layer.routing.layer);
    canvas.text(area.line(0), &title, Meaning::Strong);
    let load = of.load();
    let room = usize::from(area.height.saturating_sub(10));
    for (expert, value) in load.iter().enumerate().take(room) {
        let line = area.line(u16::try_from(expert + 1).unwrap_or(u16::MAX));
        load_bar(canvas, line, expert, *value, of.counts.get(expert).copied().unwrap_or(0));
    }
    let shown = load.len().min(room);
    let mut y = u16::try_from(shown + 1).unwrap_or(u16::MAX);
    if load.len() > shown {
        canvas.text(area.line(y), &format!("… {} more", load.len() - shown), Meaning::Quiet);
        y += 1;
    }
    let mut lines: Vec<(String, Meaning)> = Vec::new();
    lines.push((format!("entropy {:.2} · dead experts {}", of.entropy(), of.dead()), Meaning::Text));
    lines.push((format!("load-balancing loss {}", balance_text(layer)), Meaning::Text));
    let meaning = if of.dropped > 0 { Meaning::Bad } else { Meaning::Quiet };
    lines.push((format!("{} assignments dropped, {:.1} %", of.dropped, of.dropped_share() * 100.0), meaning));
    for (text, meaning) in lines {
        canvas.text(area.line(y), &text, meaning);
        y += 1;
    }
    let rest = Area { y: area.y + y, height: area.height.saturating_sub(y), ..area };
    let used = canvas.paragraph(
        rest,
        &format!("{}; loss: {}", caption(app), loss_ends(&layer.routing.decision)),
        Meaning::Quiet,
    );
    let rest = Area { y: rest.y + used, height: rest.height.saturating_sub(used), ..rest };
    let used = canvas.paragraph(rest, &rule_text(layer), Meaning::Quiet) + 1;
    let rest = Area { y: rest.y + used, height: rest.height.saturating_sub(used), ..rest };
    let rows = if routed.is_bytes() { "its bytes" } else { "its positions" };
    let text = format!(
        "under a token: its expert, over {rows}; capital from weight .50 on, ✂ an assignment dropped. Underlined: supervised"
    );
    canvas.paragraph(rest, &text, Meaning::Quiet);
}

/// `A ██████│██    1.31  207`: the line stands at 1.
fn load_bar(canvas: &mut Canvas<'_>, area: Area, expert: usize, load: f64, count: usize) {
    let text = format!(" {load:>5.2} {count:>5}");
    let name = format!("{:<3}", expert_name(expert));
    let style = canvas.theme.expert(expert, 1.0);
    let x = canvas.styled(area, &name, style);
    let wide = usize::from(area.width).saturating_sub(3 + text.len());
    // Full at 2.5 times the even share; more is cut and the figure tells.
    let ideal = (wide as f64 / 2.5).round() as usize;
    let filled = ((load / 2.5) * wide as f64).round() as usize;
    let cells: String = (0..wide)
        .map(|at| match (at < filled, at == ideal) {
            (true, true) => '┃',
            (true, false) => '█',
            (false, true) => '│',
            (false, false) => ' ',
        })
        .collect();
    let bar_area = Area { x, width: area.width.saturating_sub(3), ..area };
    let x = canvas.styled(bar_area, &cells, style);
    let meaning = if count == 0 { Meaning::Bad } else { Meaning::Text };
    canvas.text(Area { x, width: (area.x + area.width).saturating_sub(x), ..area }, &text, meaning);
}

fn balance_text(layer: &Layer) -> String {
    layer.balance.map_or("–".to_string(), |l| format!("{l:.2}"))
}

/// Bars of one cell an expert with its load, then the figures; drawn in a line.
fn load_line(canvas: &mut Canvas<'_>, area: Area, of: &LayerStatistics, figures: &str, cell: usize) {
    let end = area.x + area.width;
    let reserve = u16::try_from(width(figures) + 1).unwrap_or(0);
    let limit = end.saturating_sub(reserve).max(area.x);
    let mut x = area.x;
    for (expert, load) in of.load().into_iter().enumerate() {
        let text = match cell {
            0 => format!("{}{}", expert_name(expert), bar(load / 2.0)),
            _ => format!("{}{} {load:.2}", expert_name(expert), bar(load / 2.0)),
        };
        let gap = usize::from(area.width > 40);
        let wide = u16::try_from(text.chars().count() + gap).unwrap_or(u16::MAX);
        if x.saturating_add(wide) > limit {
            canvas.text(Area { x, width: end.saturating_sub(x).min(1), ..area }, "…", Meaning::Quiet);
            break;
        }
        let style = canvas.theme.expert(expert, if load > 0.0 { 1.0 } else { 0.0 });
        canvas.styled(Area { x, width: wide, ..area }, &text, style);
        x += wide;
    }
    let meaning = if of.dropped > 0 { Meaning::Bad } else { Meaning::Text };
    canvas.right(area, figures, meaning);
}

/// Width of the loads of `n` experts when each has its figure.
fn fits(n: usize, width: u16, figures: usize) -> usize {
    usize::from(n * 8 + figures < usize::from(width))
}

/// Every layer a line.
pub fn load(canvas: &mut Canvas<'_>, app: &App, area: Area, routed: &Routed) {
    let state = &app.screens.experts;
    let wide = area.width >= 70;
    let first = state.line.min(routed.layers.len().saturating_sub(1));
    let mut y = 0;
    for (at, layer) in routed.layers.iter().enumerate().skip(first) {
        if y >= area.height.saturating_sub(3) {
            break;
        }
        let of = statistics(routed, layer, state.subset);
        let name = format!("{}L{:<3}", if at == state.layer { "▸" } else { " " }, layer.routing.layer);
        let meaning = if at == state.layer { Meaning::Selected } else { Meaning::Quiet };
        let x = canvas.text(area.line(y), &name, meaning);
        let figures = match wide {
            true => format!(
                "entropy {:.2}  dead {}  dropped {:>4.1} %  loss {}  capacity {}",
                of.entropy(),
                of.dead(),
                of.dropped_share() * 100.0,
                balance_text(layer),
                layer.routing.decision.capacity.map_or("–".to_string(), |c| c.to_string())
            ),
            false => format!("✂{:.0}% l{}", of.dropped_share() * 100.0, balance_text(layer)),
        };
        let line = Area { x, width: (area.x + area.width).saturating_sub(x), ..area.line(y) };
        if wide && fits(of.counts.len(), line.width, width(&figures)) == 0 {
            // The figures get a line of their own.
            load_line(canvas, line, &of, "", fits(of.counts.len(), line.width, 0));
            y += 1;
            let line = Area { x, width: line.width, ..area.line(y) };
            let meaning = if of.dropped > 0 { Meaning::Bad } else { Meaning::Quiet };
            canvas.text(line, &figures, meaning);
        } else {
            load_line(canvas, line, &of, &figures, usize::from(wide));
        }
        y += 1;
    }
    let rest = Area { y: area.y + y, height: area.height.saturating_sub(y), ..area };
    let text = legend(app, routed);
    canvas.paragraph(rest, &text, Meaning::Quiet);
}

fn legend(app: &App, routed: &Routed) -> String {
    let Some(layer) = app.screens.experts.shown_layer() else { return String::new() };
    let pooled = routed.pooled.map_or(String::new(), |loss| {
        let k = layer.routing.decision.top_k;
        format!(
            " · pooled over layers as transformers does {loss:.3} ({k} = uniform): it hides a collapsed layer"
        )
    });
    format!(
        "{}. loss: load-balancing loss over all positions, {}{pooled}. {}",
        caption(app),
        loss_meaning(&layer.routing.decision),
        rule_text(layer)
    )
}

/// Which choices the loss of a layer counts, and its ends.
fn loss_meaning(d: &Decision) -> String {
    let counted = match d.capacity.is_some() && d.top_k > 2 {
        true => format!("all {} choices", d.top_k),
        false => "first choices".to_string(),
    };
    format!("{counted} before drops ({})", loss_ends(d))
}

/// One layer, a line for each subset of positions.
pub fn split(canvas: &mut Canvas<'_>, app: &App, area: Area, routed: &Routed, layer: &Layer) {
    let state = &app.screens.experts;
    let wide = area.width >= 70;
    let title = format!("layer {} by subset of positions", layer.routing.layer);
    canvas.text(area.line(0), &title, Meaning::Strong);
    let mut y = 1;
    for (subset, rows) in routed.subsets.iter().skip(state.line.min(routed.subsets.len().saturating_sub(1))) {
        if y >= area.height.saturating_sub(2) {
            break;
        }
        let of = statistics(routed, layer, *subset);
        let mark = if *subset == state.subset { "▸" } else { " " };
        let name = if wide {
            format!("{mark}{:<11}{rows:>5} ", subset.name())
        } else {
            format!("{mark}{:<10.10} ", subset.name())
        };
        let meaning = if *subset == state.subset { Meaning::Selected } else { Meaning::Text };
        let x = canvas.text(area.line(y), &name, meaning);
        let figures = match wide {
            true => format!(
                "entropy {:.2} dead {} ✂{:>4.1}%",
                of.entropy(),
                of.dead(),
                of.dropped_share() * 100.0
            ),
            false => format!("✂{:.0}%", of.dropped_share() * 100.0),
        };
        let line = Area { x, width: (area.x + area.width).saturating_sub(x), ..area.line(y) };
        let detailed = if wide { fits(of.counts.len(), line.width, width(&figures)) } else { 0 };
        load_line(canvas, line, &of, &figures, detailed);
        y += 1;
    }
    let rest = Area { y: area.y + y, height: area.height.saturating_sub(y), ..area };
    let text = format!(
        "load ÷ uniform (kept assignments; full bar = 2) of each line's own positions; ✂ dropped. {}",
        rule_text(layer)
    );
    canvas.paragraph(rest, &text, Meaning::Quiet);
}
