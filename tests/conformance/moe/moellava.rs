//! `golden/moe/moellava/*`: MoE-LLaVA's classes with DeepSpeed 0.9.5 gates, dense and converted.

use std::collections::BTreeMap;
use std::path::Path;

use maskscope::moe::backbone::{
    Conversion, DeviceChoice, Forward, ForwardOptions, InputRow, Model, ModelLoadOptions, NoiseSource,
    WantedLogits,
};
use maskscope::moe::checkpoint::Checkpoint;
use maskscope::moe::config::Config;
use maskscope::moe::convert::convert;
use maskscope::moe::moe_llava::{MoeConfig, MoeMode, MoeRequest};
use maskscope::moe::positions::Positions;
use maskscope::moe::route::{BatchMode, RouteOptions, RouteSample, route};
use serde_json::Value;

use super::golden::{Arrays, Tally, folders, json, max_diff, model_folders, sequences, usizes};

#[test]
#[ignore = "needs MASKSCOPE_CONFORMANCE: an unpacked golden folder"]
fn backbones() {
    backbones_on(DeviceChoice::Cpu);
}

/// The same files and the same tolerances on a GPU of the system.
#[test]
#[ignore = "needs MASKSCOPE_CONFORMANCE and a GPU: Mesa's lavapipe (Debian's mesa-vulkan-drivers) is one"]
fn backbones_on_a_gpu() {
    backbones_on(DeviceChoice::Gpu(0));
}

fn backbones_on(device: DeviceChoice) {
    let root = crate::root();
    let mut failures = 0;
    for dir in model_folders(&root.join("golden/moe/moellava")) {
        let golden = Golden::open(&dir, device);
        let mut tally = Tally::default();
        for config in ["config.json", "config_v5.json"] {
            if dir.join(config).exists() {
                tally.case(&format!("dense {config}"), golden.dense(&dir.join(config)));
            }
        }
        for case in golden.json["cases"].as_array().unwrap() {
            tally.case(&format!("case {}", case["id"]), golden.case(case));
        }
        let written =
            |c: &&Value| c["variant"] == "perturbed" && c["noise"] == "none" && c["batch"] == "single";
        for case in golden.json["cases"].as_array().unwrap().iter().filter(written) {
            // One case of each kind is enough: writing does not depend on k or the factors.
            if ["sparse", "custom"].iter().any(|m| case["mode"] == *m && case["k"] == 2)
                || case["residual"] == true
            {
                tally.case(&format!("written {}", case["id"]), golden.written(case));
            }
        }
        for saved in folders(&dir) {
            tally.case(&format!("saved {}", saved.display()), golden.saved(&saved));
        }
        failures += tally.print(&format!("moellava/{}", dir.file_name().unwrap().to_string_lossy()));
    }
    assert_eq!(failures, 0, "cases differ");
}

struct Golden {
    json: Value,
    arrays: Arrays,
    config: Config,
    checkpoint: Checkpoint,
    parts: Checkpoint,
    sequences: Vec<Vec<InputRow>>,
    device: DeviceChoice,
}

impl Golden {
    fn open(dir: &Path, device: DeviceChoice) -> Self {
        let json = json(&dir.join("golden.json"));
        Self {
            sequences: sequences(&json["input_ids"]),
            json,
            device,
            arrays: Arrays::open(&dir.join("golden.safetensors")),
            config: Config::open(dir).unwrap(),
            checkpoint: Checkpoint::open(dir).unwrap(),
            parts: Checkpoint::open(&dir.join("moe_parts.safetensors")).unwrap(),
        }
    }

    fn options(&self) -> ModelLoadOptions {
        ModelLoadOptions { device: self.device, ..ModelLoadOptions::default() }
    }

