use super::*;
use maskscope::masks::{Chat, markers};
#[test]
fn zz_markers() {
    let root = crate::root("x").unwrap();
    let toks = Tokenizers::new(&root);
    let list = std::env::var("TMPL").unwrap();
    for line in list.lines() {
        let (file, tok) = line.split_once(' ').unwrap();
        let src = std::fs::read_to_string(file).unwrap();
        let t = match ChatTemplate::new("x", &src, clock()) {
            Ok(t) => t,
            Err(e) => {
                eprintln!("{file} {e}");
                continue;
            }
        };
        let tk = toks.get(tok);
        let chat = Chat { template: &t, encoder: &*tk, special_tokens: &tk.special_tokens };
        eprintln!(
            "M {} {:?}",
            file.rsplit('/').next().unwrap(),
            markers::detect(&chat).map_err(|e| e.to_string())
        );
    }
}
