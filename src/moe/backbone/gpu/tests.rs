//! The kernels on a real driver, against the CPU, and GPUs that are made to fail.
//!
//! Any Vulkan driver will do; Mesa's lavapipe runs them on the processor.

use std::sync::Arc;

use super::GpuCompute;
use super::machine::Faults;
use super::open::open_with;
use crate::moe::backbone::agreement::{AgreementSizes, SMALL, disagreement};
use crate::moe::backbone::candle::Host;
use crate::moe::backbone::compute::Compute;
use crate::moe::backbone::device::Device;
use crate::moe::backbone::layers::{Weight, WeightForm};
use crate::moe::backbone::{
    Conversion, Forward, ForwardOptions, Gates, InputRow, Model, ModelLoadOptions, WantedLogits,
};
use crate::moe::checkpoint::Checkpoint;
use crate::moe::config::Config;
use crate::moe::moe_llava::{MoeConfig, MoeRequest};
use crate::moe::sample;
use crate::moe::seeded::{SEEDED, seeded};

fn gpu(faults: Faults) -> GpuCompute {
    open_with(0, faults).unwrap()
}

fn device(faults: Faults) -> Device {
    Device::of(Arc::new(gpu(faults)), "gpu:0".into(), None)
}

#[test]
#[ignore = "needs a GPU: Mesa's lavapipe (Debian's mesa-vulkan-drivers) is one"]
fn gpu_kernels_give_what_the_cpu_gives_at_odd_sizes() {
    let gpu = gpu(Faults::default());
    let sizes = |seq, (heads, kv_heads), (dim, value_dim), width, inner| AgreementSizes {
        seq,
        heads,
        kv_heads,
        dim,
        value_dim,
        width,
        inner,
    };
    for sizes in [
        SMALL,
        sizes(1, (1, 1), (2, 1), 1, 1),
        sizes(3, (3, 1), (4, 3), 3, 65),
        sizes(65, (2, 2), (64, 65), 64, 63),
        sizes(257, (4, 2), (80, 130), 257, 129),
        sizes(130, (6, 3), (128, 128), 320, 1025),
        sizes(5, (1, 1), (1024, 1024), 2049, 7),
    ] {
        assert_eq!(disagreement(&gpu, &Host, &sizes, 1e-4).unwrap(), None, "{sizes:?}");
    }
}

#[test]
#[ignore = "needs a GPU: Mesa's lavapipe (Debian's mesa-vulkan-drivers) is one"]
fn gpu_refuses_heads_and_arrays_that_it_has_no_room_for() {
    let gpu = gpu(Faults::default());
    let wide = AgreementSizes { dim: 1026, ..SMALL };
    assert!(disagreement(&gpu, &Host, &wide, 1e-4).unwrap_err().to_string().contains("1026"));
    assert!(gpu.machine.buffer(usize::MAX / 8).unwrap_err().to_string().contains("at most"));
    // It is as good as before.
    assert_eq!(disagreement(&gpu, &Host, &SMALL, 1e-4).unwrap(), None);
}

#[test]
#[ignore = "needs a GPU: Mesa's lavapipe (Debian's mesa-vulkan-drivers) is one"]
fn gpu_keeps_16_bit_weights_in_16_bits() {
    let gpu = gpu(Faults::default());
    let bytes = |step: f32| {
        let values: Vec<f32> = (0..64 * 64).map(|v| (v % 97) as f32 * step).collect();
        let weight = Weight { values, input: 64, out: 64, form: WeightForm::OutIn, bias: None };
        gpu.store(weight).unwrap().bytes()
    };
    assert_eq!((bytes(1.0), bytes(1.0 + 1.0 / 1024.0), bytes(0.1)), (8192, 8192 * 2, 8192 * 2));
    assert_eq!(bytes(1.0 / 16384.0), 8192);
}

/// Every backbone of MoE-LLaVA with residual MoE, and the trained sample.
fn models() -> Vec<(&'static str, (Config, Checkpoint), Option<Conversion>)> {
    let mut models = vec![("byte-moe", sample::open("byte-moe").unwrap(), None)];
    for name in SEEDED {
        let request = MoeRequest { use_residual: true, ..MoeRequest::default() };
        let conversion = Conversion::seeded(MoeConfig::new(&request, 4).unwrap(), 3);
        models.push((name, seeded(name, 256, 7).unwrap(), Some(conversion)));
    }
    models
}

fn sequences() -> [Vec<InputRow>; 2] {
    let token = |i: u32| InputRow::Token(i * 37 % 256);
    [(0..150).map(token).collect(), (0..70).map(token).collect()]
}

fn run(model: &Model) -> Forward {
    let options = ForwardOptions { logits: WantedLogits::All, ..ForwardOptions::default() };
    model.forward(&sequences(), &options).unwrap()
}

fn expect_close(ours: &Forward, cpu: &Forward, what: &str) {
    let far = |a: &[f32], b: &[f32]| {
        assert_eq!(a.len(), b.len(), "{what}");
        a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    };
    assert_eq!(ours.routings.len(), cpu.routings.len());
    for (a, b) in ours.routings.iter().zip(&cpu.routings) {
        assert!(far(&a.logits, &b.logits) < 1e-3, "{what}, layer {}", a.layer);
        assert_eq!(a.decision.idx, b.decision.idx, "{what}, layer {}", a.layer);
    }
    let logits = |f: &Forward| f.logits.clone().unwrap();
    assert!(far(&ours.hidden, &cpu.hidden) < 1e-3 && far(&logits(ours), &logits(cpu)) < 1e-3, "{what}");
}

