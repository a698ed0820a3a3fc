//! `golden/moe/gating`: 780 calls of DeepSpeed's gates.

use maskscope::moe::gating::{DropPolicy, GateConfig, Logits, Noise, capacity, gate};
use serde_json::Value;

use super::golden::{Arrays, Tally, json, max_diff, usizes};

#[test]
#[ignore = "needs MASKSCOPE_CONFORMANCE: an unpacked golden folder"]
fn gates() {
    let root = crate::root();
    let dir = root.join("golden/moe/gating");
    let arrays = Arrays::open(&dir.join("gating.safetensors"));
    let mut tally = Tally::default();
    for case in json(&dir.join("gating.json")).as_array().unwrap() {
        tally.case(&case.to_string(), check(case, &arrays));
    }
    tally.finish("gating/gating.json");
}

fn check(case: &Value, arrays: &Arrays) -> Vec<String> {
    let input = case["input"].as_str().unwrap();
    let (k, num_experts) = (case["k"].as_u64().unwrap() as usize, case["E"].as_u64().unwrap() as usize);
    let min_capacity = case["min_capacity"].as_u64().unwrap() as usize;
    let mut config = GateConfig::new(k, case["cf"].as_f64().unwrap(), min_capacity);
    config.drop_tokens = case["drop"].as_bool().unwrap();
    if case["policy"] == "position" {
        config.drop_policy = DropPolicy::Position;
    }
    let values = arrays.f32(&format!("{input}/logits"));
    let noise = arrays.f32(&format!("{input}/{}", if k == 1 { "uniform" } else { "gumbel" }));
    let noise = if case["noise"] == true { Noise::Values(&noise) } else { Noise::Off };
    let logits = Logits::new(&values, num_experts).unwrap();
    let decision = match (gate(&logits, &config, noise), case.get("new_error")) {
        (Err(_), Some(_)) => return vec![],
        (Ok(_), Some(error)) => return vec![format!("no error, Python raised {error}")],
        (Err(e), None) => return vec![format!("error {e}")],
        (Ok(decision), None) => decision,
    };

    let mut problems = Vec::new();
    if decision.capacity.map(|c| c as u64) != case["capacity"].as_u64() {
        problems.push(format!("capacity {:?}", decision.capacity));
    }
    let l_aux = decision.l_aux.unwrap();
    if (l_aux - case["l_aux"].as_f64().unwrap() as f32).abs() > 1e-5 {
        problems.push(format!("l_aux {l_aux}"));
    }
    if decision.exp_counts.all != usizes(&case["exp_counts_new"]) {
        problems.push(format!("exp_counts_new {:?}", decision.exp_counts.all));
    }
    if let Some(old) = case.get("exp_counts_old")
        && decision.exp_counts.first != usizes(old)
    {
        problems.push(format!("exp_counts_old {:?}", decision.exp_counts.first));
    }
    let id = case["id"].as_u64().unwrap();
    if arrays.has(&format!("g{id}/W")) {
        // The golden arrays are dense [T, E].
        let (mut w, mut slot) = (vec![0f32; values.len()], vec![-1i64; values.len()]);
        let slots = decision.slots.as_ref().unwrap();
        for (at, &expert) in decision.idx.iter().enumerate() {
            let place = at / k * num_experts + expert;
            w[place] = decision.weights[at];
            slot[place] = slots[at].map_or(-1, |s| s as i64);
        }
        let diff = max_diff(&w, &arrays.f32(&format!("g{id}/W")));
        if diff > 1e-5 {
            problems.push(format!("W differs by {diff}"));
        }
        if slot != arrays.i16(&format!("g{id}/slot")) {
            problems.push("slots differ".into());
        }
    }
    problems
}

#[test]
#[ignore = "needs MASKSCOPE_CONFORMANCE: an unpacked golden folder"]
fn capacities_are_rounded_as_torch_does() {
    let root = crate::root();
    let path = root.join("golden/moe/gating/capacity_f32_vs_f64.json");
    let mut tally = Tally::default();
    for case in json(&path).as_array().unwrap() {
        let number = |i: usize| case[i].as_u64().unwrap() as usize;
        let config = GateConfig::new(1, case[2].as_f64().unwrap(), 0);
        let ours = capacity(number(0), number(1), &config);
        let mut problems = Vec::new();
        if ours != number(3) {
            problems.push(format!("{ours}"));
        }
        // The last figure is why the case is in the list: the product in 64 bits rounds to another number.
        let in_f64 = (number(0) as f64 / number(1) as f64 * case[2].as_f64().unwrap()).ceil() as usize;
        if in_f64 != number(4) || ours == in_f64 {
            problems.push(format!("{in_f64} in 64 bits"));
        }
        tally.case(&case.to_string(), problems);
    }
    tally.finish("gating/capacity_f32_vs_f64.json");
}