    fn dense(&self, config: &Path) -> Vec<String> {
        let run = || {
            let model = Model::load(&Config::open(config)?, &self.checkpoint, &self.options())?;
            let options =
                ForwardOptions { logits: WantedLogits::All, layer_hidden: true, ..ForwardOptions::default() };
            self.sequences.iter().map(|s| model.forward(std::slice::from_ref(s), &options)).collect()
        };
        let runs: Vec<Forward> = match run() {
            Ok(runs) => runs,
            Err(error) => return vec![maskscope::moe::MoeError::to_string(&error)],
        };
        let mut problems = Problems::default();
        problems.close("hidden", &join(&runs, |r| &r.hidden), &self.arrays.f32("dense/hidden"), 2e-4);
        let logits = join(&runs, |r| r.logits.as_deref().unwrap());
        problems.close("logits", &logits, &self.arrays.f32("dense/logits"), 1e-4);
        let layers: Vec<f32> = runs[1].layer_hidden.iter().flatten().copied().collect();
        problems.close("layer hidden", &layers, &self.arrays.f32("dense/seq1_layer_hidden"), 2e-4);
        problems.0
    }

    fn conversion(&self, case: &Value) -> Conversion {
        let layers = case.get("layers").map(usizes);
        let number = |key: &str| case[key].as_u64().unwrap() as usize;
        let factor = case["cf"].as_f64().unwrap();
        let request = MoeRequest {
            mode: MoeMode::parse(case["mode"].as_str().unwrap(), layers).unwrap(),
            num_experts: case.get("ne_list").map_or(vec![4], usizes),
            top_k: number("k"),
            capacity_factor: factor,
            eval_capacity_factor: factor,
            min_capacity: number("mc"),
            use_residual: case["residual"].as_bool().unwrap(),
            ..MoeRequest::default()
        };
        let moe = MoeConfig::new(&request, self.config.layers().unwrap()).unwrap();
        let mut conversion = Conversion::with_weights(moe, self.parts.clone(), 0);
        conversion.experts_from_weights = case["variant"] == "perturbed";
        conversion
    }

    fn case(&self, case: &Value) -> Vec<String> {
        let options = ModelLoadOptions { conversion: Some(self.conversion(case)), ..self.options() };
        let model = match Model::load(&self.config, &self.checkpoint, &options) {
            Ok(model) => model,
            Err(e) => return vec![e.to_string()],
        };
        let mut problems = self.compare(case, &model);
        if case["noise"] == "none" {
            problems.extend(self.dump(case, &model));
        }
        problems
    }

    /// The same arrays through the engine of `moe route --dump`.
    fn dump(&self, case: &Value, model: &Model) -> Vec<String> {
        let (batch, sequences) = match case["batch"].as_str() {
            Some("padded2") => (BatchMode::Padded, &self.sequences[1..3]),
            _ => (BatchMode::Single, &self.sequences[..]),
        };
        let ids = |s: &[InputRow]| -> Vec<i64> {
            s.iter()
                .map(|r| match r {
                    InputRow::Token(id) => i64::from(*id),
                    InputRow::Features(_) => unreachable!("golden sequences are token ids"),
                })
                .collect()
        };
        let sample = |s: &Vec<InputRow>| {
            let positions = Positions::of_tokens(&ids(s), &[], 1, None).expect("token ids");
            RouteSample::new(Value::Null, &positions, &|_| String::new(), model, 0).expect("token ids")
        };
        let samples: Vec<RouteSample> = sequences.iter().map(sample).collect();
        let options = RouteOptions { batch, dump: true, ..RouteOptions::default() };
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("dump.safetensors");
        let written = route(model, &samples, &options)
            .and_then(|(_, dump)| dump.expect("a dump was asked for").write(&path));
        if let Err(e) = written {
            return vec![e.to_string()];
        }
        let ours = Arrays::open(&path);
        let mut problems = Problems::default();
        let mut close = |part: &str, tolerance: f32| {
            let theirs = self.arrays.f32(&format!("c{}/{part}", case["id"]));
            problems.close(&format!("dump {part}"), &ours.f32(part), &theirs, tolerance);
        };
        close("hidden", 2e-4);
        close("last_logits", 1e-4);
        for layer in usizes(&case["moe_layers"]) {
            close(&format!("L{layer}/logits"), 1e-4);
            close(&format!("L{layer}/w"), 1e-4);
        }
        for layer in usizes(&case["moe_layers"]) {
            for part in ["idx", "slot"] {
                let theirs = self.arrays.i16(&format!("c{}/L{layer}/{part}", case["id"]));
                problems.equal(part, &ours.i64(&format!("L{layer}/{part}")), &theirs);
            }
        }
        problems.0
    }

