//! Choices, weights and rules of a layer in words.

use crate::app::screens::experts::routed::Layer;
use crate::report::expert_name;

/// The letter of a choice: small where the weight is below 0.5.
pub(super) fn letter(expert: usize, weight: f32) -> String {
    let name = expert_name(expert);
    if weight >= 0.5 { name } else { name.to_lowercase() }
}

/// `.71`, `1.0`, `2.5`: three cells for all below 10.
pub(super) fn weight_text(weight: f32) -> String {
    let text = format!("{weight:.2}");
    text.strip_prefix('0').map_or_else(|| format!("{weight:.1}"), String::from)
}

/// Names the gate that replaces the model's own router, and says that no noise is drawn.
fn gate_text(layer: &Layer) -> &'static str {
    match (layer.routing.decision.capacity, layer.routing.decision.top_k) {
        (None, _) => "",
        (Some(_), 1 | 2) => "; DeepSpeed's gate, noise off",
        (Some(_), _) => "; DeepSpeed's gate",
    }
}

/// How a layer decides, in words: whose gate, k, what it drops.
pub(super) fn rule_text(layer: &Layer) -> String {
    let d = &layer.routing.decision;
    let k = d.top_k;
    match d.capacity {
        None => format!("top-{k} of {}, no capacity: nothing is dropped", d.num_experts),
        Some(c) => {
            let order = match k {
                1 => "earlier tokens first",
                2 => "all first choices before second ones, earlier tokens first",
                _ => "highest probability first",
            };
            format!(
                "top-{k} of {}, capacity {c} per expert; overflow is dropped; {order}{}",
                d.num_experts,
                gate_text(layer)
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_take_three_cells_and_do_not_lie_above_one() {
        let texts = [0.0, 0.714, 0.999, 1.0, 2.37, 16.0].map(weight_text);
        assert_eq!(texts, [".00", ".71", "1.0", "1.0", "2.4", "16.0"]);
    }
}
