//! The pages of `docs/`: what the code cites is there, and the table of checks is the program's own;
//! `MASKSCOPE_BLESS=1 cargo test --test docs` writes it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

const BEGIN: &str = "<!-- checks: written by tests/docs.rs -->\n";
const END: &str = "<!-- end of checks -->";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Text files that may cite pages: sources, tests, benches and the pages themselves.
fn files() -> Vec<PathBuf> {
    let mut open: Vec<PathBuf> =
        ["src", "tests", "benches", "docs", "examples"].iter().map(|folder| root().join(folder)).collect();
    let mut found = vec![root().join("README.md"), root().join("CONTRIBUTING.md")];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|e| e == "rs" || e == "md" || e == "py") {
            found.push(path);
        }
    }
    found.retain(|path| path.is_file());
    found
}

/// What stands behind each `prefix` in `text`, up to the end of the path.
fn paths<'a>(text: &'a str, prefix: &'a str) -> impl Iterator<Item = String> + 'a {
    text.match_indices(prefix).map(move |(at, _)| {
        let path: String =
            text[at..].chars().take_while(|c| c.is_alphanumeric() || "/-_.".contains(*c)).collect();
        path.trim_end_matches('.').to_string()
    })
}

#[test]
fn every_cited_page_exists() {
    let mut cited = 0;
    for file in files() {
        let text = std::fs::read_to_string(&file).unwrap();
        for page in paths(&text, "docs/").filter(|page| page.ends_with(".md")) {
            cited += 1;
            assert!(root().join(&page).is_file(), "{} cites {page}", file.display());
        }
        // The name is put together so that this file does not cite it; `inspect/` is another.
        let outside = ["spec", "/"].concat();
        let cites = text.match_indices(&outside).any(|(at, _)| !text[..at].ends_with(char::is_alphabetic));
        assert!(!cites, "{} cites a page outside of the repository", file.display());
    }
    assert!(cited > 5, "{cited} citations were found");
}

/// Paths in the pages and in `CONTRIBUTING.md` that name a file or folder of the repository.
#[test]
fn every_path_in_the_pages_exists() {
    let mut named = 0;
    for file in files().into_iter().filter(|file| file.extension().is_some_and(|e| e == "md")) {
        let text = std::fs::read_to_string(&file).unwrap();
        for prefix in ["`src/", "`tests/", "`benches/", "`samples/", "`docs/"] {
            // Names in capitals stand for a name of one's own.
            for path in paths(&text, &prefix[1..]).filter(|p| !p.contains(|c: char| c.is_uppercase())) {
                let from_here = text.contains(&format!("`{path}"));
                if !from_here {
                    continue;
                }
                named += 1;
                assert!(root().join(&path).exists(), "{} names {path}", file.display());
            }
        }
    }
    assert!(named > 20, "{named} paths were found");
}

/// The findings of the doctor as JSON: one a check.
fn checks(arguments: &[&str]) -> Vec<Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_maskscope"))
        .args(["doctor", "--format", "jsonl"])
        .args(arguments)
        .output()
        .expect("runs");
    let lines = String::from_utf8(output.stdout).expect("UTF-8");
    lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn the_table_of_checks_is_the_programs_own() {
    let path = root().join("docs/doctor.md");
    let page = std::fs::read_to_string(&path).expect("the page");
    let (before, rest) = page.split_once(BEGIN).expect("the table's beginning");
    let (table, after) = rest.split_once(END).expect("the table's end");
    let mut wanted = "| id | title | for |\n| --- | --- | --- |\n".to_string();
    let chat = ["-t", "sample:qwen", "--template", "sample:chatml-think", "--preprocess", "hf_generation"];
    for (family, arguments) in [("LLaVA rules", &["-t", "sample:phi-2"][..]), ("chat templates", &chat)] {
        let checks = checks(arguments);
        assert!(checks.len() > 10, "{family}: {} checks", checks.len());
        for check in checks {
            let text = |key: &str| check[key].as_str().expect("a text").to_string();
            wanted.push_str(&format!("| {} | {} | {family} |\n", text("id"), text("title")));
        }
    }
    if std::env::var_os("MASKSCOPE_BLESS").is_some() {
        std::fs::write(path, format!("{before}{BEGIN}{wanted}{END}{after}")).expect("the page is written");
    } else {
        assert_eq!(table, wanted, "run MASKSCOPE_BLESS=1 cargo test --test docs");
    }
}

/// Where CONTRIBUTING.md sends people: an example of each kind, and the registry with a line for it.
#[test]
fn registries_are_where_the_guide_says() {
    let read =
        |path: &str| std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    let guide = read("CONTRIBUTING.md");
    // Registry, its name, the folder of the files, and the line of one of them.
    let kinds = [
        ("src/labels/rule.rs", "registry!", "src/labels/rules", "phi_count"),
        ("src/diagnose/checks/mod.rs", "CHECKS", "src/diagnose/checks", "ends_on_user"),
        ("src/diagnose/chat/checks/mod.rs", "CHAT_CHECKS", "src/diagnose/chat/checks", "generation_tag"),
        ("src/app/screen.rs", "with_screens!", "src/app/screens", "lengths"),
        ("src/app/screen.rs", "with_screens!", "src/ui/screens", "lengths"),
        ("src/tokenizer/classes/mod.rs", "CLASSES", "src/tokenizer/classes", "bloom"),
    ];
    for (registry, name, folder, file) in kinds {
        assert!(guide.contains(&format!("`{name}` of `{registry}`")), "the guide names {name} of {registry}");
        let text = read(registry);
        let list = text.split_once(name.trim_end_matches('!')).expect("the registry").1;
        assert!(list.contains(file), "{registry} has a line for {file}");
        assert!(root().join(format!("{folder}/{file}.rs")).is_file(), "{folder}/{file}.rs");
    }
}
