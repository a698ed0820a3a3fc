//! The lines of a training script that make and change its tokenizer, cut out of `train()` with the conditions around them.
//!
//! All other statements are blanked, so that the lines stay where they are in the file.

use std::collections::BTreeSet;

use ruff_python_ast::{Expr, Stmt, StmtFunctionDef};
use ruff_text_size::{Ranged, TextRange};

use super::bounded_parse::parse;
use super::changes::{bodies, changes_in, changes_tokenizer, names_in_head, value_of};
use super::checkout::Checkout;
use super::entry::DispatchEntry;
use super::names::names_in;
use super::reading::{ItemKind, Reading};

/// Lines that make the tokenizer ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetupCode {
    pub text: String,
    /// What messages call it.
    pub file: String,
}

/// Functions whose body is searched.
const SCRIPTS: [&str; 2] = ["train", "main"];

/// The set-up of the script that an entry belongs to; `None` where no script makes a tokenizer.
pub fn own_setup(checkout: &Checkout, reading: &Reading, entry: &DispatchEntry) -> Option<SetupCode> {
    let file = script_of(reading, entry)?;
    let text = checkout.read(&file).ok()?;
    Some(SetupCode { text: tokenizer_lines(&text)?, file })
}

/// The script: the entry's own file, else the nearest file with such lines, a `train.py` or `…finetune….py` before others.
pub fn script_of(reading: &Reading, entry: &DispatchEntry) -> Option<String> {
    let top = entry.file.split('/').next().unwrap_or_default();
    let files: BTreeSet<&str> =
        reading.items.iter().filter(|i| i.kind == ItemKind::TokenizerLine).map(|i| i.file.as_str()).collect();
    let rank = |file: &&str| {
        let stem = file.rsplit('/').next().unwrap_or_default();
        let usual = stem == "train.py" || stem.contains("finetune") || stem.contains("sft");
        (**file != *entry.file, !file.starts_with(top), !usual, file.len())
    };
    files.into_iter().min_by_key(rank).map(String::from)
}

/// The text with everything blanked but the tokenizer's lines, their conditions, and plain values that they use.
pub fn tokenizer_lines(text: &str) -> Option<String> {
    let body = parse(text, "script").ok()?;
    let function = script_function(&body)?;
    let mut cut = Cut { text: text.as_bytes().to_vec(), needed: BTreeSet::new() };
    collect_names(&function.body, &mut cut.needed);
    if !cut.keep(&function.body) {
        return None;
    }
    let first = function.body.first()?;
    // The head of the function becomes `if True:`, at the end of its lines; everything outside goes.
    let (start, end) = (usize::from(first.range().start()), usize::from(function.range().end()));
    let line_start = text.get(..start)?.rfind('\n').map_or(0, |at| at + 1);
    cut.blank(0..line_start);
    cut.blank(end..text.len());
    let head = cut.text.get(..line_start).unwrap_or_default().to_vec();
    let mut lines = String::from_utf8(cut.text.get(line_start..).unwrap_or_default().to_vec()).ok()?;
    let newlines = head.iter().filter(|byte| **byte == b'\n').count();
    lines.insert_str(0, &format!("{}if True:\n", "\n".repeat(newlines.saturating_sub(1))));
    Some(lines.trim_end().to_string() + "\n")
}

/// The function of a script whose body makes the tokenizer.
pub(super) fn script_function(body: &[Stmt]) -> Option<&StmtFunctionDef> {
    let mut scripts = body.iter().filter_map(|statement| match statement {
        Stmt::FunctionDef(function) if SCRIPTS.contains(&function.name.id.as_str()) => Some(function),
        _ => None,
    });
    let makes = |function: &&StmtFunctionDef| {
        let mut changes = Vec::new();
        function.body.iter().for_each(|statement| changes_in(statement, &mut changes));
        !changes.is_empty()
    };
    // `main` may only call `train`.
    let first = scripts.clone().next();
    scripts.find(makes).or(first)
}

