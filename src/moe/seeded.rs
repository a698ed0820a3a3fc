//! A small model of every backbone that MoE-LLaVA converts, made in memory from a seed: nothing to download, no file
//! written, the vocabulary of whatever tokenizer is looked at.
//!
//! The weights are random, so it shows how the layers, the gates and the capacity of that backbone work, and says
//! nothing about a trained model. Whoever shows it must say so. Only the rows of the embedding table that a
//! sample uses are ever made.

use serde_json::{Value, json};

use super::checkpoint::{Checkpoint, Fill};
use super::config::Config;
use super::error::{MoeError, MoeResult};

/// The backbones of the guide, by the names of its recipes (`qwen1_5` is Qwen1.5 and Qwen2).
pub const SEEDED: [&str; 7] = ["phi", "qwen", "stablelm", "llama", "mistral", "qwen1_5", "minicpm"];

const HIDDEN: usize = 64;
const LAYERS: usize = 4;
const HEADS: usize = 4;
const INTERMEDIATE: usize = 128;

/// Config and weights of the seeded model `name` with `vocab_size` embeddings.
///
/// # Errors
/// A name that is not in [`SEEDED`], a vocabulary of nothing.
pub fn seeded(name: &str, vocab_size: usize, seed: u64) -> MoeResult<(Config, Checkpoint)> {
    if !SEEDED.contains(&name) {
        let known = SEEDED.join(", ");
        return Err(MoeError::Request(format!("unknown seeded model {name:?}; known are {known}")));
    }
    let path = format!("seeded:{name}");
    let config = Config::parse(format!("{path}/config.json"), &config(name, vocab_size).to_string())?;
    config.size("vocab_size")?;
    let tensors = if name == "qwen" { qwen(vocab_size) } else { llama_like(name, vocab_size) };
    Ok((config, Checkpoint::generated(&path, tensors, seed)))
}

fn config(name: &str, vocab_size: usize) -> Value {
    let mut config = json!({
        "model_type": if name == "qwen1_5" { "qwen2" } else { name },
        "vocab_size": vocab_size,
        "hidden_size": HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "intermediate_size": INTERMEDIATE,
    });
    let more = match name {
        "phi" => json!({"partial_rotary_factor": 0.5, "hidden_act": "gelu_new", "layer_norm_eps": 1e-5}),
        // The config of Qwen v1 counts w1 and w2 together.
        "qwen" => {
            json!({"intermediate_size": 2 * INTERMEDIATE, "kv_channels": HIDDEN / HEADS, "no_bias": true})
        }
        "stablelm" => json!({"use_qkv_bias": true, "partial_rotary_factor": 0.25, "norm_eps": 1e-5}),
        "mistral" => json!({"num_key_value_heads": HEADS / 2, "sliding_window": 4096, "rms_norm_eps": 1e-5}),
        "minicpm" => {
            json!({"scale_emb": 12, "scale_depth": 1.4, "dim_model_base": HIDDEN, "rms_norm_eps": 1e-5})
        }
        _ => json!({"rms_norm_eps": 1e-6}),
    };
    if let (Value::Object(config), Value::Object(more)) = (&mut config, more) {
        config.extend(more);
    }
    config
}

/// A tensor: name, shape, values.
type Tensor = (String, Vec<usize>, Fill);

/// `name.weight [out, in]` and, if asked for, `name.bias`.
fn linear(all: &mut Vec<Tensor>, name: &str, out: usize, input: usize, bias: bool) {
    let bound = 1.0 / (input as f32).sqrt();
    all.push((format!("{name}.weight"), vec![out, input], Fill::Uniform(bound)));
    if bias {
        all.push((format!("{name}.bias"), vec![out], Fill::Uniform(bound)));
    }
}

fn norm(all: &mut Vec<Tensor>, name: &str, bias: bool) {
    all.push((format!("{name}.weight"), vec![HIDDEN], Fill::Constant(1.0)));
    if bias {
        all.push((format!("{name}.bias"), vec![HIDDEN], Fill::Constant(0.0)));
    }
}

