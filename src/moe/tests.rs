//! Tests over a whole tiny model: conversion to a folder and back, and checkpoints that lie.

use std::path::Path;

use serde_json::{Value, json};

use super::backbone::{
    Conversion, ForwardOptions, InputRow, Model, ModelLoadOptions, NoiseSource, for_each_feed_input,
};
use super::checkpoint::{Checkpoint, TensorSource, write_safetensors};
use super::config::Config;
use super::convert::convert;
use super::error::{MoeError, MoeResult};
use super::kmeans::kmeans_gates;
use super::moe_llava::{MoeConfig, MoeMode, MoeRequest};
use super::positions::Positions;
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
    let options = ModelLoadOptions { conversion, ..ModelLoadOptions::default() };
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
        let written = convert(dir.path(), &conversion, &out, &mut |_, _| true).unwrap();
        assert_eq!(written.files, [out.join("model.safetensors")]);
        assert!(out.join("tokenizer.json").exists() && !out.join("modeling.py").exists());
        let saved = load(&out, None).unwrap();
        let memory = load(dir.path(), Some(conversion.clone())).unwrap();
        let run = |m: &Model| m.forward(&[ids()], &ForwardOptions::default()).unwrap();
        assert_eq!(run(&saved), run(&memory));
        assert_eq!(saved.config().model_type().unwrap(), "moe_llava_llama");
        // Nothing is overwritten, and no part of a run is left behind.
        assert!(convert(dir.path(), &conversion, &out, &mut |_, _| true).is_err());
        assert!(convert(&out, &conversion, &dir.path().join("twice"), &mut |_, _| true).is_err());
        let parts = |e: &std::fs::DirEntry| e.file_name().to_string_lossy().ends_with(".part");
        assert!(!std::fs::read_dir(dir.path()).unwrap().any(|e| parts(&e.unwrap())));
    }
}

#[test]
fn a_conversion_does_not_believe_a_hidden_size_that_the_tensors_deny() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config();
    config["hidden_size"] = json!(1 << 24);
    write(dir.path(), &config, tensors());
    let conversion = Conversion::seeded(request(MoeMode::Dense, false), 5);
    let out = dir.path().join("out");
    let error = convert(dir.path(), &conversion, &out, &mut |_, _| true).unwrap_err().to_string();
    assert!(error.contains("mlp.") && error.contains("hidden_size in config.json is 16777216"), "{error}");
    assert!(!out.exists());
}

#[test]
fn a_nested_language_model_is_converted_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let nested = tensors().into_iter().map(|(name, shape, v)| (format!("language_model.{name}"), shape, v));
    let beside = ("vision_tower.weight".to_string(), vec![2], vec![0.5, 0.25]);
    write(dir.path(), &config(), nested.chain([beside]).collect());
    let conversion = Conversion::seeded(request(MoeMode::Dense, true), 5);
    let out = dir.path().join("out");
    let written = convert(dir.path(), &conversion, &out, &mut |_, _| true).unwrap();
    assert_eq!(written.outside, 1);
    let names: Vec<String> = Checkpoint::open(&out).unwrap().names().map(str::to_owned).collect();
    assert!(
        names.iter().all(|name| !name.contains("language_model") && !name.contains("vision")),
        "{names:?}"
    );
    let run = |m: &Model| m.forward(&[ids()], &ForwardOptions::default()).unwrap();
    let memory = load(dir.path(), Some(conversion)).unwrap();
    assert_eq!(run(&load(&out, None).unwrap()), run(&memory));
}

