//! Tests over a whole tiny model: conversion to a folder and back, and checkpoints that lie.

use std::path::Path;

use serde_json::{Value, json};

use super::backbone::{Conversion, ForwardOptions, InputRow, LoadOptions, Model};
use super::checkpoint::{Checkpoint, TensorSource, write_safetensors};
use super::config::Config;
use super::convert::convert;
use super::error::MoeResult;
use super::kmeans::kmeans_gates;
use super::moe_llava::{MoeConfig, MoeMode, MoeRequest};
use super::seed::Rng;

/// A two-layer Llama with H = 8, I = 12, 2 heads and 16 tokens.
fn config() -> Value {
    json!({
        "model_type": "llama", "vocab_size": 16, "hidden_size": 8, "intermediate_size": 12,
        "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1,
        "hidden_act": "silu", "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "torch_dtype": "float32",
    })
}

/// Its tensors, random but fixed.
fn tensors() -> Vec<(String, Vec<usize>, Vec<f32>)> {
    let mut shapes = vec![
        ("model.embed_tokens.weight".to_owned(), vec![16, 8]),
        ("model.norm.weight".into(), vec![8]),
        ("lm_head.weight".into(), vec![16, 8]),
    ];
    for n in 0..2 {
        for (part, shape) in [
            ("self_attn.q_proj", vec![8, 8]),
            ("self_attn.k_proj", vec![4, 8]),
            ("self_attn.v_proj", vec![4, 8]),
            ("self_attn.o_proj", vec![8, 8]),
            ("mlp.gate_proj", vec![12, 8]),
            ("mlp.up_proj", vec![12, 8]),
            ("mlp.down_proj", vec![8, 12]),
            ("input_layernorm", vec![8]),
            ("post_attention_layernorm", vec![8]),
        ] {
            shapes.push((format!("model.layers.{n}.{part}.weight"), shape));
        }
    }
    let mut rng = Rng::new(11);
    shapes
        .into_iter()
        .map(|(name, shape)| {
            let values = (0..shape.iter().product()).map(|_| rng.normal() * 0.5).collect();
            (name, shape, values)
        })
        .collect()
}

fn write(dir: &Path, config: &Value, tensors: Vec<(String, Vec<usize>, Vec<f32>)>) {
    std::fs::write(dir.join("config.json"), config.to_string()).unwrap();
    let tensors: Vec<_> = tensors
        .into_iter()
        .map(|(name, shape, values)| (name, TensorSource::F32 { shape, values }))
        .collect();
    write_safetensors(&dir.join("model.safetensors"), &tensors).unwrap();
}

fn load(dir: &Path, conversion: Option<Conversion>) -> MoeResult<Model> {
    let options = LoadOptions { conversion, ..LoadOptions::default() };
    Model::load(&Config::open(dir)?, &Checkpoint::open(dir)?, &options)
}

fn ids() -> Vec<InputRow> {
    [3u32, 1, 4, 1, 5, 9, 2, 6].into_iter().map(InputRow::Token).collect()
}

fn request(mode: MoeMode, use_residual: bool) -> MoeConfig {
    let request = MoeRequest { mode, use_residual, ..MoeRequest::default() };
    MoeConfig::new(&request, 2).unwrap()
}

#[test]
fn a_written_conversion_routes_as_the_one_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &config(), tensors());
    std::fs::write(dir.path().join("tokenizer.json"), "{}").unwrap();
    std::fs::write(dir.path().join("modeling.py"), "print()").unwrap();
    for (n, use_residual) in [false, true].into_iter().enumerate() {
        let conversion = Conversion::seeded(request(MoeMode::Dense, use_residual), 5);
        let out = dir.path().join(format!("out{n}"));
        let written = convert(dir.path(), &conversion, &out).unwrap();
        assert_eq!(written.files, [out.join("model.safetensors")]);
        assert!(out.join("tokenizer.json").exists() && !out.join("modeling.py").exists());
        let saved = load(&out, None).unwrap();
        let memory = load(dir.path(), Some(conversion.clone())).unwrap();
        let run = |m: &Model| m.forward(&[ids()], &ForwardOptions::default()).unwrap();
        assert_eq!(run(&saved), run(&memory));
        assert_eq!(saved.config().model_type().unwrap(), "moe_llava_llama");
        // Nothing is overwritten, and no part of a run is left behind.
        assert!(convert(dir.path(), &conversion, &out).is_err());
        assert!(convert(&out, &conversion, &dir.path().join("twice")).is_err());
        let parts = |e: &std::fs::DirEntry| e.file_name().to_string_lossy().ends_with(".part");
        assert!(!std::fs::read_dir(dir.path()).unwrap().any(|e| parts(&e.unwrap())));
    }
}

#[test]
fn copies_without_drops_equal_the_dense_model() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &config(), tensors());
    let mut moe = request(MoeMode::Dense, false);
    moe.eval_capacity_factor = 4.0;
    let run = |m: Model| m.forward(&[ids()], &ForwardOptions::default()).unwrap().hidden;
    let dense = run(load(dir.path(), None).unwrap());
    let upcycled = run(load(dir.path(), Some(Conversion::seeded(moe, 0))).unwrap());
    assert!(dense.iter().zip(&upcycled).all(|(a, b)| (a - b).abs() < 1e-4));
}

