//! `maskscope moe route --checkpoint … --ids … --dump …`: the goldens of MoE-LLaVA through the command line.

use std::path::Path;

use serde_json::Value;

use super::golden::{Arrays, Tally, folders, json, max_diff, model_folders, usizes};

#[test]
#[ignore = "needs MASKSCOPE_CONFORMANCE: an unpacked golden folder"]
fn route_command() {
    let root = crate::root();
    let mut failures = 0;
    for dir in model_folders(&root.join("golden/moe/moellava")) {
        let golden = json(&dir.join("golden.json"));
        let arrays = Arrays::open(&dir.join("golden.safetensors"));
        let mut tally = Tally::default();
        let plain = |c: &&Value| c["variant"] == "perturbed" && c["noise"] == "none";
        for case in golden["cases"].as_array().unwrap().iter().filter(plain) {
            tally.case(
                &format!("case {}", case["id"]),
                run(&dir, &conversion(&dir, case), &golden, case, &arrays),
            );
        }
        for saved in folders(&dir) {
            tally.case(&format!("saved {}", saved.display()), saved_equals_conversion(&dir, &saved, &golden));
        }
        failures += tally.print(&format!("moe route {}", dir.file_name().unwrap().to_string_lossy()));
    }
    assert_eq!(failures, 0, "cases differ");
}

/// A MoE-LLaVA checkpoint on disk gives what the dense model gives when it is converted with the same settings.
fn saved_equals_conversion(dir: &Path, saved: &Path, golden: &Value) -> Vec<String> {
    let moe = &json(&saved.join("config.json"))["moe"];
    let settings = serde_json::json!({
        "mode": moe["moe_mode"], "k": moe["top_k_experts"], "cf": moe["eval_capacity_factor"],
        "mc": moe["min_capacity"], "ne_list": moe["num_experts"], "residual": moe["use_residual"], "batch": "single",
    });
    let scratch = tempfile::tempdir().unwrap();
    let (ours, theirs) = (scratch.path().join("saved"), scratch.path().join("converted"));
    let sequences = golden["input_ids"].as_array().unwrap();
    let failed = [
        route(saved, &[], sequences, false, &ours),
        route(dir, &conversion(dir, &settings), sequences, false, &theirs),
    ];
    let mut problems: Vec<String> = failed.into_iter().filter_map(Result::err).collect();
    if problems.is_empty() {
        let (ours, theirs) = (Arrays::open(&ours), Arrays::open(&theirs));
        let diff = max_diff(&ours.f32("hidden"), &theirs.f32("hidden"));
        if diff > 2e-4 {
            problems.push(format!("hidden differs by {diff}"));
        }
        for part in
            usizes(&moe["moe_layers_idx"]).iter().flat_map(|l| [format!("L{l}/idx"), format!("L{l}/slot")])
        {
            if ours.i64(&part) != theirs.i64(&part) {
                problems.push(format!("{part} differs"));
            }
        }
    }
    problems
}

/// The options that turn the dense model into the case's mixture.
fn conversion(dir: &Path, case: &Value) -> Vec<String> {
    let list = |numbers: &[usize]| numbers.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
    let mut options = vec![
        format!("--moe-weights={}", dir.join("moe_parts.safetensors").display()),
        format!("--moe-mode={}", case["mode"].as_str().unwrap()),
        format!("--top-k={}", case["k"]),
        format!("--eval-capacity-factor={}", case["cf"]),
        format!("--min-capacity={}", case["mc"]),
        format!("--num-experts={}", list(&case.get("ne_list").map_or(vec![4], usizes))),
    ];
    if let Some(layers) = case.get("layers") {
        options.push(format!("--moe-layers={}", list(&usizes(layers))));
    }
    if case["residual"] == true {
        options.push("--use-residual".to_string());
    }
    options
}

fn run(folder: &Path, options: &[String], golden: &Value, case: &Value, arrays: &Arrays) -> Vec<String> {
    let scratch = tempfile::tempdir().unwrap();
    let dump = scratch.path().join("dump.safetensors");
    let sequences = golden["input_ids"].as_array().unwrap();
    // padded2 is the second sequence beside the third.
    let padded = case["batch"] == "padded2";
    let used: &[Value] = if padded { &sequences[1..3] } else { sequences };
    let mut problems = Vec::new();
    match route(folder, options, used, padded, &dump) {
        Err(error) => problems.push(error),
        Ok(lines) if lines != used.len() => {
            problems.push(format!("{lines} lines for {} sequences", used.len()))
        }
        Ok(_) => compare(&Arrays::open(&dump), arrays, case, &mut problems),
    }
    problems
}

/// Runs the command; gives the number of lines that it printed.
fn route(
    folder: &Path,
    options: &[String],
    ids: &[Value],
    padded: bool,
    dump: &Path,
) -> Result<usize, String> {
    let file = dump.with_extension("ids.json");
    std::fs::write(&file, serde_json::to_string(ids).unwrap()).unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_maskscope"))
        .args(["moe", "route", "--format", "jsonl", "--device", "cpu"])
        .args(["--batch", if padded { "padded" } else { "single" }])
        .arg("--checkpoint")
        .arg(folder)
        .arg("--ids")
        .arg(&file)
        .arg("--dump")
        .arg(dump)
        .args(options)
        .output()
        .unwrap();
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(String::from_utf8(output.stdout).unwrap().lines().count())
}

fn compare(dump: &Arrays, golden: &Arrays, case: &Value, problems: &mut Vec<String>) {
    let theirs = |part: &str| format!("c{}/{part}", case["id"]);
    let mut close = |part: &str, tolerance: f32| {
        let diff = max_diff(&dump.f32(part), &golden.f32(&theirs(part)));
        if diff > tolerance {
            problems.push(format!("{part} differs by {diff}"));
        }
    };
    close("hidden", 2e-4);
    close("last_logits", 1e-4);
    let layers = usizes(&case["moe_layers"]);
    for layer in &layers {
        close(&format!("L{layer}/logits"), 1e-4);
        close(&format!("L{layer}/w"), 1e-4);
    }
    for part in layers.iter().flat_map(|l| [format!("L{l}/idx"), format!("L{l}/slot")]) {
        if dump.i64(&part) != golden.i16(&theirs(&part)) {
            problems.push(format!("{part} differs"));
        }
    }
}
