//! The embedded sample: a trained mixture over bytes, so that routing can be looked at with no download.
//!
//! It reads the prompt's UTF-8 bytes, so it fits any tokenizer: a token's routing is that of its bytes.
//! It says nothing about the user's own model, and the screen must say that.

use std::ops::Range;

use super::backbone::{Forward, ForwardOptions, InputRow, LoadOptions, Model};
use super::checkpoint::Checkpoint;
use super::config::Config;
use super::error::{MoeError, MoeResult};
use super::gating::argmax;
use crate::tokenizer::TokenId;

/// Names of the embedded models.
pub const SAMPLES: [&str; 1] = ["byte-moe"];

/// Most bytes routed in one call: the model looks 96 bytes back, and more would only take time and memory.
pub const MAX_BYTES: usize = 1 << 17;

static WEIGHTS: &[u8] = include_bytes!("../../samples/moe/byte-moe/model.safetensors");
static CONFIG: &str = include_str!("../../samples/moe/byte-moe/config.json");

/// Loads an embedded model.
pub fn load(name: &str, options: &LoadOptions) -> MoeResult<Model> {
    let (config, checkpoint) = open(name)?;
    Model::load(&config, &checkpoint, options)
}

/// Config and weights of an embedded model.
pub fn open(name: &str) -> MoeResult<(Config, Checkpoint)> {
    if !SAMPLES.contains(&name) {
        let known = SAMPLES.join(", ");
        return Err(MoeError::Request(format!("unknown MoE sample {name:?}; known are {known}")));
    }
    let config = Config::parse("byte-moe/config.json", CONFIG)?;
    Ok((config, Checkpoint::from_static("byte-moe/model.safetensors", WEIGHTS)?))
}

/// How the bytes of one token are routed in one layer.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenRouting {
    /// Mean weight of every expert over the token's bytes, `[E]`; sums to 1.
    pub weights: Vec<f32>,
    /// The expert with the largest mean weight.
    pub expert: usize,
}

/// The routing of a prompt by the byte model.
#[derive(Debug, Clone, PartialEq)]
pub struct PromptRouting {
    /// Of every byte.
    pub bytes: Forward,
    /// `[layers][tokens]`; `None` for a token without bytes (an image placeholder, an empty piece).
    pub tokens: Vec<Vec<Option<TokenRouting>>>,
}

/// Routes `prompt` and gives every token the routing of the bytes it covers.
///
/// `spans` are byte ranges of `prompt`, one a token; they may overlap (several tokens of one character)
/// and may be empty.
///
/// # Errors
/// An empty or too long prompt, a span outside it.
pub fn route_prompt(model: &Model, prompt: &str, spans: &[Range<usize>]) -> MoeResult<PromptRouting> {
    if prompt.len() > MAX_BYTES {
        let n = prompt.len();
        return Err(MoeError::Request(format!("the prompt has {n} bytes, the byte model takes {MAX_BYTES}")));
    }
    if let Some(at) = spans.iter().position(|s| s.start > s.end || s.end > prompt.len()) {
        let n = prompt.len();
        return Err(MoeError::Request(format!("the span of token {at} is outside the prompt's {n} bytes")));
    }
    let rows: Vec<InputRow> = prompt.bytes().map(|b| InputRow::Token(TokenId::from(b))).collect();
    let bytes = model.forward(&[rows], &ForwardOptions::default())?;
    let tokens = bytes
        .routings
        .iter()
        .map(|routing| {
            let d = &routing.decision;
            let of_byte = dense_weights(&d.idx, &d.weights, d.top_k, d.num_experts);
            spans.iter().map(|span| token_routing(&of_byte, d.num_experts, span)).collect()
        })
        .collect();
    Ok(PromptRouting { bytes, tokens })
}

/// Choices as `[T, E]` weights.
fn dense_weights(idx: &[usize], weights: &[f32], top_k: usize, num_experts: usize) -> Vec<f32> {
    let mut dense = vec![0f32; idx.len() / top_k.max(1) * num_experts];
    let choices = idx.chunks_exact(top_k.max(1)).zip(weights.chunks_exact(top_k.max(1)));
    for (row, (experts, weights)) in dense.chunks_exact_mut(num_experts).zip(choices) {
        for (&e, &w) in experts.iter().zip(weights) {
            if let Some(cell) = row.get_mut(e) {
                *cell += w;
            }
        }
    }
    dense
}

