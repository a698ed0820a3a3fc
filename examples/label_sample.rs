//! The labels of one conversation, token by token: `cargo run --example label_sample`.

use maskscope::{Sample, ScopeOptions, TokenLabel, Turn};

fn main() -> maskscope::Result<()> {
    let scope = ScopeOptions::new("sample:phi-2").template("phi").load()?;
    let turns = vec![Turn::new("human", "What is in the image?"), Turn::new("gpt", "A cat.")];
    let inspection = scope.label(&Sample::text("cat", turns));
    println!("{}: {}", inspection.id, inspection.status().line());
    let Ok(labelled) = &inspection.result else { return Ok(()) };
    for (index, id) in labelled.input_ids.iter().enumerate() {
        let mark = if labelled.token_label(index) == Some(TokenLabel::Supervised) { "+" } else { " " };
        println!("{mark} {id}");
    }
    Ok(())
}
