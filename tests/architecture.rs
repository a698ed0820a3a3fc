//! The house rules of `src/`: imports only point downward, and each outside library is named in one place.
//!
//! The order is the one that `lib.rs` draws. A module may use those that stand before it in [`ORDER`] (and
//! itself); `moe` may use only what [`MOE_MAY_USE`] lists. Files of one module import in one direction too:
//! `cargo test --test architecture circle -- --nocapture` prints the circles that are there.

#[path = "architecture/imports.rs"]
mod imports;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Modules from the ground up.
const ORDER: &[&str] = &[
    "error",
    "atomic_write",
    "python",
    "text",
    "guard",
    "config",
    "sandbox",
    "tokenizer",
    "moe",
    "data",
    "chat",
    "samples",
    "labels",
    "masks",
    "repository",
    "labelling",
    "hub",
    "setup",
    "diagnose",
    "dumps",
    "scope",
    "scan",
    "report",
    "app",
    "ui",
    "runtime",
    "cli",
    "commands",
];

const MOE_MAY_USE: &[&str] = &["moe", "error", "atomic_write", "guard", "tokenizer"];

/// Outside names and the only modules that may write them.
const OWNERS: &[(&str, &[&str])] = &[
    ("tokenizers::", &["tokenizer"]),
    ("onig_sys::", &["tokenizer"]),
    ("candle_core", &["moe"]),
    ("wgpu::", &["moe"]),
    ("crossterm::", &["runtime"]),
    ("hf_hub::", &["hub"]),
    ("ureq::", &["hub"]),
    ("ratatui::", &["ui", "runtime"]),
    ("minijinja::", &["chat"]),
    ("clap::", &["cli"]),
    ("maud::", &["report", "ui"]),
    ("anstyle::", &["report", "ui"]),
    ("similar::", &["diagnose", "masks"]),
    ("flate2::", &["data"]),
    ("zstd::", &["data"]),
    ("glob::", &["data"]),
    ("jiff::", &["chat"]),
    ("parquet::", &["data"]),
    ("arrow_array::", &["data", "dumps"]),
    ("arrow_buffer::", &["dumps"]),
    ("arrow_ipc::", &["dumps"]),
    ("zip::", &["dumps"]),
    ("same_file::", &["data"]),
    ("clap_complete::", &["cli"]),
    ("clap_mangen::", &["cli"]),
    ("toml::", &["config"]),
];

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()) {
        if entry.is_dir() {
            sources(&entry, found);
        } else if entry.extension().is_some_and(|e| e == "rs") {
            found.push(entry);
        }
    }
}

/// Each source file with its top module and its code (comments cut off).
fn modules() -> Vec<(PathBuf, String, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    assert!(files.len() > 20, "the test found the sources");
    let with_module = |path: PathBuf| {
        let inner = path.strip_prefix(&src).unwrap();
        let module = inner.components().next().unwrap().as_os_str().to_string_lossy().replace(".rs", "");
        let text = std::fs::read_to_string(&path).unwrap();
        let code: Vec<&str> = text.lines().map(|line| line.split("//").next().unwrap_or("")).collect();
        (inner.to_path_buf(), module, code.join("\n"))
    };
    files.into_iter().map(with_module).filter(|(_, m, _)| m != "lib" && m != "main").collect()
}

fn used_modules(code: &str) -> Vec<String> {
    let mut used = Vec::new();
    for after in code.split("crate::").skip(1) {
        let name: String = after.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if after.starts_with('{') {
            let list = after.trim_start_matches('{').split('}').next().unwrap_or("");
            used.extend(list.split(',').map(|s| s.trim().split("::").next().unwrap_or("").to_string()));
        } else {
            used.push(name);
        }
    }
    used.retain(|name| name.starts_with(|c: char| c.is_lowercase()));
    used
}

