//! What `special` tells beyond the roles: holes, what is put around a text, tokens free to reuse, embedding rows.

use std::ops::ControlFlow;

use maskscope::diagnose::{TokenVerdict, token_report};
use maskscope::setup::{Request, Setup, load_tokenizer, resolve};

fn setup(tokenizer: &str, recipe: &str) -> Setup {
    let request = Request {
        tokenizer: tokenizer.to_string(),
        recipe: recipe.parse().expect("a recipe"),
        ..Request::default()
    };
    let base = load_tokenizer(&request, &mut |_| ControlFlow::Continue(())).expect("loads");
    resolve(&base, &request).expect("resolves")
}

#[test]
fn the_hole_of_stablelm_is_found() {
    // Id 100256 lies between the ranks of cl100k and its special tokens.
    let truth = token_report(&setup("sample:stablelm-2", "auto"));
    assert!(truth.id_statistics.holes.contains(&(100_256..100_257)), "{:?}", truth.id_statistics.holes);
}

#[test]
fn what_is_put_around_a_text_is_measured() {
    let mistral = token_report(&setup("sample:mistral", "auto")).id_statistics;
    assert_eq!((mistral.around.before, mistral.around.behind), (vec![1], vec![]));
    assert!(token_report(&setup("sample:phi-2", "auto")).id_statistics.around.before.is_empty());
}

#[test]
fn reserved_tokens_are_ranked_and_those_in_use_are_not_among_them() {
    let qwen = token_report(&setup("sample:qwen", "auto"));
    assert_eq!(qwen.reserved.first().map(|t| t.content.as_str()), Some("<|extra_1|>"), "extra_0 is unk");
    assert!(qwen.reserved.iter().all(|t| t.content != "<|im_start|>" && t.content != "<|endoftext|>"));
}

#[test]
fn pad_that_equals_eos_and_a_separator_that_is_no_token_are_errors() {
    let remarks = |tokenizer: &str, recipe: &str| token_report(&setup(tokenizer, recipe)).notes;
    let stablelm = remarks("sample:stablelm-2", "none");
    assert!(stablelm.iter().any(|r| r.weight == TokenVerdict::Error && r.text.starts_with("pad equals eos")));
    let request = Request { template: "openchat".into(), ..Request::default() };
    let base = load_tokenizer(&request, &mut |_| ControlFlow::Continue(())).expect("loads");
    let phi = token_report(&resolve(&base, &request).expect("resolves")).notes;
    assert!(phi.iter().any(|r| r.text.contains("is not atomic")), "{phi:?}");
}

#[test]
fn embedding_rows_come_from_the_config_beside_the_tokenizer() {
    let folder = tempfile::tempdir().expect("a folder");
    let sample = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/tokenizers/phi-2");
    for entry in std::fs::read_dir(&sample).expect("the sample").flatten() {
        if entry.path().is_file() {
            std::fs::copy(entry.path(), folder.path().join(entry.file_name())).expect("copied");
        }
    }
    let rows = |config: &str| {
        std::fs::write(folder.path().join("config.json"), config).expect("written");
        let truth = token_report(&setup(&folder.path().to_string_lossy(), "auto"));
        let short = truth
            .notes
            .iter()
            .any(|r| r.weight == TokenVerdict::Error && r.text.contains("no embedding row"));
        (truth.embedding_rows, short)
    };
    assert_eq!(rows(r#"{"vocab_size": 51200}"#), (Some(51_200), false));
    assert_eq!(rows(r#"{"text_config": {"vocab_size": 50000}}"#), (Some(50_000), true));
    assert_eq!(rows("{broken"), (None, false), "a broken config.json is no obstacle");
}
