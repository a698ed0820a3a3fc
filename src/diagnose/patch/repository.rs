//! A patch as a unified diff against a training repository in the manner of MoE-LLaVA.
//!
//! Places are found by what stands in the files, not by their paths:
//!
//! ```text
//! def preprocess(             ─► the new function before it, the dispatch before its first choice
//! tokenizer = ….from_pretrained(   ─► the tokenizer lines behind the last one, for this version only
//! conv_templates = {          ─► the template before it, its key as the first entry
//! ```
//!
//! A place that is not found is named, with what to add by hand. Nothing of the repository is run.

use std::path::{Path, PathBuf};

use similar::TextDiff;

use super::pieces::Patch;
use crate::error::{Error, Result};

/// Python files larger than this hold no training code.
const MAX_FILE: u64 = 4 << 20;
/// Folders deeper than this are not searched.
const MAX_DEPTH: usize = 12;
/// Most Python files that are read.
const MAX_FILES: usize = 20_000;

/// The diff, and what could not be placed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RepositoryPatch {
    /// For `git apply` or `patch -p1`, from the root of the repository.
    pub diff: String,
    /// Files that it changes.
    pub files: Vec<PathBuf>,
    /// Pieces without a place, in sentences with the text to add by hand.
    pub missing: Vec<String>,
}

/// The patch against the Python files below `root`.
///
/// # Errors
/// A folder that cannot be read, or one without a single Python file.
pub fn repository_patch(root: &Path, patch: &Patch) -> Result<RepositoryPatch> {
    let mut files = Vec::new();
    python_files(root, root, 0, &mut files)?;
    if files.is_empty() {
        return Err(Error::Usage(format!("{}: there is no Python file below this folder", root.display())));
    }
    files.sort();
    if holds_all(&files, patch) {
        return Ok(RepositoryPatch::default());
    }
    let taken = taken_names(&files, &patch.name);
    if !taken.is_empty() {
        return Err(Error::Usage(format!(
            "--name {}: the repository has this name already ({}); choose another one",
            patch.name,
            taken.join(", ")
        )));
    }
    Ok(place(&files, patch))
}

/// True where this very patch was applied before: its function, template and key are there as they would be written.
fn holds_all(files: &Sources, patch: &Patch) -> bool {
    let pieces = [&patch.function, &patch.template, &patch.registration];
    pieces.into_iter().all(|piece| {
        let wanted: Vec<&str> = piece.trim_end().lines().collect();
        files.iter().any(|(_, text)| {
            let lines: Vec<&str> = text.lines().collect();
            lines.windows(wanted.len()).any(|window| window == wanted)
        })
    })
}

/// Where the repository has a function, a template or a key that a patch of this name would write once more.
fn taken_names(files: &Sources, name: &str) -> Vec<String> {
    let function = format!("def preprocess_{name}(");
    let template = format!("conv_{name}");
    let mut taken = Vec::new();
    for (path, text) in files {
        let lines = lines_of(text);
        let is_template = |line: &str| {
            line.strip_prefix(&template).is_some_and(|rest| rest.trim_start().starts_with(['=', ':']))
        };
        let in_table = table(&lines).map_or(0..0, |start| {
            let end = lines.iter().skip(start).position(|line| line.starts_with('}'));
            start..end.map_or(lines.len(), |end| start + end)
        });
        let is_key = |line: &str| {
            ['"', '\''].iter().any(|quote| {
                let key = line.trim_start().strip_prefix(*quote).and_then(|rest| rest.strip_prefix(name));
                key.and_then(|rest| rest.strip_prefix(*quote))
                    .is_some_and(|rest| rest.trim_start().starts_with(':'))
            })
        };
        for (at, line) in lines.iter().enumerate() {
            if line.starts_with(&function) || is_template(line) || (in_table.contains(&at) && is_key(line)) {
                taken.push(format!("{}:{}", path.display(), at + 1));
            }
        }
    }
    taken
}