#[test]
fn kmeans_gates_fit_the_model() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &config(), tensors());
    let moe = request(MoeMode::SecondHalf, false);
    let dense = load(dir.path(), None).unwrap();
    let gates = kmeans_gates(&dense, &[ids()], &moe, 1).unwrap();
    assert_eq!(gates.keys().copied().collect::<Vec<_>>(), [1]);
    assert_eq!(gates[&1].len(), 4 * 8);
    let conversion = Conversion { gates, ..Conversion::seeded(moe.clone(), 0) };
    let run = load(dir.path(), Some(conversion)).unwrap().forward(&[ids()], &ForwardOptions::default());
    assert_eq!(run.unwrap().routings[0].layer, 1);
    assert!(kmeans_gates(&dense, &[ids()[..3].to_vec()], &moe, 1).is_err());
}

/// Loads and runs; a broken model must fail somewhere, with an error, not a panic.
fn outcome(dir: &Path) -> MoeResult<()> {
    load(dir, None)?.forward(&[ids()], &ForwardOptions::default()).map(|_| ())
}

#[test]
fn lying_configs_are_errors_that_name_the_key() {
    for (key, value, said) in [
        ("model_type", json!("no-such"), "model_type"),
        ("model_type", json!(7), "model_type"),
        ("hidden_size", json!(0), "hidden_size"),
        ("hidden_size", json!(1u64 << 60), "hidden_size"),
        ("hidden_size", json!(16), "tensor"),
        ("num_attention_heads", json!(3), "num_attention_heads"),
        ("num_attention_heads", json!(1 << 24), "num_attention_heads"),
        ("num_key_value_heads", json!(3), "num_key_value_heads"),
        ("num_hidden_layers", json!(3), "model.layers.2"),
        ("num_hidden_layers", json!(1 << 20), "num_hidden_layers"),
        ("intermediate_size", json!(13), "mlp"),
        ("vocab_size", json!(1 << 20), "embed_tokens"),
        ("hidden_act", json!("magic"), "hidden_act"),
        ("rope_theta", json!("x"), "rope_theta"),
        ("rope_scaling", json!([1]), "rope_scaling"),
        ("rms_norm_eps", json!({}), "rms_norm_eps"),
        ("moe", json!({"moe_layers_idx": [0]}), "moe.num_experts"),
        ("moe", json!({"moe_layers_idx": [9], "num_experts": [4], "top_k_experts": 2}), "moe.moe_layers_idx"),
        ("moe", json!({"moe_layers_idx": [0], "num_experts": [0], "top_k_experts": 2}), "moe.num_experts"),
        ("moe", json!({"moe_layers_idx": [0], "num_experts": [4], "top_k_experts": 5}), "moe.top_k_experts"),
        ("moe", json!({"moe_layers_idx": [0], "num_experts": [4], "top_k_experts": 2}), "wg.weight"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let mut config = config();
        config[key] = value.clone();
        write(dir.path(), &config, tensors());
        let text = outcome(dir.path()).expect_err(&format!("{key} = {value}")).to_string();
        assert!(
            text.contains(said) || (said == "wg.weight" && text.contains("deepspeed")),
            "{key} = {value}: {text}"
        );
    }
}

#[test]
fn broken_tensors_are_errors_that_name_them() {
    for at in 0..tensors().len() {
        for what in ["missing", "shape", "nan"] {
            let dir = tempfile::tempdir().unwrap();
            let mut tensors = tensors();
            let name = tensors[at].0.clone();
            match what {
                "missing" => drop(tensors.remove(at)),
                "shape" => {
                    tensors[at].1.insert(0, 1);
                }
                _ => tensors[at].2.fill(f32::NAN),
            }
            write(dir.path(), &config(), tensors);
            let result = outcome(dir.path());
            if name == "lm_head.weight" && what != "shape" {
                // A missing head is a tied one, and the head is not read where no logits are asked for.
                assert!(result.is_ok(), "{what} {name}");
                continue;
            }
            let text = result.expect_err(&format!("{what} {name}")).to_string();
            assert!(text.contains(&name), "{what} {name}: {text}");
        }
    }
}

#[test]
fn every_truncation_of_a_file_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &config(), tensors());
    let path = dir.path().join("model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    for len in (0..bytes.len()).step_by(97) {
        std::fs::write(&path, &bytes[..len]).unwrap();
        assert!(outcome(dir.path()).is_err(), "{len} bytes");
    }
}

#[test]
fn flipped_header_bytes_never_panic() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &config(), tensors());
    let path = dir.path().join("model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let mut rng = Rng::new(2);
    for _ in 0..300 {
        let mut broken = bytes.clone();
        for _ in 0..3 {
            let at = rng.below(2000);
            broken[at] = rng.below(256) as u8;
        }
        std::fs::write(&path, &broken).unwrap();
        // An error or, where the flip hit nothing that is read, a result: both are answers.
        let _ = outcome(dir.path());
    }
}
