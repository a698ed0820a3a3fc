//! The special tokens of a tokenizer, and the ids of a text: `cargo run --example load_tokenizer -- sample:phi-2`.

use maskscope::{Role, ScopeOptions};

fn main() -> maskscope::Result<()> {
    let name = std::env::args().nth(1).unwrap_or_else(|| "sample:phi-2".to_string());
    let scope = ScopeOptions::new(name).load()?;
    for role in Role::ALL {
        println!("{:<5} {:?}", role.attribute(), scope.tokenizer().role_id(role));
    }
    let encoding = scope.encode("What is in the image?", true)?;
    for (id, bytes) in encoding.ids.iter().zip(&encoding.spans) {
        println!("{id:>8} bytes {bytes:?}");
    }
    Ok(())
}
