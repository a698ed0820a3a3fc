//! Checkpoints of mixtures of experts, and converting them.

use std::os::unix::fs::symlink;
use std::process::Command;

use crate::formats::safetensors;
use crate::run::{folder, run};

#[test]
fn headers_that_cost_more_than_their_bytes() {
    let entries: Vec<String> = (0..400_000)
        .map(|n| format!("\"t{n}\":{{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}"))
        .collect();
    let many = format!("{{{}}}", entries.join(","));
    let deep = format!("{{\"w\":{{\"x\":[{}1]}}}}", "1,".repeat(14_000_000));
    for header in [many, deep] {
        let dir = folder(&[("model.safetensors", safetensors(&header)), ("config.json", b"{}".to_vec())]);
        run("a large header", dir.path(), &["moe", "route", "--checkpoint", "."], b"").refused(&[]);
    }
}

#[test]
fn links_that_lead_out_are_neither_read_nor_copied() {
    let secret = folder(&[("secret", b"HF_TOKEN=hf_somebody".to_vec())]);
    let dir = folder(&[
        ("model/config.json", br#"{"model_type": "phi", "hidden_size": 2}"#.to_vec()),
        ("model/model.safetensors", safetensors(r#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#)),
    ]);
    let model = dir.path().join("model");
    symlink("/proc/self/environ", model.join("env.json")).expect("a link");
    symlink(secret.path().join("secret"), model.join("notes.txt")).expect("a link");
    assert!(Command::new("mkfifo").arg(model.join("vocab.txt")).status().expect("mkfifo").success());
    let arguments = ["moe", "convert", "--checkpoint", "model", "--out", "out"];
    let ran = run("links that lead out", dir.path(), &arguments, b"");
    for name in ["env.json", "notes.txt", "vocab.txt"] {
        assert!(!dir.path().join("out").join(name).exists(), "{name} was copied");
    }
    let _ = ran;
}
