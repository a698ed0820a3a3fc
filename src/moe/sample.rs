//! The embedded sample: a trained MoE model over bytes, so that routing can be looked at with no download.
//!
//! It reads the prompt's UTF-8 bytes, so it fits any tokenizer: a token's routing is that of its bytes.
//! It says nothing about the user's own model, and the screen must say that.

use super::backbone::{Model, ModelLoadOptions};
use super::checkpoint::Checkpoint;
use super::config::Config;
use super::error::{MoeError, MoeResult};

/// Names of the embedded models.
pub const SAMPLES: [&str; 1] = ["byte-moe"];

static WEIGHTS: &[u8] = include_bytes!("../../samples/moe/byte-moe/model.safetensors");
static CONFIG: &str = include_str!("../../samples/moe/byte-moe/config.json");

/// Loads an embedded model.
#[cfg_attr(not(feature = "internals"), allow(dead_code))]
pub fn load(name: &str, options: &ModelLoadOptions) -> MoeResult<Model> {
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

#[cfg(test)]
mod tests {
    use super::super::backbone::{ForwardOptions, InputRow, WantedLogits};
    use super::super::gating::top_k;
    use super::*;

    #[test]
    fn the_sample_routes_as_in_python() {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/moe/byte-moe");
        let texts: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(dir.join("golden.json")).unwrap()).unwrap();
        let arrays = Checkpoint::open(&dir.join("golden.safetensors")).unwrap();
        let read = |name: &str| arrays.f32(name, &arrays.info(name).unwrap().shape.clone()).unwrap();
        let model = load("byte-moe", &ModelLoadOptions::default()).unwrap();
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
    fn fewer_layers_read_fewer_tensors() {
        let config = Config::parse("config.json", CONFIG).unwrap();
        let checkpoint = Checkpoint::from_static("byte-moe", WEIGHTS).unwrap();
        let options = ModelLoadOptions { layers: Some(2), ..ModelLoadOptions::default() };
        let model = Model::load(&config, &checkpoint, &options).unwrap();
        let run = model.forward(&[vec![InputRow::Token(65)]], &ForwardOptions::default()).unwrap();
        assert_eq!(run.routings.len(), 2);
        let logits = ForwardOptions { logits: WantedLogits::Last, ..ForwardOptions::default() };
        assert!(model.forward(&[vec![InputRow::Token(65)]], &logits).is_err());
        assert!(model.forward(&[vec![InputRow::Token(256)]], &ForwardOptions::default()).is_err());
        for layers in [0, 5] {
            let options = ModelLoadOptions { layers: Some(layers), ..ModelLoadOptions::default() };
            assert!(Model::load(&config, &checkpoint, &options).is_err());
        }
        assert!(load("other", &ModelLoadOptions::default()).is_err());
    }
}
