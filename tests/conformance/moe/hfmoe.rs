//! `golden/moe/hfmoe/*`: the MoE models of transformers, saved with save_pretrained.

use std::path::Path;

use maskscope::moe::backbone::{
    DeviceChoice, Forward, ForwardOptions, InputRow, Model, ModelLoadOptions, WantedLogits,
};
use maskscope::moe::checkpoint::Checkpoint;
use maskscope::moe::config::Config;
use maskscope::moe::gating::Logits;
use maskscope::moe::router::load_balancing_loss;

use super::golden::{Arrays, Tally, json, max_diff, model_folders, sequences, usizes};

#[test]
#[ignore = "needs MASKSCOPE_CONFORMANCE: an unpacked golden folder"]
fn models() {
    models_on(DeviceChoice::Cpu);
}

/// The same files and the same tolerances on a GPU of the system.
#[test]
#[ignore = "needs MASKSCOPE_CONFORMANCE and a GPU: Mesa's lavapipe (Debian's mesa-vulkan-drivers) is one"]
fn models_on_a_gpu() {
    models_on(DeviceChoice::Gpu(0));
}

fn models_on(device: DeviceChoice) {
    let root = crate::root();
    let mut tally = Tally::default();
    for dir in model_folders(&root.join("golden/moe/hfmoe")) {
        tally.case(&dir.display().to_string(), check(&dir, device));
    }
    tally.finish(&format!("hfmoe on {device:?}"));
}

fn check(dir: &Path, device: DeviceChoice) -> Vec<String> {
    let golden = json(&dir.join("golden.json"));
    let arrays = Arrays::open(&dir.join("golden.safetensors"));
    let config = Config::open(dir).unwrap();
    let checkpoint = Checkpoint::open(dir).unwrap();
    let model = match Model::load(
        &config,
        &checkpoint,
        &ModelLoadOptions { device, ..ModelLoadOptions::default() },
    ) {
        Ok(model) => model,
        Err(e) => return vec![e.to_string()],
    };
    let sequences = sequences(&golden["input_ids"]);
    let options = ForwardOptions { logits: WantedLogits::All, ..ForwardOptions::default() };
    let singles: Vec<Forward> =
        match sequences.iter().map(|s| model.forward(std::slice::from_ref(s), &options)).collect() {
            Ok(runs) => runs,
            Err(e) => return vec![e.to_string()],
        };

    let mut problems: Vec<String> = model.device().fallback().map(str::to_owned).into_iter().collect();
    let mut close = |what: &str, ours: &[f32], theirs: &[f32], tolerance: f32| {
        let diff = max_diff(ours, theirs);
        if diff > tolerance {
            problems.push(format!("{what} differs by {diff}"));
        }
    };
    let all = |f: &dyn Fn(&Forward) -> &[f32]| singles.iter().flat_map(f).copied().collect::<Vec<f32>>();
    close("hidden", &all(&|r| &r.hidden), &arrays.f32("hidden"), 2e-4);
    close("logits", &all(&|r| r.logits.as_deref().unwrap()), &arrays.f32("logits"), 1e-4);
    for (at, layer) in usizes(&golden["moe_layers"]).into_iter().enumerate() {
        let name = |part: &str| format!("L{layer}/{part}");
        close(&name("logits"), &all(&|r| &r.routings[at].logits), &arrays.f32(&name("logits")), 1e-4);
        let (idx, weights) = sorted_choices(&singles, at);
        close(&name("w"), &weights, &arrays.f32(&name("w")), 1e-4);
        if idx != arrays.i16(&name("idx")) {
            close(&name("idx"), &[0.0], &[1.0], 0.5);
        }
    }
    for (run, golden) in singles.iter().zip(golden["runs"].as_array().unwrap()) {
        if let Some(theirs) = golden["aux_loss"].as_f64() {
            close("aux_loss", &[aux_loss(run, None)], &[theirs as f32], 1e-5);
        }
    }
    let rows = match arrays.has("padded3/hidden") {
        true => arrays.f32("padded3/hidden"),
        false => all(&|r| &r.hidden),
    };
    problems.extend(padded(&model, &sequences, &rows, &golden["runs"]));
    problems
}

/// The batch of all sequences padded on the right: its real rows, and the loss over real tokens.
fn padded(model: &Model, sequences: &[Vec<InputRow>], rows: &[f32], runs: &serde_json::Value) -> Vec<String> {
    let Some(golden) = runs.as_array().unwrap().iter().find(|r| r["kind"] == "padded3") else {
        return vec![];
    };
    let run = match model.forward(sequences, &ForwardOptions::default()) {
        Ok(run) => run,
        Err(e) => return vec![e.to_string()],
    };
    let mut problems = Vec::new();
    let real = |b: usize| &run.hidden[b * run.seq * run.hidden_size..][..run.lens[b] * run.hidden_size];
    let diff = max_diff(&(0..run.batch).map(real).collect::<Vec<_>>().concat(), rows);
    if diff > 2e-4 {
        problems.push(format!("the padded batch differs by {diff}"));
    }
    if let Some(theirs) = golden["aux_loss"].as_f64() {
        let mask: Vec<bool> = run.lens.iter().flat_map(|&len| (0..run.seq).map(move |i| i < len)).collect();
        let ours = aux_loss(&run, Some(&mask));
        if (ours - theirs as f32).abs() > 1e-5 {
            problems.push(format!("padded aux_loss {ours}, Python {theirs}"));
        }
    }
    problems
}

fn aux_loss(run: &Forward, mask: Option<&[bool]>) -> f32 {
    let layers: Vec<Logits<'_>> =
        run.routings.iter().map(|r| Logits::new(&r.logits, r.decision.num_experts).unwrap()).collect();
    load_balancing_loss(&layers, run.routings[0].decision.top_k, mask).unwrap()
}

/// Choices of one layer over all runs, each token's sorted by falling weight as in the golden files.
fn sorted_choices(runs: &[Forward], at: usize) -> (Vec<i64>, Vec<f32>) {
    let (mut idx, mut weights) = (Vec::new(), Vec::new());
    for run in runs {
        let d = &run.routings[at].decision;
        for (experts, w) in d.idx.chunks(d.top_k).zip(d.weights.chunks(d.top_k)) {
            let mut pairs: Vec<(usize, f32)> = experts.iter().copied().zip(w.iter().copied()).collect();
            pairs.sort_by(|a, b| b.1.total_cmp(&a.1));
            idx.extend(pairs.iter().map(|p| p.0 as i64));
            weights.extend(pairs.iter().map(|p| p.1));
        }
    }
    (idx, weights)
}
