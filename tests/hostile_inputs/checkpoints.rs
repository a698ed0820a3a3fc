//! Checkpoints of mixtures of experts, and converting them.

use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

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

/// A Llama of one layer as `config.json` and the header of its weights, with the bytes of the weights.
fn llama(vocabulary: usize, hidden: usize) -> (String, String, usize) {
    let config = serde_json::json!({
        "model_type": "llama", "vocab_size": vocabulary, "hidden_size": hidden, "intermediate_size": hidden,
        "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2, "hidden_act": "silu",
        "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "torch_dtype": "float32",
    });
    let square = vec![hidden, hidden];
    let mut shapes = vec![
        ("model.embed_tokens.weight".to_string(), vec![vocabulary, hidden]),
        ("lm_head.weight".to_string(), vec![vocabulary, hidden]),
        ("model.norm.weight".to_string(), vec![hidden]),
    ];
    for part in
        ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj"]
    {
        shapes.push((format!("model.layers.0.{part}.weight"), square.clone()));
    }
    for part in ["mlp.up_proj", "mlp.down_proj"] {
        shapes.push((format!("model.layers.0.{part}.weight"), square.clone()));
    }
    for part in ["input_layernorm", "post_attention_layernorm"] {
        shapes.push((format!("model.layers.0.{part}.weight"), vec![hidden]));
    }
    let (mut header, mut at) = (serde_json::Map::new(), 0);
    for (name, shape) in shapes {
        let end = at + 4 * shape.iter().product::<usize>();
        header.insert(name, serde_json::json!({"dtype": "F32", "shape": shape, "data_offsets": [at, end]}));
        at = end;
    }
    (config.to_string(), serde_json::Value::from(header).to_string(), at)
}

/// Weights of nothing but zeros, which take no room on the disk.
fn write_weights(path: &Path, header: &str, bytes: usize) {
    let mut file = std::fs::File::create(path).expect("made");
    file.write_all(&(header.len() as u64).to_le_bytes()).expect("written");
    file.write_all(header.as_bytes()).expect("written");
    file.set_len((8 + header.len() + bytes) as u64).expect("long enough");
}

const CONVERT: [&str; 6] = ["moe", "convert", "--checkpoint", "model", "--out", "out"];

#[test]
fn links_that_lead_out_are_neither_read_nor_copied() {
    let (config, header, bytes) = llama(8, 4);
    let secret =
        folder(&[("secret", b"HF_TOKEN=hf_somebody".to_vec()), ("more/deep.json", b"hf_somebody".to_vec())]);
    let dir =
        folder(&[("model/config.json", config.into()), ("model/notes.json", b"{\"mine\": 1}".to_vec())]);
    let model = dir.path().join("model");
    write_weights(&model.join("model.safetensors"), &header, bytes);
    symlink("/proc/self/environ", model.join("env.json")).expect("a link");
    symlink(secret.path().join("secret"), model.join("notes.txt")).expect("a link");
    symlink("notes.txt", model.join("by-two-links.txt")).expect("a link");
    symlink(secret.path().join("more"), model.join("tokenizer.model")).expect("a link");
    symlink("/dev/zero", model.join("zero.tiktoken")).expect("a link");
    symlink("notes.json", model.join("inside.json")).expect("a link");
    assert!(Command::new("mkfifo").arg(model.join("vocab.txt")).status().expect("mkfifo").success());
    let ran = run("links that lead out", dir.path(), &CONVERT, b"").done();
    let out = dir.path().join("out");
    for name in ["env.json", "notes.txt", "by-two-links.txt", "tokenizer.model", "zero.tiktoken", "vocab.txt"]
    {
        assert!(std::fs::symlink_metadata(out.join(name)).is_err(), "{name} was copied");
        let line = ran.stderr.lines().find(|line| line.contains(name)).unwrap_or_default();
        assert!(line.contains("not copied"), "{name} is not named: {}", ran.stderr);
    }
    for name in ["notes.json", "inside.json"] {
        assert_eq!(std::fs::read(out.join(name)).expect("copied"), b"{\"mine\": 1}");
        assert!(
            std::fs::symlink_metadata(out.join(name)).expect("copied").is_file(),
            "{name} is a file of its own"
        );
    }
    for entry in std::fs::read_dir(&out).expect("a folder").flatten() {
        let bytes = std::fs::read(entry.path()).expect("a file");
        assert!(!bytes.windows(11).any(|part| part == b"hf_somebody"), "{:?} holds the secret", entry.path());
    }
}

#[test]
fn a_checkpoint_behind_links_that_lead_out_is_not_read() {
    let (config, header, bytes) = llama(8, 4);
    for linked in ["config.json", "model.safetensors"] {
        let (elsewhere, dir) = (folder(&[]), folder(&[("model/keep", Vec::new())]));
        let model = dir.path().join("model");
        for name in ["config.json", "model.safetensors"] {
            let place = if name == linked { elsewhere.path() } else { &model };
            match name {
                "config.json" => std::fs::write(place.join(name), &config).expect("written"),
                _ => write_weights(&place.join(name), &header, bytes),
            }
        }
        symlink(elsewhere.path().join(linked), model.join(linked)).expect("a link");
        run(linked, dir.path(), &CONVERT, b"").refused(&[linked, "leads out"]);
        assert!(!dir.path().join("out").exists(), "nothing is written");
    }
}

#[test]
fn links_of_the_hub_cache_are_followed() {
    let (config, header, bytes) = llama(8, 4);
    let dir = folder(&[
        ("hub/models--a--b/blobs/1", config.into()),
        ("hub/models--a--b/blobs/3", b"{}".to_vec()),
        ("hub/models--a--b/snapshots/c/keep", Vec::new()),
    ]);
    let repository = dir.path().join("hub/models--a--b");
    write_weights(&repository.join("blobs/2"), &header, bytes);
    for (name, blob) in [("config.json", "1"), ("model.safetensors", "2"), ("tokenizer_config.json", "3")] {
        symlink(format!("../../blobs/{blob}"), repository.join("snapshots/c").join(name)).expect("a link");
    }
    symlink(repository.join("snapshots/c"), dir.path().join("model")).expect("a link");
    run("a snapshot", dir.path(), &CONVERT, b"").done();
    assert_eq!(std::fs::read(dir.path().join("out/tokenizer_config.json")).expect("copied"), b"{}");
}

#[test]
fn a_signal_leaves_no_half_written_folder() {
    // 256 MiB are written, so that most signals come in the midst of it.
    let (config, header, bytes) = llama(4096, 8192);
    for signal in ["TERM", "HUP", "INT"] {
        let dir = folder(&[("model/config.json", config.clone().into())]);
        write_weights(&dir.path().join("model/model.safetensors"), &header, bytes);
        let mut child = Command::new(env!("CARGO_BIN_EXE_maskscope"))
            .args(CONVERT)
            .current_dir(dir.path())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let names = || -> Vec<String> {
            let entries = std::fs::read_dir(dir.path()).expect("a folder").flatten();
            entries
                .map(|entry| entry.file_name().to_string_lossy().into_owned())
                .filter(|name| name != "model")
                .collect()
        };
        while names().is_empty() && child.try_wait().expect("its status").is_none() {
            std::thread::sleep(Duration::from_millis(2));
        }
        let pid = child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{signal}"), &pid]).status().expect("kill").success());
        let code = child.wait().expect("it ends").code();
        let expected: &[&str] = if code == Some(0) { &["out"] } else { &[] };
        assert_eq!(names(), expected, "{signal}: {code:?}");
    }
}
