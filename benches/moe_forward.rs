//! Wall time of the MoE forward pass: the 43.7 M-parameter Mixtral of docs/moe.md, section 5, (H 256, 8
//! layers, 8 heads, 8 experts top-2, I 512, vocabulary 32,000) with random weights.
//!
//! `cargo bench --bench moe_forward` prints the best of seven runs, backbone only and with
//! logits of all positions, for 128, 512 and 2048 tokens; then the built-in byte model, loaded and run on a prompt of
//! 300 tokens (1,300 bytes), as screen Experts does it. `RAYON_NUM_THREADS=1` takes one thread. CPU time is that of all
//! threads (Linux only): on a machine with other work it is the figure to compare.
//!
//! `MASKSCOPE_BENCH_CHECKPOINT=DIR` takes the model that `tests/scripts/moe_forward_torch.py` wrote, times and ran: the
//! same weights in PyTorch and here, and the last logits of both are compared.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use maskscope::moe::backbone::{ForwardOptions, InputRow, Model, ModelLoadOptions, WantedLogits};
use maskscope::moe::checkpoint::{Checkpoint, TensorSource, write_safetensors};
use maskscope::moe::config::Config;
use maskscope::moe::positions::Positions;
use maskscope::moe::route::route_call;
use maskscope::moe::sample;
use maskscope::moe::seed::Rng;
use maskscope::moe::token_route::token_route;

const HIDDEN: usize = 256;
const LAYERS: usize = 8;
const EXPERTS: usize = 8;
const INTERMEDIATE: usize = 512;
const VOCAB: usize = 32_000;
const LENGTHS: [usize; 3] = [128, 512, 2048];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if let Some(folder) = std::env::var_os("MASKSCOPE_BENCH_CHECKPOINT").map(PathBuf::from) {
        let model =
            Model::load(&Config::open(&folder)?, &Checkpoint::open(&folder)?, &ModelLoadOptions::default())?;
        forward(&model)?;
        return compare(&model, &folder.join("last_logits.safetensors"));
    }
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
    let model = Model::load(&config, &Checkpoint::open(&file)?, &ModelLoadOptions::default())?;
    println!("load {:.0} ms", start.elapsed().as_secs_f64() * 1e3);
    forward(&model)?;
    std::fs::remove_dir_all(&folder)?;
    byte_model()
}

fn ids(seq: usize) -> Vec<InputRow> {
    (0..seq).map(|i| InputRow::Token(((i * 7919 + 13) % VOCAB) as u32)).collect()
}

fn forward(model: &Model) -> Result<(), Box<dyn std::error::Error>> {
    for seq in LENGTHS {
        for (what, logits) in [("backbone", WantedLogits::None), ("with head", WantedLogits::All)] {
            let (wall, cpu) = best(model, &ids(seq), logits)?;
            let ms = |d: Duration| d.as_secs_f64() * 1e3;
            let (wall, cpu, per_1k) = (ms(wall), ms(cpu), ms(cpu) * 1000.0 / seq as f64);
            println!("S={seq}: {what} wall {wall:.0} ms, CPU {cpu:.0} ms, CPU per 1k tokens {per_1k:.0} ms");
        }
    }
    Ok(())
}

/// The largest difference of the last logits from PyTorch's.
fn compare(model: &Model, file: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let theirs = Checkpoint::open(file)?;
    let options = ForwardOptions { logits: WantedLogits::Last, ..ForwardOptions::default() };
    for seq in LENGTHS {
        let run = model.forward(&[ids(seq)], &options)?;
        let theirs = theirs.f32(&format!("last_logits/{seq}"), &[VOCAB])?;
        let ours = run.logits.ok_or("the run gave no logits")?;
        if ours.len() != theirs.len() || ours.iter().chain(&theirs).any(|v| v.is_nan()) {
            return Err("logits of another number, or NaN".into());
        }
        let diff = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
        println!("S={seq}: last logits differ from PyTorch's by {diff:.1e} at most");
    }
    Ok(())
}

fn byte_model() -> Result<(), Box<dyn std::error::Error>> {
    let prompt: String =
        "USER: What is in the picture? ASSISTANT: Two wheels. ".chars().cycle().take(1300).collect();
    // 4.3 bytes a token, as English text has.
    let spans: Vec<_> = (0..300).map(|t| t * 13 / 3..(t + 1) * 13 / 3).collect();
    let (mut load, mut route) = (Duration::MAX, Duration::MAX);
    for _ in 0..5 {
        let start = Instant::now();
        let model = sample::load("byte-moe", &ModelLoadOptions::default())?;
        load = load.min(start.elapsed());
        let start = Instant::now();
        let positions = Positions::of_bytes(&prompt, prompt.len(), &spans, &[])?;
        let inputs = positions.input_rows(&model, 0)?;
        let call = route_call(&model, &[inputs], &ForwardOptions::default(), &mut |_, _| true)?;
        let tokens: Vec<_> = call
            .forward
            .routings
            .iter()
            .flat_map(|r| spans.iter().map(move |span| token_route(r, span)))
            .collect();
        std::hint::black_box(tokens);
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
) -> Result<(Duration, Duration), Box<dyn std::error::Error>> {
    let options = ForwardOptions { logits, ..ForwardOptions::default() };
    let mut best = (Duration::MAX, Duration::MAX);
    for _ in 0..7 {
        let (start, cpu) = (Instant::now(), cpu_time());
        model.forward(&[ids.to_vec()], &options)?;
        best = (best.0.min(start.elapsed()), best.1.min(cpu_time().saturating_sub(cpu)));
    }
    Ok(best)
}

/// What all threads of the process have used, from the scheduler; zero where there is no /proc.
fn cpu_time() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let used = tasks.filter_map(|task| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(used.sum())
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