#[test]
fn what_given_weights_lack_is_drawn_from_the_seed() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &config(), tensors());
    let gate = |layer: usize| {
        let name = format!("model.layers.{layer}.mlp.deepspeed_moe.gate.wg.weight");
        (name, TensorSource::F32 { shape: vec![4, 8], values: vec![0.5; 32] })
    };
    let given = dir.path().join("gates.safetensors");
    write_safetensors(&given, &[gate(0), gate(1)]).unwrap();
    let coefficient = |seed: u64| {
        let given = Checkpoint::open(&given).unwrap();
        let conversion = Conversion::with_weights(request(MoeMode::Dense, true), given, seed);
        let out = dir.path().join(format!("out{seed}"));
        convert(dir.path(), &conversion, &out, &mut |_, _| true).unwrap();
        Checkpoint::open(&out).unwrap().f32("model.layers.0.mlp.coefficient.weight", &[2, 8]).unwrap()
    };
    assert_ne!(coefficient(1), coefficient(2));
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
fn a_cancelled_conversion_leaves_nothing_and_a_killed_one_nothing_whole() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &config(), tensors());
    let conversion = Conversion::seeded(request(MoeMode::Dense, false), 0);
    let out = dir.path().join("out");
    let entries = || std::fs::read_dir(dir.path()).unwrap().count();
    let before = entries();
    let mut calls = Vec::new();
    let mut stop = |done, all| {
        // What a kill would leave now: weights at most, and no config.json.
        let part = dir.path().join(format!(".out.{}.part", std::process::id()));
        assert!(part.exists() && !part.join("config.json").exists() && !out.exists());
        calls.push((done, all));
        calls.len() < 3
    };
    let error = convert(dir.path(), &conversion, &out, &mut stop).unwrap_err();
    assert!(matches!(error, MoeError::Cancelled), "{error}");
    assert_eq!((calls.len(), entries()), (3, before));
    assert!(calls[0].0 < calls[1].0 && calls[1].0 < calls[1].1);

    std::fs::create_dir(dir.path().join(".out.4.part")).unwrap();
    std::fs::create_dir(dir.path().join(".out.4.parts")).unwrap();
    let written = convert(dir.path(), &conversion, &out, &mut |_, _| true).unwrap();
    assert_eq!(written.leftovers, [dir.path().join(".out.4.part")]);
}

#[test]
fn a_config_of_transformers_5_is_written_as_4_reads_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config();
    config["rope_theta"].take();
    config["torch_dtype"].take();
    config["rope_parameters"] = json!({"rope_type": "linear", "factor": 2.0, "rope_theta": 500.0});
    config["dtype"] = json!("bfloat16");
    write(dir.path(), &config, tensors());
    let mut moe = request(MoeMode::Dense, false);
    moe.eval_capacity_factor = 4.0;
    let out = dir.path().join("out");
    convert(dir.path(), &Conversion::seeded(moe, 0), &out, &mut |_, _| true).unwrap();
    let text = std::fs::read_to_string(out.join("config.json")).unwrap();
    let keys: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&keys["rope_theta"], &keys["torch_dtype"]), (&json!(500.0), &json!("bfloat16")));
    assert_eq!(keys["rope_scaling"], json!({"type": "linear", "factor": 2.0}));
    assert!(keys.get("rope_parameters").is_none() && keys.get("dtype").is_none());
    let run = |m: Model| m.forward(&[ids()], &ForwardOptions::default()).unwrap().hidden;
    let (dense, converted) = (run(load(dir.path(), None).unwrap()), run(load(&out, None).unwrap()));
    assert!(dense.iter().zip(&converted).all(|(a, b)| (a - b).abs() < 1e-4));
}

#[test]
fn kmeans_gates_fit_the_model() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &config(), tensors());
    let moe = request(MoeMode::SecondHalf, false);
    let kmeans_gates = |rows: &[InputRow], moe: &MoeConfig| {
        let (config, checkpoint) = (Config::open(dir.path())?, Checkpoint::open(dir.path())?);
        kmeans_gates(&config, &checkpoint, &[rows.to_vec()], moe, 1, &mut |_, _| true)
    };
    let gates = kmeans_gates(&ids(), &moe).unwrap();
    assert_eq!(gates.keys().copied().collect::<Vec<_>>(), [1]);
    assert_eq!(gates[&1].len(), 4 * 8);
    let conversion = Conversion { gates, ..Conversion::seeded(moe.clone(), 0) };
    let run = load(dir.path(), Some(conversion)).unwrap().forward(&[ids()], &ForwardOptions::default());
    assert_eq!(run.unwrap().routings[0].layer, 1);
    assert!(kmeans_gates(&ids()[..3], &moe).is_err());
}

#[test]
fn one_layer_at_a_time_sees_what_the_whole_model_sees() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &config(), tensors());
    let (config, checkpoint) = (Config::open(dir.path()).unwrap(), Checkpoint::open(dir.path()).unwrap());
    let options = ForwardOptions { feed_inputs: true, ..ForwardOptions::default() };
    let run =
        |rows: Vec<InputRow>| load(dir.path(), None).unwrap().forward(&[rows], &options).unwrap().feed_inputs;
    let (a, b) = (run(ids()), run(ids()[3..].to_vec()));
    let mut seen = Vec::new();
    let sequences = [ids(), ids()[3..].to_vec()];
    for_each_feed_input(&config, &checkpoint, &sequences, 2, &mut |layer, values| {
        assert_eq!(values, [a[&layer].clone(), b[&layer].clone()].concat());
        seen.push(layer);
        Ok(())
    })
    .unwrap();
    assert_eq!(seen, [0, 1]);
}

