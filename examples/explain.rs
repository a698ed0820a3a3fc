//! Why samples have no supervised tokens: pad = unk on a tokenizer whose unk is its eos. `cargo run --example explain`.

use maskscope::{Role, Sample, ScopeOptions, Turn, Verdict};

fn main() -> maskscope::Result<()> {
    let scope = ScopeOptions::new("sample:phi-2").template("phi").recipe("none");
    let scope = scope.token(Role::Pad, "<|endoftext|>").load()?;
    let turns = vec![Turn::new("human", "What is in the image?"), Turn::new("gpt", "A cat.")];
    let report = scope.explain(&[Sample::text("cat", turns)]);
    for finding in report.findings.iter().filter(|finding| finding.verdict >= Verdict::Warn) {
        println!("{} {}: {}", finding.id, finding.title, finding.cause);
    }
    Ok(())
}