/// Names that the tokenizer's lines and their conditions read; true where a body has such a line.
fn collect_names(body: &[Stmt], names: &mut BTreeSet<String>) -> bool {
    let mut any = false;
    for statement in body {
        if changes_tokenizer(statement) {
            names.extend(value_of(statement).map(names_in).unwrap_or_default());
            any = true;
            continue;
        }
        let has_lines =
            bodies(statement).into_iter().fold(false, |any, inner| collect_names(inner, names) | any);
        if has_lines {
            names.extend(names_in_head(statement));
        }
        any |= has_lines;
    }
    any
}

struct Cut {
    text: Vec<u8>,
    needed: BTreeSet<String>,
}

impl Cut {
    /// Blanks what is not needed of a body; false where nothing is left, and `pass` stands in its place.
    fn keep(&mut self, body: &[Stmt]) -> bool {
        let mut kept = false;
        for statement in body {
            let stays = changes_tokenizer(statement) || self.is_needed_value(statement);
            if stays {
                kept |= changes_tokenizer(statement);
                continue;
            }
            if !self.keep_compound(statement) {
                self.blank_range(statement.range());
            } else {
                kept = true;
            }
        }
        if !kept {
            body.iter().for_each(|statement| self.blank_range(statement.range()));
            if let Some(first) = body.first() {
                let (start, end) = (usize::from(first.range().start()), usize::from(first.range().end()));
                // `f()` is too short for a `pass`, and a line end must stay where it is.
                let nothing: &[u8] = if end - start < 4 { b"0" } else { b"pass" };
                if let Some(place) = self.text.get_mut(start..start + nothing.len()) {
                    place.copy_from_slice(nothing);
                }
            }
        }
        kept
    }

    /// Keeps a compound statement where one of its bodies has a line of the tokenizer's.
    fn keep_compound(&mut self, statement: &Stmt) -> bool {
        let inner = bodies(statement);
        let has_lines = |body: &&[Stmt]| {
            let mut found = false;
            let mut walk: Vec<&Stmt> = body.iter().collect();
            while let Some(statement) = walk.pop() {
                found |= changes_tokenizer(statement);
                walk.extend(bodies(statement).into_iter().flatten());
            }
            found
        };
        if !inner.iter().any(has_lines) {
            return false;
        }
        for body in inner {
            self.keep(body);
        }
        true
    }

    /// A value made without calls, for a name that the tokenizer's lines use: `token_list = [IMG_START_TOKEN, …]`.
    fn is_needed_value(&self, statement: &Stmt) -> bool {
        let Stmt::Assign(assign) = statement else { return false };
        let named = assign.targets.iter().any(|target| match target {
            Expr::Name(name) => self.needed.contains(name.id.as_str()),
            _ => false,
        });
        named && is_plain(&assign.value)
    }

    fn blank_range(&mut self, range: TextRange) {
        self.blank(usize::from(range.start())..usize::from(range.end()));
    }

    fn blank(&mut self, range: std::ops::Range<usize>) {
        for byte in self.text.get_mut(range).unwrap_or_default() {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
    }
}

fn is_plain(expression: &Expr) -> bool {
    match expression {
        Expr::Call(_) | Expr::Lambda(_) => false,
        Expr::List(list) => list.elts.iter().all(is_plain),
        Expr::Tuple(tuple) => tuple.elts.iter().all(is_plain),
        Expr::BoolOp(operation) => operation.values.iter().all(is_plain),
        Expr::Dict(dict) => dict.items.iter().all(|item| is_plain(&item.value)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_tokenizers_lines_stay_where_they_are() {
        let text = "import os\n\ndef train():\n    args = parse()\n    words = [A, B]\n    if args.big:\n        model = Big()\n        \
                    tokenizer = load(args.path)\n    else:\n        model = None\n    tokenizer.add_tokens(words)\n    run(model)\n";
        let expected = "\n\nif True:\n                  \n    words = [A, B]\n    if args.big:\n                     \n        \
                        tokenizer = load(args.path)\n    else:\n        pass        \n    tokenizer.add_tokens(words)\n";
        assert_eq!(tokenizer_lines(text).unwrap(), expected);
        assert_eq!(tokenizer_lines("def train():\n    run()\n"), None);
    }
}
