//! Which experts the bytes of a prompt go to, in the embedded model: `cargo run --example route`.

use maskscope::{Sample, ScopeOptions, Turn};

fn main() -> maskscope::Result<()> {
    let scope = ScopeOptions::new("sample:phi-2").template("phi").load()?;
    let turns = vec![Turn::new("human", "What is in the image?"), Turn::new("gpt", "A cat.")];
    for row in scope.route(&Sample::text("cat", turns), "byte-moe")? {
        for layer in row.layers {
            println!(
                "layer {}: {} experts, assignments {:?}",
                layer.layer, layer.num_experts, layer.exp_counts
            );
        }
    }
    Ok(())
}