/// Tables of a model by the names of Llama; Phi-2 has its own names for some.
fn llama_like(name: &str, vocab_size: usize) -> Vec<Tensor> {
    let (phi, stablelm) = (name == "phi", name == "stablelm");
    let kv = if name == "mistral" { HIDDEN / 2 } else { HIDDEN };
    let qkv_bias = phi || stablelm || name == "qwen1_5";
    let mut all = vec![("model.embed_tokens.weight".to_owned(), vec![vocab_size, HIDDEN], Fill::Normal(1.0))];
    linear(&mut all, "lm_head", vocab_size, HIDDEN, phi);
    norm(&mut all, if phi { "model.final_layernorm" } else { "model.norm" }, phi || stablelm);
    for layer in 0..LAYERS {
        let p = format!("model.layers.{layer}");
        for (part, out) in [("q_proj", HIDDEN), ("k_proj", kv), ("v_proj", kv)] {
            linear(&mut all, &format!("{p}.self_attn.{part}"), out, HIDDEN, qkv_bias);
        }
        linear(
            &mut all,
            &format!("{p}.self_attn.{}", if phi { "dense" } else { "o_proj" }),
            HIDDEN,
            HIDDEN,
            phi,
        );
        norm(&mut all, &format!("{p}.input_layernorm"), phi || stablelm);
        if phi {
            linear(&mut all, &format!("{p}.mlp.fc1"), INTERMEDIATE, HIDDEN, true);
            linear(&mut all, &format!("{p}.mlp.fc2"), HIDDEN, INTERMEDIATE, true);
            continue;
        }
        norm(&mut all, &format!("{p}.post_attention_layernorm"), stablelm);
        linear(&mut all, &format!("{p}.mlp.gate_proj"), INTERMEDIATE, HIDDEN, false);
        linear(&mut all, &format!("{p}.mlp.up_proj"), INTERMEDIATE, HIDDEN, false);
        linear(&mut all, &format!("{p}.mlp.down_proj"), HIDDEN, INTERMEDIATE, false);
    }
    all
}

/// Qwen v1 by the names of its own class.
fn qwen(vocab_size: usize) -> Vec<Tensor> {
    let mut all = vec![("transformer.wte.weight".to_owned(), vec![vocab_size, HIDDEN], Fill::Normal(1.0))];
    linear(&mut all, "lm_head", vocab_size, HIDDEN, false);
    norm(&mut all, "transformer.ln_f", false);
    for layer in 0..LAYERS {
        let p = format!("transformer.h.{layer}");
        linear(&mut all, &format!("{p}.attn.c_attn"), 3 * HIDDEN, HIDDEN, true);
        linear(&mut all, &format!("{p}.attn.c_proj"), HIDDEN, HIDDEN, false);
        norm(&mut all, &format!("{p}.ln_1"), false);
        norm(&mut all, &format!("{p}.ln_2"), false);
        linear(&mut all, &format!("{p}.mlp.w1"), INTERMEDIATE, HIDDEN, false);
        linear(&mut all, &format!("{p}.mlp.w2"), INTERMEDIATE, HIDDEN, false);
        linear(&mut all, &format!("{p}.mlp.c_proj"), HIDDEN, INTERMEDIATE, false);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::super::backbone::{
        Conversion, ForwardOptions, InputRow, Model, ModelLoadOptions, WantedLogits,
    };
    use super::super::moe_llava::{MoeConfig, MoeMode, MoeRequest};
    use super::*;

    fn rows() -> Vec<InputRow> {
        [1u32, 70_000, 12, 5, 5, 999, 3].map(InputRow::Token).to_vec()
    }

    #[test]
    fn every_backbone_runs_dense_and_converted_alike() {
        for name in SEEDED {
            let (config, checkpoint) = seeded(name, 100_000, 7).unwrap();
            let options = ForwardOptions { logits: WantedLogits::None, ..ForwardOptions::default() };
            let dense = Model::load(&config, &checkpoint, &ModelLoadOptions::default()).unwrap();
            let request =
                MoeRequest { mode: MoeMode::Dense, eval_capacity_factor: 4.0, ..MoeRequest::default() };
            let conversion = Conversion::seeded(MoeConfig::new(&request, 4).unwrap(), 3);
            let load = ModelLoadOptions { conversion: Some(conversion), ..ModelLoadOptions::default() };
            let moe = Model::load(&config, &checkpoint, &load).unwrap();
            let (a, b) =
                (dense.forward(&[rows()], &options).unwrap(), moe.forward(&[rows()], &options).unwrap());
            assert_eq!((a.routings.len(), b.routings.len()), (0, 4), "{name}");
            let far = a.hidden.iter().zip(&b.hidden).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(far < 1e-4, "{name}: copies of the MLP, top-2, no drops: {far}");
            let spread: std::collections::BTreeSet<_> =
                b.routings.iter().flat_map(|r| &r.decision.idx).collect();
            assert!(spread.len() > 1, "{name}: seeded gates choose different experts");
        }
    }

    #[test]
    fn one_seed_gives_one_model_and_another_seed_another() {
        let row =
            |seed| seeded("phi", 50_295, seed).unwrap().1.f32_rows("model.embed_tokens.weight", 50_000, 2);
        let (a, b) = (row(1).unwrap(), row(1).unwrap());
        assert_eq!(a, b);
        assert_eq!(a.len(), 2 * HIDDEN);
        assert_ne!(a, row(2).unwrap());
        assert_ne!(a[..HIDDEN], a[HIDDEN..]);
        assert!(seeded("phi", 0, 1).is_err() && seeded("gpt", 10, 1).is_err());
        assert!(seeded("phi", 10, 1).unwrap().1.f32_rows("model.embed_tokens.weight", 9, 2).is_err());
    }
}
