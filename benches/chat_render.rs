//! How long a chat template takes to render conversations, on one core: the half of `tests/scripts/chat_render.py` that is
//! ours. The script makes the conversations, times transformers on them in the same run, and compares.
//!
//! ```sh
//! python3 tests/scripts/chat_render.py qwen3.jinja
//! cargo bench --bench chat_render -- TEMPLATE.jinja CONVERSATIONS.jsonl
//! ```
//!
//! Prints one JSON object: the seconds of the best of seven passes, and a checksum of all texts.

use std::time::{Duration, Instant};

use maskscope::chat::jinja::{ChatTemplate, Clock, Inputs};
use maskscope::chat::{Conversation, read_samples};
use sha2::{Digest, Sha256};

const PASSES: usize = 7;

fn main() {
    // Cargo's own arguments begin with dashes.
    let paths: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let [template, conversations] = paths.as_slice() else {
        println!("give a template and a file of conversations; tests/scripts/chat_render.py does");
        return;
    };
    let source = std::fs::read_to_string(template).expect("the template");
    let template =
        ChatTemplate::new(template, &source, Clock::parse("2026-11-23").expect("a date")).expect("compiles");
    let samples = read_samples(conversations.as_ref(), None).expect("the conversations").samples;
    let conversations: Vec<Conversation> =
        samples.iter().map(|s| s.conversation().expect("messages").into_owned()).collect();
    let mut best = Duration::MAX;
    let mut texts = Vec::new();
    for _ in 0..PASSES {
        let start = Instant::now();
        texts = conversations.iter().map(|conversation| render(&template, conversation)).collect();
        best = best.min(start.elapsed());
    }
    let mut sum = Sha256::new();
    texts.iter().for_each(|text: &String| sum.update(text));
    let checksum: String = sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    println!(
        "{}",
        serde_json::json!({
            "conversations": conversations.len(), "seconds": best.as_secs_f64(), "sha256": checksum,
        })
    );
}

fn render(template: &ChatTemplate, conversation: &Conversation) -> String {
    let inputs = Inputs {
        messages: &conversation.messages,
        tools: conversation.tools.as_deref(),
        kwargs: Some(&conversation.kwargs),
        ..Inputs::default()
    };
    template.render(&inputs).expect("renders").text
}
