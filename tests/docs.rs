//! The pages of `docs/`: what the code cites is there, links lead somewhere, commands run, and tables and pictures are
//! the program's own; `MASKSCOPE_BLESS=1 cargo test --test docs` writes those.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// A command that may find something (status 1) and must be carried out (not status 2).
#[cfg(unix)]
const EACH_COMMAND: &str = "set -e\nmaskscope() { command maskscope \"$@\" || [ $? = 1 ]; }\n";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Text files that may cite pages: sources, tests, benches and the pages themselves.
fn files() -> Vec<PathBuf> {
    let mut open: Vec<PathBuf> =
        ["src", "tests", "benches", "docs", "examples"].iter().map(|folder| root().join(folder)).collect();
    let mut found: Vec<PathBuf> = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", ".github/SECURITY.md"]
        .map(|file| root().join(file))
        .into();
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

/// The table that stands between two marks of a page, compared with what the program says, or written.
fn table(page: &str, name: &str, wanted: &str) {
    let path = root().join(page);
    let (begin, end) =
        (format!("<!-- {name}: written by tests/docs.rs -->\n"), format!("<!-- end of {name} -->"));
    let text = std::fs::read_to_string(&path).expect("the page");
    let (before, rest) = text.split_once(&begin).expect("the table's beginning");
    let (table, after) = rest.split_once(&end).expect("the table's end");
    if std::env::var_os("MASKSCOPE_BLESS").is_some() {
        std::fs::write(path, format!("{before}{begin}{wanted}{end}{after}")).expect("the page is written");
    } else {
        assert_eq!(table, wanted, "run MASKSCOPE_BLESS=1 cargo test --test docs");
    }
}

#[test]
fn the_table_of_keys_is_the_programs_own() {
    table("docs/keys.md", "keys", &maskscope::app::markdown());
}

/// Id, title and family of every check, in the order of the registries.
fn all_checks() -> Vec<(String, String, &'static str)> {
    let chat = ["-t", "sample:qwen", "--template", "sample:chatml-think", "--preprocess", "hf_generation"];
    let mut all = Vec::new();
    for (family, arguments) in [("LLaVA rules", &["-t", "sample:phi-2"][..]), ("chat templates", &chat)] {
        let checks = checks(arguments);
        assert!(checks.len() > 10, "{family}: {} checks", checks.len());
        for check in checks {
            let text = |key: &str| check[key].as_str().expect("a text").to_string();
            all.push((text("id"), text("title"), family));
        }
    }
    all
}

#[test]
fn the_table_of_checks_is_the_programs_own() {
    let mut wanted = "| id | title | for |\n| --- | --- | --- |\n".to_string();
    for (id, title, family) in all_checks() {
        wanted.push_str(&format!("| [{id}](checks.md#{}) | {title} | {family} |\n", id.to_lowercase()));
    }
    table("docs/doctor.md", "checks", &wanted);
}

#[test]
fn the_table_of_dump_checks_is_the_programs_own() {
    let mut wanted = "| id | title |\n| --- | --- |\n".to_string();
    for check in maskscope::dumps::DUMP_CHECKS {
        wanted.push_str(&format!("| {} | {} |\n", check.id, check.title));
    }
    table("docs/token-dumps.md", "dump checks", &wanted);
}

/// The blocks of a page that run as they stand: those of `sh`. In blocks of `bash` there are names of one's own.
#[cfg(unix)]
fn commands(page: &str) -> Vec<&str> {
    page.split("```sh\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0)).collect()
}

/// Runs text of a shell with this build of the program, in a new folder that has the repository's samples and tests.
#[cfg(unix)]
fn shell(text: &str) -> std::process::Output {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["samples", "tests"] {
        std::os::unix::fs::symlink(root().join(name), folder.path().join(name)).expect("a link");
    }
    let program = Path::new(env!("CARGO_BIN_EXE_maskscope")).parent().expect("a folder");
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new("sh");
    command.arg("-c").arg(text).current_dir(folder.path()).env("PATH", path);
    command.output().expect("sh runs")
}

#[cfg(unix)]
#[test]
fn every_command_of_the_pages_runs() {
    let mut ran = 0;
    for file in files().into_iter().filter(|file| file.extension().is_some_and(|e| e == "md")) {
        // The examples of the checks have a test of their own.
        if file.ends_with("docs/checks.md") {
            continue;
        }
        let page = std::fs::read_to_string(&file).unwrap();
        // What CONTRIBUTING.md has in blocks of `sh` is cargo.
        for block in commands(&page).into_iter().filter(|block| block.contains("maskscope ")) {
            ran += 1;
            let output = shell(&format!("{EACH_COMMAND}{block}"));
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}: {}\n{block}\n{said}", file.display(), output.status);
        }
    }
    assert!(ran > 15, "{ran} blocks were run");
}

#[cfg(unix)]
#[test]
fn every_check_has_an_example_that_shows_it() {
    let page = std::fs::read_to_string(root().join("docs/checks.md")).expect("the page");
    let sections: Vec<(&str, &str)> =
        page.split("\n### ").skip(1).filter_map(|section| section.split_once('\n')).collect();
    let mut here: Vec<String> = sections.iter().map(|(id, _)| id.to_string()).collect();
    let mut wanted: Vec<String> = all_checks().into_iter().map(|(id, ..)| id).collect();
    here.sort();
    wanted.sort();
    assert_eq!(here, wanted, "a section for each check");
    let mut ran: std::collections::HashMap<&str, String> = std::collections::HashMap::new();
    for (id, section) in &sections {
        for part in ["- Symptom: ", "- Cause: ", "- Fix: "] {
            assert!(section.contains(part), "{id} has no {part}");
        }
        let Some(block) = commands(section).first().copied() else {
            assert!(section.contains("No example: "), "{id} has no example and does not say why");
            continue;
        };
        let shown = ran.entry(block).or_insert_with(|| {
            let output = shell(block);
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
        });
        // `✗ MSK006 error   pad is the closing token`
        let found = shown.lines().any(|line| line.split_whitespace().nth(1) == Some(*id));
        assert!(found, "{id}: the example does not show it\n{block}\n{shown}");
    }
    assert!(ran.len() > 30, "{} examples were run", ran.len());
}

/// What `](` leads to, from the folder of the page; addresses and places of the same page are left out.
#[test]
fn every_link_of_the_pages_leads_to_a_file() {
    let mut links = 0;
    for file in files().into_iter().filter(|file| file.extension().is_some_and(|e| e == "md")) {
        let text = std::fs::read_to_string(&file).unwrap();
        let folder = file.parent().expect("a folder");
        for rest in text.split("](").skip(1) {
            let target = rest.split_once(')').map_or("", |(target, _)| target);
            let target = target.split_once('#').map_or(target, |(page, _)| page);
            if target.is_empty() || target.contains("://") {
                continue;
            }
            links += 1;
            assert!(folder.join(target).exists(), "{} links to {target}", file.display());
        }
    }
    assert!(links > 60, "{links} links were found");
}

#[test]
fn the_summary_of_the_book_has_every_page() {
    let summary = std::fs::read_to_string(root().join("docs/SUMMARY.md")).expect("the summary");
    let mut pages = 0;
    for entry in std::fs::read_dir(root().join("docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().expect("UTF-8");
        if name.ends_with(".md") && name != "SUMMARY.md" {
            pages += 1;
            assert!(summary.contains(&format!("]({name})")), "docs/SUMMARY.md lacks {name}");
        }
    }
    assert!(pages > 10, "{pages} pages");
}

/// A picture without the digits before ` ms`: how long a forward pass took is another in each drawing.
#[cfg(unix)]
fn without_times(picture: &str) -> String {
    let parts: Vec<&str> = picture
        .split(" ms")
        .map(|part| part.trim_end_matches(|c: char| c.is_ascii_digit() || ". ".contains(c)))
        .collect();
    parts.join(" ms")
}

#[cfg(unix)]
#[test]
fn the_pictures_are_what_the_program_draws() {
    let kept = root().join("docs/pictures");
    let folder = tempfile::tempdir().expect("a folder");
    let bless = std::env::var_os("MASKSCOPE_BLESS").is_some();
    let drawn = if bless { kept.clone() } else { folder.path().to_path_buf() };
    let mut script = Command::new("sh");
    script.arg(root().join("docs/pictures.sh")).arg(&drawn).env("MASKSCOPE", env!("CARGO_BIN_EXE_maskscope"));
    let output = script.output().expect("sh runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read =
        |path: PathBuf| std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut compared = 0;
    for entry in std::fs::read_dir(&drawn).unwrap() {
        let name = entry.unwrap().file_name();
        let (now, then) = (read(drawn.join(&name)), read(kept.join(&name)));
        compared += 1;
        assert!(now.len() < 200_000, "{name:?} has {} bytes", now.len());
        assert!(
            without_times(&now) == without_times(&then),
            "{name:?} is another picture: run MASKSCOPE_BLESS=1 cargo test --test docs"
        );
    }
    assert!(compared > 5, "{compared} pictures");
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
