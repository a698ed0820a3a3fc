//! What accounting for every part of a record costs beside the labelling that it is of, on one core.
//!
//! ```sh
//! python3 ../shared/golden/bench/make.py messages 2000 > rows.jsonl
//! cargo bench --bench accounting -- path/to/tokenizer rows.jsonl
//! ```
//!
//! The tokenizer brings a chat template; rows are of the `messages` layout and do not repeat.

use std::path::Path;
use std::time::Instant;

use maskscope::chat::read_samples;
use maskscope::diagnose::RecordAccount;
use maskscope::setup::{Request, TemplateChoice, load_tokenizer, resolve};
use maskscope::tokenizer::Release;

fn main() {
    // Cargo's own arguments begin with dashes.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let [tokenizer, rows] = arguments.as_slice() else {
        println!("give a tokenizer with a chat template, and a file of messages rows");
        return;
    };
    let samples = read_samples(Path::new(rows), None).expect("rows").samples;
    let mut request = Request {
        tokenizer: tokenizer.clone(),
        template: TemplateChoice::parse("chat"),
        preprocess: "axolotl_turn".parse().expect("a strategy"),
        ..Request::default()
    };
    request.load.release = Release::V5;
    let base = load_tokenizer(&request, &mut |_| std::ops::ControlFlow::Continue(())).expect("loads");
    let setup = resolve(&base, &request).expect("resolves");
    let clock = Instant::now();
    let inspections: Vec<_> = samples.iter().map(|sample| setup.inspect(sample)).collect();
    let labelling = clock.elapsed();
    let clock = Instant::now();
    let accounts = samples.iter().zip(&inspections);
    let clean = accounts
        .filter(|(sample, inspection)| {
            RecordAccount::of(&setup, sample, inspection).is_some_and(|account| account.is_clean())
        })
        .count();
    let accounting = clock.elapsed();
    println!(
        "{} samples, {clean} with nothing to say: labelling {labelling:?}, account {accounting:?} ({:.1} %)",
        samples.len(),
        100.0 * accounting.as_secs_f64() / labelling.as_secs_f64()
    );
}