#[test]
#[ignore = "needs a GPU: Mesa's lavapipe (Debian's mesa-vulkan-drivers) is one"]
fn gpu_runs_whole_models_as_the_cpu_does() {
    for (name, (config, checkpoint), conversion) in models() {
        let options = ModelLoadOptions { conversion, ..ModelLoadOptions::default() };
        let load = |on| Model::load_on(on, &config, &checkpoint, &options, &mut |_, _| true).unwrap();
        let (ours, cpu) = (load(device(Faults::default())), load(Device::cpu(None)));
        let (a, b) = (run(&ours), run(&cpu));
        assert_eq!(ours.device().fallback(), None, "{name}");
        assert_ne!(a.hidden, b.hidden, "{name}: the CPU ran twice");
        expect_close(&a, &b, name);
    }
}

#[test]
#[ignore = "needs a GPU: Mesa's lavapipe (Debian's mesa-vulkan-drivers) is one"]
fn gpu_with_little_memory_brings_layers_up_one_by_one() {
    let (config, checkpoint) = sample::open("byte-moe").unwrap();
    let options = ModelLoadOptions::default();
    let load = |on| Model::load_on(on, &config, &checkpoint, &options, &mut |_, _| true).unwrap();
    let whole = load(device(Faults::default()));
    assert_eq!(whole.layers_on_demand(), 0);
    let most = whole.weight_bytes() as u64 * 4 / 5;
    let mut part = load(device(Faults { memory: Some(most), ..Faults::default() }));
    assert!(part.layers_on_demand() > 0 && part.layers_on_demand() < part.num_layers());
    assert!((part.weight_bytes() as u64) < most && part.gate_sizes() == whole.gate_sizes());
    let mut cpu = load(Device::cpu(None));
    for gates in [None, Some(Gates { top_k: 3, capacity: None })] {
        if let Some(gates) = gates {
            part.regate(gates).unwrap();
            cpu.regate(gates).unwrap();
        }
        expect_close(&run(&part), &run(&cpu), "byte-moe in parts");
        assert_eq!(part.device().fallback(), None);
    }
    assert!(part.regate(Gates { top_k: 99, capacity: None }).is_err());
}

/// A model on a GPU with a fault, and what the CPU gives.
fn with_fault(faults: Faults) -> (Model, Forward, Forward) {
    let (config, checkpoint) = sample::open("byte-moe").unwrap();
    let options = ModelLoadOptions::default();
    let model = Model::load_or_cpu(device(faults), &config, &checkpoint, &options, &mut |_, _| true).unwrap();
    let cpu = Model::load(&config, &checkpoint, &ModelLoadOptions::default()).unwrap();
    let (a, b) = (run(&model), run(&cpu));
    (model, a, b)
}

#[test]
#[ignore = "needs a GPU: Mesa's lavapipe (Debian's mesa-vulkan-drivers) is one"]
fn gpu_that_is_lost_in_the_middle_gives_way_to_the_cpu() {
    // The check at the start runs kernels too.
    let before = gpu(Faults::default()).machine.started();
    let (model, ours, cpu) = with_fault(Faults { lost_after: Some(before + 20), ..Faults::default() });
    assert_eq!(ours, cpu);
    let reason = model.device().fallback().unwrap();
    assert!(reason.contains("gpu:0 failed") && reason.contains("lost"), "{reason}");
    assert_eq!(model.device().name(), "cpu");
}

#[test]
#[ignore = "needs a GPU: Mesa's lavapipe (Debian's mesa-vulkan-drivers) is one"]
fn gpu_without_memory_gives_way_to_the_cpu() {
    let (model, ours, cpu) = with_fault(Faults { memory: Some(300_000), ..Faults::default() });
    assert_eq!(ours, cpu);
    let reason = model.device().fallback().unwrap();
    assert!(reason.contains("gpu:0 failed") && reason.contains("out of memory"), "{reason}");
}

#[test]
#[ignore = "needs a GPU: Mesa's lavapipe (Debian's mesa-vulkan-drivers) is one"]
fn gpu_with_a_kernel_that_fails_or_lies_is_not_opened() {
    let refused = |name, from, to| {
        open_with(0, Faults { text: Some((name, from, to)), ..Faults::default() }).unwrap_err()
    };
    let broken = refused("rotary", "let a = x[a_at];", "let a = y[a_at];");
    assert!(broken.contains("kernel rotary does not compile"), "{broken}");
    for (name, from, to, said) in [
        ("rotary", "a * c - b * s", "a * c + b * s", "rotation"),
        ("linear", "sum += bias", "sum -= bias", "product and bias"),
        ("attention", "i + 1u, lens", "i, lens", "attention"),
        ("scatter", "sum[to] + weights", "weights", "experts"),
        ("join", "sigmoid(-d)", "sigmoid(d)", "residual expert"),
        ("layer_norm", "+ w[p.width + i]", "", "layer norm"),
    ] {
        let wrong = refused(name, from, to);
        assert!(wrong.contains("wrong results") && wrong.contains(said), "{wrong}");
    }
    let beyond = open_with(99, Faults::default()).unwrap_err();
    assert!(beyond.contains("there is no GPU 99"), "{beyond}");
}