#[test]
fn imports_point_downward() {
    let rank = |module: &str| ORDER.iter().position(|m| *m == module);
    let mut wrong = Vec::new();
    for (path, module, code) in modules() {
        let own = rank(&module).unwrap_or_else(|| panic!("{module} is not in ORDER: say where it stands"));
        for used in used_modules(&code) {
            let Some(used_rank) = rank(&used) else { continue };
            let forbidden_to_moe = module == "moe" && !MOE_MAY_USE.contains(&used.as_str());
            if used_rank > own || forbidden_to_moe {
                wrong.push(format!("{} uses {used}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "imports that point upward:\n{}", wrong.join("\n"));
}

#[test]
fn outside_libraries_are_named_in_one_place() {
    let mut wrong = Vec::new();
    for (path, module, code) in modules() {
        for (name, owners) in OWNERS {
            let names_it = code.split(name).count() > 1
                && code.split(name).zip(code.split(name).skip(1)).any(|(before, _)| {
                    !before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':')
                });
            if names_it && !owners.contains(&module.as_str()) {
                wrong.push(format!("{} names {name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "libraries named outside their module:\n{}", wrong.join("\n"));
}

#[test]
fn every_source_file_says_what_it_is_for() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let silent: Vec<_> =
        files.iter().filter(|p| !std::fs::read_to_string(p).unwrap().starts_with("//!")).collect();
    assert!(silent.is_empty(), "files without a //! at the top: {silent:?}");
}

/// A type that other files use has a name of its own: a reader who meets it need not ask which one is meant.
#[test]
fn a_shared_type_name_stands_once() {
    let mut places: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for (path, _, code) in modules() {
        for line in code.lines().map(str::trim_start).filter(|line| line.starts_with("pub")) {
            let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|w| !w.is_empty());
            let mut kinds = words.by_ref().skip_while(|w| matches!(*w, "pub" | "crate" | "super" | "in"));
            if kinds.next().is_some_and(|w| matches!(w, "struct" | "enum" | "trait" | "type" | "union")) {
                places.entry(words.next().unwrap_or_default().to_string()).or_default().push(path.clone());
            }
        }
    }
    assert!(places.len() > 500, "the test found the types");
    places.retain(|_, files| files.len() > 1);
    assert!(places.is_empty(), "names of several types: {places:#?}");
}

#[test]
fn no_import_circle_between_files() {
    let graph = imports::graph(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(graph.len() > 100, "the test read the imports of {} files", graph.len());
    let mut by_module: BTreeMap<String, usize> = BTreeMap::new();
    let mut listed = String::new();
    for circle in imports::circles(&graph) {
        let first = circle.first().unwrap();
        let module = first.components().next().unwrap().as_os_str().to_string_lossy().replace(".rs", "");
        listed.push_str(&format!("{module}: {} files in a circle\n", circle.len()));
        for file in &circle {
            let way = imports::shortest_way_round(&graph, file);
            listed.push_str(&format!("   {}\n{way}\n", file.display()));
        }
        *by_module.entry(module).or_default() += circle.len();
    }
    println!("{listed}");
    assert!(by_module.is_empty(), "files in import circles: {by_module:?}\n{listed}");
}

#[test]
fn a_circle_is_found_and_a_re_export_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("lib.rs", "mod fine; mod round;");
    // Only declares and hands on: its children meet in it, but none needs it.
    write("fine/mod.rs", "mod a; mod b; pub use a::A; pub use b::B;");
    write("fine/a.rs", "pub struct A;");
    write("fine/b.rs", "use super::A; pub struct B(A); #[cfg(test)] mod tests { use super::super::b::B; }");
    // A type above, its child below, and the call back: through a macro's arguments.
    write("round/mod.rs", "mod child; pub struct Top; fn f() { println!(\"{}\", child::name()); }");
    write(
        "round/child.rs",
        "use super::Top; pub fn name() -> &'static str { let _: Option<Top> = None; \"\" }",
    );
    let circles = imports::circles(&imports::graph(folder.path()));
    let expected: Vec<PathBuf> = vec!["round/child.rs".into(), "round/mod.rs".into()];
    assert_eq!(circles.len(), 1, "{circles:?}");
    assert_eq!(circles[0].iter().cloned().collect::<Vec<_>>(), expected);
}

/// Named for a feature of theirs alone.
const FOR_A_FEATURE: &[&str] = &["ratatui-core"];

/// Crates that are named in Cargo.toml and not used yet: none, in the end.
const UNUSED_CRATES: &[&str] = &[];

#[test]
fn every_crate_of_the_manifest_is_used() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let text_of = |folders: &[&str]| -> String {
        let mut files = Vec::new();
        folders.iter().for_each(|folder| sources(&root.join(folder), &mut files));
        files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect()
    };
    let (library, outside) = (text_of(&["src"]), text_of(&["tests", "benches"]));
    let (mut code, mut unused, mut checked) = ("", Vec::new(), 0);
    for line in manifest.lines() {
        match line {
            "[dev-dependencies]" => code = &outside,
            _ if line.ends_with("dependencies]") => code = &library,
            _ if line.starts_with('[') => code = "",
            _ if code.is_empty() || line.starts_with('#') => {}
            _ => {
                let Some((name, _)) = line.split_once('=') else { continue };
                let crate_name = name.trim().replace('-', "_");
                checked += 1;
                let excused = [FOR_A_FEATURE, UNUSED_CRATES].concat().contains(&name.trim());
                if !code.contains(&format!("{crate_name}::")) && !excused {
                    unused.push(crate_name);
                }
            }
        }
    }
    assert!(checked > 20, "{checked} crates were read from Cargo.toml");
    assert!(unused.is_empty(), "named in Cargo.toml and used nowhere: {unused:?}");
}