#[test]
fn patches_are_seeded_and_as_strong_as_tokens() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &config(), tensors());
    let model = load(dir.path(), Some(Conversion::seeded(request(MoeMode::Sparse, false), 0))).unwrap();
    let positions = Positions::of_tokens(&[3, -200, 5], &[], 9, None).unwrap();
    let rows = positions.input_rows(&model, 7).unwrap();
    assert_eq!(rows, positions.input_rows(&model, 7).unwrap());
    assert_ne!(rows, positions.input_rows(&model, 8).unwrap());
    let run = model.forward(&[rows], &ForwardOptions::default()).unwrap();
    assert_eq!((run.seq, run.routings[0].decision.tokens()), (11, 11));
    let narrow = vec![InputRow::Features(vec![0.0; 3])];
    assert!(model.forward(&[narrow], &ForwardOptions::default()).is_err());
    assert!(model.forward(&[], &ForwardOptions::default()).is_err());
    assert!(model.forward(&[vec![]], &ForwardOptions::default()).is_err());
}

#[test]
fn sampled_noise_is_repeatable_and_changes_the_routing() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &config(), tensors());
    let model = load(dir.path(), Some(Conversion::seeded(request(MoeMode::Sparse, false), 0))).unwrap();
    let run = |noise: NoiseSource| {
        let options = ForwardOptions { noise, ..ForwardOptions::default() };
        model.forward(&[ids()], &options).map(|r| r.routings[0].decision.idx.clone())
    };
    let sampled = |seed| run(NoiseSource::Sampled { seed }).unwrap();
    assert_eq!(sampled(1), sampled(1));
    assert!((2..6).any(|seed| sampled(seed) != sampled(1)));
    assert!(run(NoiseSource::Recorded(Default::default())).is_err());
    assert!(run(NoiseSource::Recorded([(0, vec![0.0; 3])].into())).is_err());
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
fn lying_mixtures_are_errors_that_name_the_key() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/moe/byte-moe");
    let checkpoint = Checkpoint::open(&dir).unwrap();
    let text = std::fs::read_to_string(dir.join("config.json")).unwrap();
    for (key, value, said) in [
        ("num_local_experts", json!(0), "num_local_experts"),
        ("num_local_experts", json!(100_000), "num_local_experts"),
        ("num_local_experts", json!(16), "block_sparse_moe.gate.weight"),
        ("num_experts_per_tok", json!(0), "num_experts_per_tok"),
        ("num_experts_per_tok", json!(9), "num_experts_per_tok"),
        ("num_experts_per_tok", Value::Null, "num_experts_per_tok"),
        ("sliding_window", json!(-1), "sliding_window"),
        ("intermediate_size", json!(255), "experts.0.w1"),
        ("rope_parameters", json!({"rope_type": "magic"}), "rope_parameters.rope_type"),
        ("model_type", json!("deepseek_v3"), "mlp.gate_proj"),
        ("model_type", json!("gpt_oss"), "q_proj.bias"),
    ] {
        let mut config: Value = serde_json::from_str(&text).unwrap();
        config[key] = value.clone();
        let config = Config::parse("config.json", &config.to_string()).unwrap();
        let text = Model::load(&config, &checkpoint, &ModelLoadOptions::default()).unwrap_err().to_string();
        assert!(text.contains(said), "{key} = {value}: {text}");
    }
}

#[test]
fn layers_that_are_not_asked_for_are_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let first = |name: &str| name.starts_with("model.layers.0.") || name.contains("embed_tokens");
    write(dir.path(), &config(), tensors().into_iter().filter(|(name, ..)| first(name)).collect());
    let options = ModelLoadOptions { layers: Some(1), ..ModelLoadOptions::default() };
    let (config, checkpoint) = (Config::open(dir.path()).unwrap(), Checkpoint::open(dir.path()).unwrap());
    let model = Model::load(&config, &checkpoint, &options).unwrap();
    assert_eq!((model.loaded_layers(), model.num_layers()), (1, 2));
    assert!(model.forward(&[ids()], &ForwardOptions::default()).is_ok());
    assert!(load(dir.path(), None).is_err());
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
