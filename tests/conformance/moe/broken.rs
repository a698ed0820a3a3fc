//! Configs that lie about a real checkpoint: every key of every golden model takes odd values, one at a time. Each is
//! an error that says something or a result, never a panic, a hang or a flood of memory.

use std::panic::{AssertUnwindSafe, catch_unwind};

use maskscope::moe::MoeResult;
use maskscope::moe::backbone::{ForwardOptions, InputRow, Model, ModelLoadOptions, WantedLogits};
use maskscope::moe::checkpoint::Checkpoint;
use maskscope::moe::config::Config;
use serde_json::{Value, json};

use super::golden::{json, model_folders};

#[test]
#[ignore = "needs MASKSCOPE_CONFORMANCE: an unpacked golden folder"]
fn odd_configs_never_panic() {
    let root = crate::root();
    let golden = root.join("golden/moe");
    let (mut tried, mut refused, mut panics) = (0, 0, Vec::new());
    for dir in model_folders(&golden.join("hfmoe")).into_iter().chain(model_folders(&golden.join("moellava")))
    {
        let checkpoint = Checkpoint::open(&dir).unwrap();
        let whole = json(&dir.join("config.json"));
        for path in paths(&whole) {
            for value in odd_values(whole.pointer(&path).unwrap()) {
                let mut config = whole.clone();
                *config.pointer_mut(&path).unwrap() = value.clone();
                let what = format!("{} {path} = {value}", dir.display());
                match catch_unwind(AssertUnwindSafe(|| outcome(&config, &checkpoint))) {
                    Ok(Ok(())) => {}
                    Ok(Err(e)) => {
                        assert!(!e.to_string().is_empty(), "{what}");
                        refused += 1;
                    }
                    Err(_) => panics.push(what),
                }
                tried += 1;
            }
        }
    }
    println!("odd configs: {tried} tried, {refused} refused, {} panics", panics.len());
    assert!(tried > 0, "no config was tried");
    assert!(panics.is_empty(), "{}", panics.join("\n"));
}

fn outcome(config: &Value, checkpoint: &Checkpoint) -> MoeResult<()> {
    let config = Config::parse("config.json", &config.to_string())?;
    let model = Model::load(&config, checkpoint, &ModelLoadOptions::default())?;
    let options = ForwardOptions { logits: WantedLogits::Last, ..ForwardOptions::default() };
    model.forward(&[[1u32, 2, 3, 5, 8].map(InputRow::Token).to_vec()], &options).map(drop)
}

/// JSON pointers of every value in the config, and of those in objects and lists below it.
fn paths(value: &Value) -> Vec<String> {
    let below: Vec<(String, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(k, v)| (k.replace('~', "~0").replace('/', "~1"), v)).collect(),
        Value::Array(list) => list.iter().take(2).enumerate().map(|(i, v)| (i.to_string(), v)).collect(),
        _ => vec![],
    };
    let here = |(key, value): (String, &Value)| {
        let inner = paths(value).into_iter().map(|path| format!("/{key}{path}")).collect::<Vec<_>>();
        [vec![format!("/{key}")], inner].concat()
    };
    below.into_iter().flat_map(here).collect()
}

fn odd_values(value: &Value) -> Vec<Value> {
    let mut odd = vec![
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(1),
        json!(3),
        json!(-1),
        json!(7919),
        json!(1_000_000_007),
        json!(u64::MAX),
        json!(0.37),
        json!(-2.5),
        json!(1e300),
        json!(""),
        json!("\u{1b}[31m"),
        json!([]),
        json!({}),
        json!([0]),
        json!(["x", null]),
        json!({"rope_type": "yarn", "factor": 0}),
    ];
    if let Some(n) = value.as_u64() {
        odd.extend([json!(n + 1), json!(n * 2), json!(n / 2), json!(n as f64), json!(n.to_string())]);
    }
    odd
}
