//! Wall time of the MoE forward pass: the 43.7 M-parameter Mixtral of spec moe.md section 7 (H 256, 8
//! layers, 8 heads, 8 experts top-2, I 512, vocabulary 32,000) with random weights.
//!
//! `cargo bench --bench moe_forward` prints the best of five runs, backbone only and with
//! logits of all positions, for 128, 512 and 2048 tokens; then the built-in byte model, loaded and run on a prompt of
//! 300 tokens (1,300 bytes), as screen Experts does it. `RAYON_NUM_THREADS=1` takes one thread. Nothing is asserted.

use std::time::{Duration, Instant};

use maskscope::moe::backbone::{ForwardOptions, InputRow, LoadOptions, Model, WantedLogits};
use maskscope::moe::checkpoint::{Checkpoint, TensorSource, write_safetensors};
use maskscope::moe::config::Config;
use maskscope::moe::sample;
use maskscope::moe::seed::Rng;

const HIDDEN: usize = 256;
const LAYERS: usize = 8;
const EXPERTS: usize = 8;
const INTERMEDIATE: usize = 512;
const VOCAB: usize = 32_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::temp_dir().join(format!("maskscope-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("model.safetensors");
    write_safetensors(&file, &tensors())?;
    let text = format!(
        r#"{{"model_type": "mixtral", "vocab_size": {VOCAB}, "hidden_size": {HIDDEN}, "num_hidden_layers": {LAYERS},
            "num_attention_heads": 8, "num_key_value_heads": 8, "intermediate_size": {INTERMEDIATE},
            "num_local_experts": {EXPERTS}, "num_experts_per_tok": 2, "rms_norm_eps": 1e-5, "rope_theta": 10000.0}}"#
    );
    let config = Config::parse("config.json", &text)?;
    let start = Instant::now();
    let model = Model::load(&config, &Checkpoint::open(&file)?, &LoadOptions::default())?;
    println!("load {:.0} ms", start.elapsed().as_secs_f64() * 1e3);
    for seq in [128usize, 512, 2048] {
        let ids: Vec<InputRow> =
            (0..seq).map(|i| InputRow::Token(((i * 7919 + 13) % VOCAB) as u32)).collect();
        let backbone = best(&model, &ids, WantedLogits::None)?;
        let head = best(&model, &ids, WantedLogits::All)?;
        let ms = |d: Duration| d.as_secs_f64() * 1e3;
        println!("S={seq}: backbone {:.0} ms, with head {:.0} ms", ms(backbone), ms(head));
    }
    std::fs::remove_dir_all(&folder)?;
    byte_model()
}

fn byte_model() -> Result<(), Box<dyn std::error::Error>> {
    let prompt: String =
        "USER: What is in the picture? ASSISTANT: Two wheels. ".chars().cycle().take(1300).collect();
    // 4.3 bytes a token, as English text has.
    let spans: Vec<_> = (0..300).map(|t| t * 13 / 3..(t + 1) * 13 / 3).collect();
    let (mut load, mut route) = (Duration::MAX, Duration::MAX);
    for _ in 0..5 {
        let start = Instant::now();
        let model = sample::load("byte-moe", &LoadOptions::default())?;
        load = load.min(start.elapsed());
        let start = Instant::now();
        sample::route_prompt(&model, &prompt, &spans)?;
        route = route.min(start.elapsed());
    }
    let ms = |d: Duration| d.as_secs_f64() * 1e3;
    println!("byte-moe, 300 tokens in 1300 bytes: load {:.0} ms, route {:.0} ms", ms(load), ms(route));
    Ok(())
}

fn best(
    model: &Model,
    ids: &[InputRow],
    logits: WantedLogits,
) -> Result<Duration, Box<dyn std::error::Error>> {
    let options = ForwardOptions { logits, ..ForwardOptions::default() };
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        model.forward(&[ids.to_vec()], &options)?;
        best = best.min(start.elapsed());
    }
    Ok(best)
}

fn tensors() -> Vec<(String, TensorSource<'static>)> {
    let mut rng = Rng::new(1);
    let mut tensor = |name: String, shape: Vec<usize>| {
        let one = shape.len() == 1;
        let values =
            (0..shape.iter().product()).map(|_| if one { 1.0 } else { rng.normal() * 0.06 }).collect();
        (name, TensorSource::F32 { shape, values })
    };
    let mut all = vec![
        tensor("model.embed_tokens.weight".into(), vec![VOCAB, HIDDEN]),
        tensor("lm_head.weight".into(), vec![VOCAB, HIDDEN]),
        tensor("model.norm.weight".into(), vec![HIDDEN]),
    ];
    for layer in 0..LAYERS {
        let prefix = format!("model.layers.{layer}");
        for part in ["q_proj", "k_proj", "v_proj", "o_proj"] {
            all.push(tensor(format!("{prefix}.self_attn.{part}.weight"), vec![HIDDEN, HIDDEN]));
        }
        for part in ["input_layernorm", "post_attention_layernorm"] {
            all.push(tensor(format!("{prefix}.{part}.weight"), vec![HIDDEN]));
        }
        let moe = format!("{prefix}.block_sparse_moe");
        all.push(tensor(format!("{moe}.gate.weight"), vec![EXPERTS, HIDDEN]));
        for e in 0..EXPERTS {
            all.push(tensor(format!("{moe}.experts.{e}.w1.weight"), vec![INTERMEDIATE, HIDDEN]));
            all.push(tensor(format!("{moe}.experts.{e}.w3.weight"), vec![INTERMEDIATE, HIDDEN]));
            all.push(tensor(format!("{moe}.experts.{e}.w2.weight"), vec![HIDDEN, INTERMEDIATE]));
        }
    }
    all
}
