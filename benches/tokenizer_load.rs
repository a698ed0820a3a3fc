//! How long tokenizers take to load, beside what the `tokenizers` crate itself needs for the same file.
//!
//! ```sh
//! MASKSCOPE_CONFORMANCE=/path/to/unpacked cargo bench --bench tokenizer_load
//! ```
//!
//! Without the variable only the embedded tokenizers are measured. Each figure is the median of five.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use maskscope::setup::{Request, load_tokenizer};
use maskscope::tokenizer::{LoadOptions, Loader, Release};

fn median(mut work: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..5)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .collect();
    times.sort();
    times[2]
}

fn load(tokenizer: &str, load: LoadOptions) -> Duration {
    let request = Request { tokenizer: tokenizer.to_string(), load, ..Request::default() };
    median(|| {
        load_tokenizer(&request, &mut |_| ControlFlow::Continue(())).expect("loads");
    })
}

fn main() {
    for name in ["phi-2", "mistral", "qwen", "stablelm-2"] {
        println!("{name:28} {:7.1?}", load(&format!("sample:{name}"), LoadOptions::default()));
    }
    let Some(root) = std::env::var_os("MASKSCOPE_CONFORMANCE").map(PathBuf::from) else {
        println!("MASKSCOPE_CONFORMANCE is not set: tokenizer.json is not measured");
        return;
    };
    for name in ["qwen3", "llama3", "gemma3", "deepseek_v3"] {
        let folder = root.join("tokenizers").join(name);
        let file = folder.join("tokenizer.json");
        if !file.exists() {
            continue;
        }
        let reference = median(|| {
            tokenizers::Tokenizer::from_file(&file).expect("loads");
        });
        for release in [Release::V4_37, Release::V5] {
            let options = LoadOptions { loader: Some(Loader::Fast), release, ..LoadOptions::default() };
            let ours = load(&folder.to_string_lossy(), options);
            println!(
                "{name:12} transformers {:5} {ours:7.1?}   Tokenizer::from_file {reference:7.1?}   ratio {:.2}",
                release.name(),
                ours.as_secs_f64() / reference.as_secs_f64()
            );
        }
    }
}