fn token_routing(of_byte: &[f32], num_experts: usize, span: &Range<usize>) -> Option<TokenRouting> {
    let rows = of_byte.get(span.start * num_experts..span.end * num_experts)?;
    let mut weights = vec![0f32; num_experts];
    for row in rows.chunks_exact(num_experts) {
        weights.iter_mut().zip(row).for_each(|(sum, w)| *sum += w / span.len() as f32);
    }
    let expert = argmax(weights.iter().copied()).filter(|_| !span.is_empty())?;
    Some(TokenRouting { weights, expert })
}

#[cfg(test)]
mod tests {
    use super::super::backbone::WantedLogits;
    use super::super::gating::top_k;
    use super::*;

    #[test]
    fn the_sample_routes_as_in_python() {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/moe/byte-moe");
        let texts: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(dir.join("golden.json")).unwrap()).unwrap();
        let arrays = Checkpoint::open(&dir.join("golden.safetensors")).unwrap();
        let read = |name: &str| arrays.f32(name, &arrays.info(name).unwrap().shape.clone()).unwrap();
        let model = load("byte-moe", &LoadOptions::default()).unwrap();
        for (t, text) in texts.as_array().unwrap().iter().enumerate() {
            let rows = text["text"].as_str().unwrap().bytes().map(|b| InputRow::Token(b.into())).collect();
            let options = ForwardOptions { logits: WantedLogits::Last, ..ForwardOptions::default() };
            let run = model.forward(&[rows], &options).unwrap();
            let near = |ours: &[f32], theirs: &[f32]| {
                ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| (a - b).abs() < 1e-3)
            };
            for routing in &run.routings {
                let logits = read(&format!("t{t}/L{}/logits", routing.layer));
                assert!(near(&routing.logits, &logits), "text {t}, layer {}", routing.layer);
                let d = &routing.decision;
                for (row, experts) in logits.chunks(d.num_experts).zip(d.idx.chunks(2)) {
                    let best = top_k(row, 3);
                    if best.windows(2).all(|w| w[0].1 - w[1].1 > 1e-3) {
                        assert_eq!(experts, [best[0].0, best[1].0]);
                    }
                }
            }
        }
    }

    #[test]
    fn a_token_has_the_routing_of_its_bytes() {
        let model = load("byte-moe", &LoadOptions::default()).unwrap();
        let routed = route_prompt(&model, "2024 é", &[0..4, 4..4, 4..5, 5..7, 5..7]).unwrap();
        assert_eq!(routed.tokens.len(), 4);
        let layer = &routed.tokens[0];
        assert!(layer[1].is_none());
        assert_eq!(layer[3], layer[4]);
        let digits = layer[0].as_ref().unwrap();
        assert!((digits.weights.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        let d = &routed.bytes.routings[0].decision;
        let of_expert = |e: usize| {
            let choices = d.idx.iter().zip(&d.weights).take(4 * 2);
            choices.filter(|(i, _)| **i == e).map(|(_, w)| w).sum::<f32>() / 4.0
        };
        assert!((0..8).all(|e| (digits.weights[e] - of_expert(e)).abs() < 1e-6));
        assert_eq!(Some(digits.expert), argmax(digits.weights.iter().copied()));
        assert!(route_prompt(&model, "ab", std::slice::from_ref(&(0..3))).is_err());
        assert!(route_prompt(&model, "", &[]).is_err());
        assert!(load("other", &LoadOptions::default()).is_err());
    }

    #[test]
    fn fewer_layers_read_fewer_tensors() {
        let config = Config::parse("config.json", CONFIG).unwrap();
        let checkpoint = Checkpoint::from_static("byte-moe", WEIGHTS).unwrap();
        let options = LoadOptions { layers: Some(2), ..LoadOptions::default() };
        let model = Model::load(&config, &checkpoint, &options).unwrap();
        let run = model.forward(&[vec![InputRow::Token(65)]], &ForwardOptions::default()).unwrap();
        assert_eq!(run.routings.len(), 2);
        let logits = ForwardOptions { logits: WantedLogits::Last, ..ForwardOptions::default() };
        assert!(model.forward(&[vec![InputRow::Token(65)]], &logits).is_err());
        assert!(model.forward(&[vec![InputRow::Token(256)]], &ForwardOptions::default()).is_err());
        for layers in [0, 5] {
            let options = LoadOptions { layers: Some(layers), ..LoadOptions::default() };
            assert!(Model::load(&config, &checkpoint, &options).is_err());
        }
    }
}