    fn compare(&self, case: &Value, model: &Model) -> Vec<String> {
        let id = format!("c{}", case["id"]);
        let runs = match self.run(case, model) {
            Ok(runs) => runs,
            Err(e) => return vec![e.to_string()],
        };
        let mut problems = Problems(model.device().fallback().map(str::to_owned).into_iter().collect());
        let theirs = |part: &str| self.arrays.f32(&format!("{id}/{part}"));
        problems.close("hidden", &join(&runs, |r| &r.hidden), &theirs("hidden"), 2e-4);
        let logits = join(&runs, |r| r.logits.as_deref().unwrap());
        problems.close("last_logits", &logits, &theirs("last_logits"), 1e-4);
        let layers = usizes(&case["moe_layers"]);
        for (run, theirs) in runs.iter().zip(case["moe_loss"].as_array().unwrap()) {
            let loss: f32 = run.routings.iter().map(|r| r.decision.l_aux.unwrap()).sum();
            problems.close("moe_loss", &[loss * 0.01], &[theirs.as_f64().unwrap() as f32], 1e-5);
        }
        for &layer in &layers {
            let at = runs[0].routings.iter().position(|r| r.layer == layer).unwrap();
            let name = |part: &str| format!("L{layer}/{part}");
            let logits = join(&runs, |r| &r.routings[at].logits);
            problems.close(&name("logits"), &logits, &theirs(&name("logits")), 1e-4);
            let weights = join(&runs, |r| &r.routings[at].decision.weights);
            problems.close(&name("w"), &weights, &theirs(&name("w")), 1e-4);
            let decisions = || runs.iter().map(|r| &r.routings[at].decision);
            let idx: Vec<i64> = decisions().flat_map(|d| &d.idx).map(|&e| e as i64).collect();
            problems.equal(&name("idx"), &idx, &self.arrays.i16(&format!("{id}/{}", name("idx"))));
            let slots = decisions().flat_map(|d| d.slots.as_ref().unwrap());
            let slots: Vec<i64> = slots.map(|s| s.map_or(-1, |s| s as i64)).collect();
            problems.equal(&name("slot"), &slots, &self.arrays.i16(&format!("{id}/{}", name("slot"))));
            let metas = case["layers_meta"].as_array().unwrap();
            let meta = metas.iter().find(|m| m["layer"] == layer).unwrap();
            let capacities: Vec<usize> = decisions().map(|d| d.capacity.unwrap()).collect();
            problems.equal(&name("capacity"), &capacities, &usizes(&meta["capacity"]));
            let dropped: Vec<usize> = decisions().map(|d| d.dropped()).collect();
            problems.equal(&name("dropped"), &dropped, &usizes(&meta["dropped"]));
            let counts: Vec<Vec<usize>> = decisions().map(|d| d.exp_counts.first.clone()).collect();
            let golden: Vec<Vec<usize>> = meta["exp_counts"].as_array().unwrap().iter().map(usizes).collect();
            problems.equal(&name("exp_counts"), &counts, &golden);
            let l_aux: Vec<f32> = decisions().map(|d| d.l_aux.unwrap()).collect();
            let golden: Vec<f32> =
                meta["l_aux"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect();
            problems.close(&name("l_aux"), &l_aux, &golden, 1e-5);
        }
        problems.0
    }

    fn run(&self, case: &Value, model: &Model) -> maskscope::moe::MoeResult<Vec<Forward>> {
        let recorded = case["noise"] == "recorded";
        let noise = |start: usize, rows: usize| -> NoiseSource {
            if !recorded {
                return NoiseSource::Off;
            }
            let of_layer = |layer: usize| {
                let all = self.arrays.f32(&format!("c{}/L{layer}/noise", case["id"]));
                let width = model.moe().unwrap().experts_of(layer).unwrap();
                (layer, all[start * width..(start + rows) * width].to_vec())
            };
            NoiseSource::Recorded(
                usizes(&case["moe_layers"]).into_iter().map(of_layer).collect::<BTreeMap<_, _>>(),
            )
        };
        let options = |noise: NoiseSource| ForwardOptions {
            noise,
            logits: WantedLogits::Last,
            ..ForwardOptions::default()
        };
        if case["batch"] == "padded2" {
            let run = model.forward(&self.sequences[1..3], &options(noise(0, usizes(&case["lens"])[0])))?;
            return Ok(vec![run]);
        }
        let mut start = 0;
        self.sequences
            .iter()
            .map(|s| {
                let options = options(noise(start, s.len()));
                start += s.len();
                model.forward(std::slice::from_ref(s), &options)
            })
            .collect()
    }

    /// The case again, through a converted folder on disk.
    fn written(&self, case: &Value) -> Vec<String> {
        let temporary = tempfile::tempdir().unwrap();
        let out = temporary.path().join("converted");
        let dense = self.config.path().parent().unwrap();
        if let Err(e) = convert(dense, &self.conversion(case), &out, &mut |_, _| true) {
            return vec![e.to_string()];
        }
        let (config, checkpoint) = (Config::open(&out).unwrap(), Checkpoint::open(&out).unwrap());
        let mut problems = match Model::load(&config, &checkpoint, &self.options()) {
            Ok(model) => self.compare(case, &model),
            Err(e) => vec![e.to_string()],
        };
        // Where the golden folder holds a real checkpoint with these settings, the names are the same.
        for saved in folders(dense) {
            let theirs = MoeConfig::read(&Config::open(&saved).unwrap()).unwrap().unwrap();
            let ours = MoeConfig::read(&config).unwrap().unwrap();
            let shape = |m: &MoeConfig| (m.moe_layers_idx.clone(), m.num_experts.clone(), m.use_residual);
            if shape(&theirs) == shape(&ours) {
                let theirs = Checkpoint::open(&saved.join("model.safetensors")).unwrap();
                if !theirs.names().eq(checkpoint.names()) {
                    problems.push("tensor names differ from the real checkpoint".into());
                }
            }
        }
        problems
    }

    /// A saved MoE-LLaVA checkpoint equals the case it was saved from.
    fn saved(&self, dir: &Path) -> Vec<String> {
        let config = Config::open(dir).unwrap();
        let moe = MoeConfig::read(&config).unwrap().unwrap();
        let case = self.json["cases"].as_array().unwrap().iter().find(|c| {
            c["mode"] == moe.moe_mode.as_str()
                && c["k"] == moe.top_k_experts
                && c["cf"] == moe.eval_capacity_factor
                && c["mc"] == moe.min_capacity
                && c["residual"] == moe.use_residual
                && c["variant"] == "perturbed"
                && c["noise"] == "none"
                && c["batch"] == "single"
        });
        let checkpoint = Checkpoint::open(&dir.join("model.safetensors")).unwrap();
        match (Model::load(&config, &checkpoint, &self.options()), case) {
            (Ok(model), Some(case)) => self.compare(case, &model),
            // No case with these settings: it must equal the conversion with the golden parts.
            (Ok(model), None) => {
                let conversion = Conversion::with_weights(moe, self.parts.clone(), 0);
                let options = ModelLoadOptions { conversion: Some(conversion), ..self.options() };
                let converted = Model::load(&self.config, &self.checkpoint, &options).unwrap();
                let run = |m: &Model| m.forward(&self.sequences[2..], &ForwardOptions::default()).unwrap();
                let (saved, converted) = (run(&model), run(&converted));
                let mut problems = Problems::default();
                problems.close("hidden", &saved.hidden, &converted.hidden, 2e-4);
                for (a, b) in saved.routings.iter().zip(&converted.routings) {
                    problems.equal("idx", &a.decision.idx, &b.decision.idx);
                }
                problems.0
            }
            (Err(e), _) => vec![e.to_string()],
        }
    }
}

fn join<'a>(runs: &'a [Forward], f: impl Fn(&'a Forward) -> &'a [f32]) -> Vec<f32> {
    runs.iter().flat_map(f).copied().collect()
}

#[derive(Default)]
struct Problems(Vec<String>);

impl Problems {
    fn close(&mut self, what: &str, ours: &[f32], theirs: &[f32], tolerance: f32) {
        let diff = max_diff(ours, theirs);
        if diff > tolerance {
            self.0.push(format!("{what} differs by {diff}"));
        }
    }

    fn equal<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, ours: &[T], theirs: &[T]) {
        if ours != theirs {
            let at = ours.iter().zip(theirs).position(|(a, b)| a != b);
            self.0.push(format!("{what} differs first at {at:?} of {}", theirs.len()));
        }
    }
}
