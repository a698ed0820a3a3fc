//! Expert routing as a table that a person reads: load per layer against the ideal, for all positions and the supervised ones.

use std::io::Write;

use crate::moe::route::{RouteLayer, RouteRow};
use crate::moe::statistics::LayerStatistics;
use crate::setup::ModelSource;
use crate::text;

/// Experts shown by name; the others are summed up in the figures only.
const SHOWN_EXPERTS: usize = 16;

/// What the numbers below mean, in few lines.
pub fn moe_legend(source: &ModelSource) -> String {
    let model = match source {
        ModelSource::Bytes => format!(
            "model: {}, built in and trained. It reads the prompt's bytes and says nothing about your own model.\n",
            source.name()
        ),
        ModelSource::Seeded(_) => format!(
            "model: {}, random weights: it shows how gates and capacity work, and says nothing about your own model.\n",
            source.name()
        ),
        ModelSource::Named(_) => String::new(),
    };
    format!(
        "{model}load ÷ uniform: kept assignments of an expert over an even share (1.00 = uniform), all k assignments of a position counted\n\
         dropped: overflow beyond `capacity` per expert; first choices go before second ones, earlier tokens first, for k \
         above 2 the most probable first\n\
         l_aux: load-balancing loss of one layer over all positions of the call, 1 = uniform, E = collapsed (divided by k \
         where a gate with a capacity has k above 2)\n\
         gates with a capacity are DeepSpeed's; their noise is off unless --noise sampled"
    )
}

/// Writes one routed sample.
pub fn moe_sample_text(out: &mut dyn Write, row: &RouteRow) -> std::io::Result<()> {
    let supervised = row.supervised.iter().filter(|s| **s).count();
    let images = row.modality.iter().filter(|m| **m == "image").count();
    let id = row.id.as_str().map_or_else(|| row.id.to_string(), String::from);
    let title = format!("{id} · {} on {}", row.backbone, row.device);
    writeln!(
        out,
        "\n{} · {} positions, {supervised} supervised, {images} image",
        text::plain(&title),
        row.tokens.len()
    )?;
    for layer in &row.layers {
        let all = LayerStatistics::of(layer, |_| true);
        writeln!(out, "  layer {:<3} {}", layer.layer, figures(layer, &all))?;
        writeln!(out, "    all         {}", loads(&all))?;
        let supervised = LayerStatistics::of(layer, |i| row.supervised.get(i) == Some(&true));
        if supervised.positions > 0 {
            writeln!(out, "    supervised  {}", loads(&supervised))?;
        }
    }
    Ok(())
}

fn figures(layer: &RouteLayer, all: &LayerStatistics) -> String {
    let capacity = layer.capacity.map_or("no capacity".to_string(), |c| format!("capacity {c}"));
    let l_aux = layer.l_aux.map_or(String::new(), |l| format!(" · l_aux {l:.4}"));
    format!(
        "top {} of {} · {capacity} · entropy {:.2} · dead {} · dropped {:.1} %{l_aux}",
        layer.top_k,
        layer.num_experts,
        all.entropy(),
        all.dead(),
        all.dropped_share() * 100.0
    )
}

/// `A ▇ 1.32  B ▃ 0.61 …`.
fn loads(statistics: &LayerStatistics) -> String {
    let load = statistics.load();
    let shown = load.iter().take(SHOWN_EXPERTS).enumerate();
    let mut line: Vec<String> =
        shown.map(|(e, l)| format!("{} {} {l:.2}", expert_name(e), bar(*l))).collect();
    if load.len() > SHOWN_EXPERTS {
        line.push(format!("… {} more", load.len() - SHOWN_EXPERTS));
    }
    line.join("  ")
}

/// A letter for the first 26 experts, then a number.
pub fn expert_name(expert: usize) -> String {
    let letter = u8::try_from(expert).ok().filter(|e| *e < 26).map(|e| char::from(b'A' + e));
    letter.map_or_else(|| expert.to_string(), String::from)
}

/// A bar of one cell; full at twice the ideal.
fn bar(load: f64) -> char {
    const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let step = (load.clamp(0.0, 2.0) * 4.0).round() as usize;
    BARS.get(step).copied().unwrap_or('█')
}