/// Paths from the root, with their texts.
type Sources = Vec<(PathBuf, String)>;

fn python_files(root: &Path, folder: &Path, depth: usize, found: &mut Sources) -> Result<()> {
    let entries = std::fs::read_dir(folder).map_err(|e| Error::io(folder, e))?;
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name();
        // Links are not followed: they may lead out of the repository or around in it.
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() && depth < MAX_DEPTH && !name.to_string_lossy().starts_with('.') {
            python_files(root, &path, depth + 1, found)?;
        }
        let small = entry.metadata().is_ok_and(|m| m.len() <= MAX_FILE);
        let is_python = kind.is_file() && path.extension().is_some_and(|e| e == "py");
        if is_python
            && small
            && found.len() < MAX_FILES
            && let (Ok(text), Ok(inner)) = (std::fs::read_to_string(&path), path.strip_prefix(root))
        {
            found.push((inner.to_path_buf(), text));
        }
    }
    Ok(())
}

/// Puts the pieces where they belong.
fn place(files: &Sources, patch: &Patch) -> RepositoryPatch {
    let mut result = RepositoryPatch::default();
    let holds = |needle: fn(&[&str]) -> Option<usize>| {
        let mut hits = files.iter().filter(|(_, text)| needle(&lines_of(text)).is_some());
        hits.next().map(|(path, _)| path.clone())
    };
    let (training, templates) = (holds(def_preprocess), holds(table));
    let mut edited: Vec<(PathBuf, String)> = Vec::new();
    match training {
        Some(path) => edit(files, &path, &mut edited, |text| train(text, patch, &mut result.missing)),
        None => {
            for piece in [&patch.function, &patch.dispatch, &patch.tokenizer_lines] {
                let text = format!("no file defines `def preprocess(`; add to the training code:\n{piece}");
                result.missing.push(text);
            }
        }
    }
    match templates {
        Some(path) => edit(files, &path, &mut edited, |text| conversation(text, patch)),
        None => result.missing.push(format!(
            "no file has a table `conv_templates = {{`; add beside your templates:\n{}\nand to their table:\n{}",
            patch.template, patch.registration
        )),
    }
    edited.sort();
    for (path, after) in edited {
        let before = files.iter().find(|(known, _)| *known == path).map_or("", |(_, text)| text.as_str());
        if before == after {
            continue;
        }
        let name = path.to_string_lossy().replace('\\', "/");
        let diff = TextDiff::from_lines(before, after.as_str());
        let (old, new) = (format!("a/{name}"), format!("b/{name}"));
        result.diff.push_str(&diff.unified_diff().context_radius(3).header(&old, &new).to_string());
        result.files.push(path);
    }
    result
}

fn edit(
    files: &Sources,
    path: &Path,
    edited: &mut Vec<(PathBuf, String)>,
    change: impl FnOnce(&str) -> String,
) {
    // Both places may be in one file: the second change builds on the first.
    let at = edited.iter().position(|(known, _)| known == path);
    let before = match at.and_then(|at| edited.get(at)) {
        Some((_, text)) => text.clone(),
        None => files.iter().find(|(known, _)| known == path).map_or(String::new(), |(_, text)| text.clone()),
    };
    let after = change(&before);
    match at.and_then(|at| edited.get_mut(at)) {
        Some((_, text)) => *text = after,
        None => edited.push((path.to_path_buf(), after)),
    }
}

