//! The routing of a token from the routing of its positions: one for a token, its bytes for byte-moe, its patches for
//! an image.

use std::ops::Range;

use super::backbone::LayerRouting;
use super::gating::argmax;

/// How a token is routed in one layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TokenRoute {
    /// Its first choice; for several rows the expert with the largest mean weight.
    pub expert: usize,
    /// Weight of that expert, mean over the rows; 0 where it was dropped everywhere.
    pub weight: f32,
    /// Share of the token's choices that were dropped.
    pub dropped: f32,
}

/// The routing of a token whose positions are `span`; `None` where it has none.
pub fn token_route(routing: &LayerRouting, span: &Range<usize>) -> Option<TokenRoute> {
    let d = &routing.decision;
    let k = d.top_k.max(1);
    let rows = span.start.min(d.tokens())..span.end.min(d.tokens());
    if rows.is_empty() {
        return None;
    }
    let choices = rows.start * k..rows.end * k;
    let dropped = choices.clone().filter(|at| d.is_dropped(at / k, at % k)).count();
    let dropped = dropped as f32 / choices.len() as f32;
    let mut weights = vec![0f32; d.num_experts];
    for (expert, weight) in d.idx.get(choices.clone())?.iter().zip(d.weights.get(choices.clone())?) {
        if let Some(sum) = weights.get_mut(*expert) {
            *sum += weight / rows.len() as f32;
        }
    }
    let first = d.idx.get(choices.start).copied()?;
    // One row shows its first choice even where that was dropped.
    let several = argmax(weights.iter().copied()).filter(|e| weights.get(*e).is_some_and(|w| *w > 0.0));
    let expert = if rows.len() == 1 { first } else { several.unwrap_or(first) };
    Some(TokenRoute { expert, weight: weights.get(expert).copied().unwrap_or(0.0), dropped })
}

#[cfg(test)]
mod tests {
    use super::super::backbone::{ForwardOptions, ModelLoadOptions};
    use super::super::positions::Positions;
    use super::super::{route, sample};
    use super::*;

    #[test]
    fn a_token_has_the_routing_of_its_bytes() {
        let model = sample::load("byte-moe", &ModelLoadOptions::default()).unwrap();
        let spans = [0..4, 4..4, 4..5, 5..7, 5..7];
        let positions = Positions::of_bytes("2024 é", 7, &spans, &[]).unwrap();
        let inputs = positions.input_rows(&model, 0).unwrap();
        let call =
            route::route_call(&model, &[inputs], &ForwardOptions::default(), &mut |_, _| true).unwrap();
        assert_eq!(call.forward.routings.len(), 4);
        let layer = &call.forward.routings[0];
        let tokens: Vec<_> = spans.iter().map(|span| token_route(layer, span)).collect();
        assert!(tokens[1].is_none());
        assert_eq!(tokens[3], tokens[4]);
        let d = &layer.decision;
        let weight_of = |e: usize| {
            let choices = d.idx.iter().zip(&d.weights).take(4 * 2);
            choices.filter(|(i, _)| **i == e).map(|(_, w)| w).sum::<f32>() / 4.0
        };
        let digits = tokens[0].unwrap();
        assert!((digits.weight - weight_of(digits.expert)).abs() < 1e-6);
        assert!((0..8).all(|e| weight_of(e) <= digits.weight + 1e-6));
        assert_eq!(digits.dropped, 0.0);
        assert_eq!(token_route(layer, &(7..9)), None, "beyond the positions");
    }
}
