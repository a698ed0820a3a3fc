//! A device that fails on the way, the paths of other devices, and the watch over a forward.

use super::*;
use crate::moe::backbone::source::Conversion;
use crate::moe::error::MoeError;
use crate::moe::moe_llava::{MoeConfig, MoeRequest};
use crate::moe::sample;
use crate::moe::seeded::{SEEDED, seeded};

#[test]
fn a_device_that_fails_in_the_forward_is_given_up_for_the_cpu_with_the_reason() {
    let (config, checkpoint) = seeded("phi", 100, 1).unwrap();
    let moe = MoeConfig::new(&Default::default(), 4).unwrap();
    let options =
        ModelLoadOptions { conversion: Some(Conversion::seeded(moe, 1)), ..ModelLoadOptions::default() };
    let rows = [(0..9).map(InputRow::Token).collect::<Vec<_>>()];
    let mut model =
        Model::load_on(Device::failing(), &config, &checkpoint, &options, &mut |_, _| true).unwrap();
    let mut on_cpu = Model::load(&config, &checkpoint, &options).unwrap();
    for gates in [None, Some(Gates { top_k: 1, capacity: Some((0.5, 0)) })] {
        if let Some(gates) = gates {
            model.regate(gates).unwrap();
            on_cpu.regate(gates).unwrap();
        }
        assert_eq!(model.device().name(), "test:0");
        let run = model.forward(&rows, &ForwardOptions::default()).unwrap();
        assert_eq!(run, on_cpu.forward(&rows, &ForwardOptions::default()).unwrap());
        let reason = model.device().fallback().unwrap().to_owned();
        assert!(
            model.device().name() == "cpu" && reason.contains("test:0 failed") && reason.contains("memory")
        );
    }
    assert!(model.regate(Gates { top_k: 5, capacity: None }).is_err());
    assert!(model.regate(Gates { top_k: 0, capacity: None }).is_err());
}

#[test]
fn a_watch_sees_every_layer_and_can_end_the_run() {
    let (config, checkpoint) = seeded("llama", 100, 1).unwrap();
    let model = Model::load(&config, &checkpoint, &ModelLoadOptions::default()).unwrap();
    let rows = [vec![InputRow::Token(1)]];
    let mut seen = Vec::new();
    let mut all = |done, of| {
        seen.push((done, of));
        true
    };
    model.forward_watched(&rows, &ForwardOptions::default(), &mut all).unwrap();
    assert_eq!(seen, [(0, 4), (1, 4), (2, 4), (3, 4)]);
    let stopped = model.forward_watched(&rows, &ForwardOptions::default(), &mut |done, _| done < 2);
    assert!(matches!(stopped, Err(MoeError::Cancelled)));
    assert!(model.weight_bytes() > 4 * 4 * 64 * 64 * 4);
}

/// What candle runs on a GPU, on CPU tensors: whole models against the kernels of the CPU.
#[test]
fn the_paths_of_other_devices_give_what_the_kernels_give() {
    let mut models = vec![("byte-moe", sample::open("byte-moe").unwrap(), None)];
    for name in SEEDED {
        let request = MoeRequest { use_residual: true, ..MoeRequest::default() };
        let conversion = Conversion::seeded(MoeConfig::new(&request, 4).unwrap(), 3);
        models.push((name, seeded(name, 256, 7).unwrap(), Some(conversion)));
    }
    // Two lengths in one batch: the shorter one is padded.
    let token = |i: u32| InputRow::Token(i * 37 % 256);
    let sequences = [(0..150).map(token).collect::<Vec<_>>(), (0..70).map(token).collect()];
    for (name, (config, checkpoint), conversion) in models {
        let run = |on_device: bool| {
            let load = ModelLoadOptions { conversion: conversion.clone(), ..ModelLoadOptions::default() };
            let device = if on_device { Device::composed() } else { Device::cpu(None) };
            let model = Model::load_on(device, &config, &checkpoint, &load, &mut |_, _| true).unwrap();
            let options = ForwardOptions { logits: WantedLogits::Last, ..ForwardOptions::default() };
            let forward = model.forward(&sequences, &options).unwrap();
            assert_eq!(model.device().fallback(), None);
            forward
        };
        let (host, device) = (run(false), run(true));
        let far = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert_eq!(host.routings.len(), device.routings.len());
        for (a, b) in host.routings.iter().zip(&device.routings) {
            assert!(far(&a.logits, &b.logits) < 1e-3, "{name}, layer {}", a.layer);
            assert_eq!(a.decision.idx, b.decision.idx, "{name}, layer {}", a.layer);
        }
        let far = far(&host.hidden, &device.hidden);
        assert!(far < 1e-3, "{name}: {far}");
        assert_ne!(host.hidden, device.hidden, "{name}: the same path ran twice");
    }
}