fn lines_of(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

fn def_preprocess(lines: &[&str]) -> Option<usize> {
    lines.iter().position(|line| line.starts_with("def preprocess("))
}

fn table(lines: &[&str]) -> Option<usize> {
    let is_table = |line: &&str| {
        let line: String = line.chars().filter(|c| !c.is_whitespace()).collect();
        line.starts_with("conv_templates={")
            || line.starts_with("conv_templates:Dict") && line.ends_with("={")
    };
    lines.iter().position(is_table)
}

/// The last assignment of a loaded tokenizer, and the line behind it: brackets may run over several lines.
fn tokenizer_loaded(lines: &[&str]) -> Option<(usize, usize)> {
    let is_load = |line: &&str| {
        let code = line.trim_start();
        code.starts_with("tokenizer = ") && code.contains("from_pretrained(")
    };
    let start = lines.iter().rposition(is_load)?;
    let mut open = 0_i64;
    for (at, line) in lines.iter().enumerate().skip(start) {
        let code = line.split('#').next().unwrap_or("");
        for c in code.chars() {
            match c {
                '(' | '[' | '{' => open += 1,
                ')' | ']' | '}' => open -= 1,
                _ => {}
            }
        }
        if open <= 0 {
            return Some((start, at + 1));
        }
    }
    None
}

fn indentation(line: &str) -> &str {
    line.get(..line.len() - line.trim_start().len()).unwrap_or("")
}

fn newline(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

/// A piece with an indentation in front of each line and the file's own line ends.
fn indented(piece: &str, indent: &str, end: &str) -> String {
    let line = |line: &str| match line {
        "" => end.to_string(),
        line => format!("{indent}{line}{end}"),
    };
    piece.lines().map(line).collect()
}

fn train(text: &str, patch: &Patch, missing: &mut Vec<String>) -> String {
    let end = newline(text);
    let lines = lines_of(text);
    let mut inserts: Vec<(usize, String)> = Vec::new();
    if let Some(at) = def_preprocess(&lines) {
        inserts.push((at, format!("{}{end}{end}", indented(patch.function.trim_end(), "", end))));
        // The first choice on the template's version; without one the first statement behind the docstring.
        let body = lines.iter().enumerate().skip(at + 1);
        let inside = body.take_while(|(_, line)| line.starts_with([' ', '\t', '\n', '\r', ')', '#']));
        let choice =
            inside.into_iter().find(|(_, line)| line.trim_start().starts_with("if conversation_lib."));
        match choice {
            Some((choice, line)) => {
                let piece = dedented(&patch.dispatch);
                inserts.push((choice, indented(&piece, indentation(line), end)));
            }
            None => missing.push(format!(
                "preprocess() has no choice `if conversation_lib.…`; add as its first statement:\n{}",
                patch.dispatch
            )),
        }
    }
    match tokenizer_loaded(&lines) {
        Some((start, after)) => {
            // Behind the innermost block that loads it: one level out where it is loaded in a branch.
            let deep = lines.get(start).map_or("", |line| indentation(line));
            let outer = lines.iter().enumerate().skip(after).find(|(_, line)| {
                !line.trim().is_empty() && indentation(line).len() < deep.len() && !continues(line)
            });
            let in_branch = lines.get(..start).is_some_and(|before| in_a_branch(before, deep));
            let (at, indent) = match outer {
                Some((at, line)) if in_branch => (at, indentation(line)),
                _ => (after, deep),
            };
            let condition = format!("{indent}if model_args.version == {}:{end}", super::python_string(&patch.name));
            let inner = format!("{indent}    ");
            let body = indented(patch.tokenizer_lines.trim_end(), &inner, end);
            // A block of comments alone is no valid Python; where no token is needed nothing is inserted.
            if body.lines().any(|line| !line.trim_start().starts_with('#')) {
                inserts.push((at, format!("{condition}{body}")));
            }
            inserts.extend(pad_again(&lines, after, patch, end));
        }
        None => missing.push(format!(
            "no line `tokenizer = ….from_pretrained(` in the training code; add behind the tokenizer's loading:\n{}",
            patch.tokenizer_lines
        )),
    }
    inserted(&lines, inserts)
}

/// The training script may set pad itself later on (from unk): behind its last such line, the patch's pad again.
fn pad_again(lines: &[&str], after: usize, patch: &Patch, end: &str) -> Option<(usize, String)> {
    let sets_pad = |line: &str| line.trim().starts_with("tokenizer.pad_token =");
    let at = lines.iter().rposition(|line| sets_pad(line)).filter(|at| *at >= after)?;
    let line = lines.get(at)?;
    let ours = patch.tokenizer_lines.lines().rfind(|line| line.contains("pad_token"))?;
    let code = line.split('#').next().unwrap_or("").trim();
    if code == ours {
        return None;
    }
    let indent = indentation(line);
    let condition = format!("{indent}if model_args.version == {}:{end}", super::python_string(&patch.name));
    Some((at + 1, format!("{condition}{indent}    {ours}{end}")))
}

/// `else`, `elif` and the like go on with the statement before them.
fn continues(line: &str) -> bool {
    ["else", "elif", "except", "finally", ")", "]", "}"]
        .iter()
        .any(|word| line.trim_start().starts_with(word))
}

/// True when the nearest line before that is indented less opens a branch.
fn in_a_branch(before: &[&str], deep: &str) -> bool {
    let mut outer = before.iter().rev().filter(|l| !l.trim().is_empty() && indentation(l).len() < deep.len());
    outer.next().is_some_and(|line| {
        let code = line.trim_start();
        ["if ", "else", "elif ", "try", "with "].iter().any(|word| code.starts_with(word))
    })
}

fn dedented(piece: &str) -> String {
    let indent = piece.lines().next().map_or("", indentation);
    let lines = piece.lines().map(|line| line.strip_prefix(indent).unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n")
}

fn conversation(text: &str, patch: &Patch) -> String {
    let end = newline(text);
    let lines = lines_of(text);
    let Some(at) = table(&lines) else { return text.to_string() };
    let template = format!("{}{end}", indented(patch.template.trim_end(), "", end));
    let key = indented(patch.registration.trim(), "    ", end);
    inserted(&lines, vec![(at, template), (at + 1, key)])
}

/// The lines with texts put before some of them.
fn inserted(lines: &[&str], mut inserts: Vec<(usize, String)>) -> String {
    inserts.sort_by_key(|(at, _)| *at);
    let mut out = String::new();
    let mut next = inserts.into_iter().peekable();
    for (at, line) in lines.iter().enumerate() {
        while let Some((_, text)) = next.next_if(|(place, _)| *place <= at) {
            out.push_str(&text);
        }
        out.push_str(line);
    }
    for (_, text) in next {
        if !out.is_empty() && !out.ends_with('\n') {
            out.push('\n');
        }
        out.push_str(&text);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patch() -> Patch {
        Patch {
            name: "mine".into(),
            tokenizer_lines: "tokenizer.add_special_tokens({\"unk_token\": \"<u>\"})\n".into(),
            function: "def preprocess_mine(sources):\n    return sources\n".into(),
            dispatch: "    if conversation_lib.default_conversation.version == \"mine\":\n        return preprocess_mine(sources)\n".into(),
            template: "conv_mine = Conversation(\n    version=\"mine\",\n)\n".into(),
            registration: "    \"mine\": conv_mine,\n".into(),
            flags: String::new(),
            pytest: String::new(),
        }
    }

    const TRAIN: &str = "import conversation as conversation_lib\n\n\ndef preprocess(sources, tokenizer):\n    \"\"\"Choose.\"\"\"\n    if conversation_lib.default_conversation.version == \"plain\":\n        return 1\n\n\ndef train():\n    if fast:\n        tokenizer = A.from_pretrained(\n            name,\n        )\n    else:\n        tokenizer = B.from_pretrained(name)\n\n    model.run(tokenizer)\n";
    const TABLE: &str = "conv_one = 1\n\nconv_templates = {\n    \"one\": conv_one,\n}\n";

    #[test]
    fn every_piece_finds_its_place() {
        let files =
            vec![(PathBuf::from("a.py"), TRAIN.to_string()), (PathBuf::from("b.py"), TABLE.to_string())];
        let mut missing = Vec::new();
        let after = train(TRAIN, &patch(), &mut missing);
        assert!(missing.is_empty(), "{missing:?}");
        let at = |needle: &str| after.find(needle).unwrap_or_else(|| panic!("{needle} in {after}"));
        assert!(at("def preprocess_mine") < at("def preprocess(sources"));
        assert!(at("return preprocess_mine") < at("== \"plain\""));
        assert!(
            at("B.from_pretrained") < at("    if model_args.version == \"mine\":\n        tokenizer.add")
        );
        assert!(at("tokenizer.add_special") < at("model.run"));
        let placed = place(&files, &patch());
        assert_eq!(placed.files.len(), 2);
        assert!(placed.diff.contains("+    \"mine\": conv_mine,"), "{}", placed.diff);
    }

    #[test]
    fn a_pad_that_the_script_sets_later_does_not_win() {
        let later = "    if v0:\n        tokenizer.pad_token = \"x\"\n    else:\n        tokenizer.pad_token = tokenizer.unk_token  # theirs\n        use(tokenizer)\n";
        let text = format!("{TRAIN}{later}");
        let with = |lines: &str| {
            let patch = Patch { tokenizer_lines: lines.into(), ..patch() };
            train(&text, &patch, &mut Vec::new())
        };
        let after = with("tokenizer.pad_token = \"<p>\"\n");
        let again = "  # theirs\n        if model_args.version == \"mine\":\n            tokenizer.pad_token = \"<p>\"\n        use(";
        assert!(after.contains(again), "{after}");
        let same = with("tokenizer.pad_token = tokenizer.unk_token\n");
        assert_eq!(same.matches("model_args.version").count(), 1, "{same}");
    }

    #[test]
    fn a_name_that_is_taken_is_found_and_a_longer_one_is_not() {
        let files = |text: &str| vec![(PathBuf::from("c.py"), text.to_string())];
        let taken = |text: &str| taken_names(&files(text), "mine");
        assert_eq!(
            taken("conv_mine = 1\n\nconv_templates = {\n    'mine' : conv_mine,  # ours\n}\n"),
            ["c.py:1", "c.py:4"]
        );
        assert_eq!(taken("def preprocess_mine(sources):\n    pass\n"), ["c.py:1"]);
        let others = "conv_mine2 = 1\ndef preprocess_mine2(s): pass\nconv_templates = {\n    \"mine2\": conv_mine2,\n}\nx = {\n    \"mine\": 1}\n";
        assert!(taken(others).is_empty());
    }

    #[test]
    fn the_same_patch_twice_changes_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let after =
            [("a.py", train(TRAIN, &patch(), &mut Vec::new())), ("b.py", conversation(TABLE, &patch()))];
        for (name, text) in &after {
            std::fs::write(folder.path().join(name), text).expect("writes");
        }
        let again = repository_patch(folder.path(), &patch()).expect("is there already");
        assert_eq!(again, RepositoryPatch::default());
        let other = Patch { function: "def preprocess_mine(sources):\n    return None\n".into(), ..patch() };
        let error = repository_patch(folder.path(), &other).expect_err("the name is taken").to_string();
        assert!(error.contains("a.py:4") && error.contains("b.py:3"), "{error}");
    }

    #[test]
    fn what_has_no_place_is_named() {
        let placed = place(&vec![(PathBuf::from("x.py"), "print(1)\n".to_string())], &patch());
        assert!(placed.diff.is_empty());
        assert_eq!(placed.missing.len(), 4);
        let half = TRAIN.replace("tokenizer = ", "tok = ");
        let placed = place(&vec![(PathBuf::from("x.py"), half)], &patch());
        assert!(placed.missing.iter().any(|m| m.contains("from_pretrained")));
    }
}
