//! A module's text cut into top-level statements, as the sandbox takes them.
//!
//! Imports become data (they are made when a name is used), definitions wait until they are used, all else runs in order.
//! Behind every assignment to a name inside a function a call is put on the same line, so that the sandbox can say what was
//! counted where and line numbers stay.

use ruff_python_ast::visitor::{Visitor, walk_stmt};
use ruff_python_ast::{Expr, Stmt};
use ruff_text_size::{Ranged, TextSize};
use serde_json::{Value, json};

use super::bounded_parse::parse;
use super::lines::Lines;

/// The call that notes an assignment.
const NOTED: &str = "_maskscope_noted";

/// The statements of a module as the sandbox takes them.
///
/// # Errors
/// The parser's message with its line, for text that is no Python.
pub fn pieces(text: &str, file: &str) -> Result<Vec<Value>, String> {
    let body = parse(text, file)?;
    let lines = Lines::new(text);
    let mut pieces = Vec::new();
    let mut future = false;
    for statement in &body {
        let line = lines.line(statement.range().start());
        match statement {
            Stmt::Import(import) => {
                for alias in &import.names {
                    let bound = alias.asname.as_ref().map(|name| name.id.as_str());
                    pieces.push(json!({"kind": "import", "line": line, "module": alias.name.id.as_str(), "as": bound}));
                }
            }
            Stmt::ImportFrom(import) => {
                let module = import.module.as_ref().map_or("", |name| name.id.as_str());
                if module == "__future__" {
                    future |= import.names.iter().any(|alias| alias.name.id.as_str() == "annotations");
                    continue;
                }
                for alias in &import.names {
                    let name = alias.name.id.as_str();
                    let bound = alias.asname.as_ref().map_or(name, |name| name.id.as_str());
                    pieces.push(json!({
                        "kind": "from", "line": line, "level": import.level, "module": module, "name": name, "as": bound,
                    }));
                }
            }
            _ if is_docstring(statement) || is_main_guard(statement) => {}
            _ => pieces.push(code(text, file, &lines, statement, future)),
        }
    }
    Ok(pieces)
}

fn code(text: &str, file: &str, lines: &Lines, statement: &Stmt, future: bool) -> Value {
    let (kind, binds) = match statement {
        Stmt::FunctionDef(function) => {
            let kind = if function.decorator_list.is_empty() { "define" } else { "run" };
            (kind, vec![function.name.id.to_string()])
        }
        Stmt::ClassDef(class) => {
            let plain = class.decorator_list.iter().all(|d| names_dataclass(&d.expression));
            (if plain { "define" } else { "run" }, vec![class.name.id.to_string()])
        }
        other => ("run", bound_names(other)),
    };
    // A decorator stands before the range that the name is in.
    let start = statement.range().start();
    let line = lines.line(start);
    let noted = with_notes(text, file, lines, statement);
    let head = if future { "from __future__ import annotations\n" } else { "" };
    let before = line.saturating_sub(1 + usize::from(future));
    let indented = format!("{head}{}{noted}\n", "\n".repeat(before));
    json!({"kind": kind, "line": line, "binds": binds, "text": indented})
}

/// The statement's text with a note behind each assignment in a function.
fn with_notes(text: &str, file: &str, lines: &Lines, statement: &Stmt) -> String {
    let mut notes = Notes { found: Vec::new(), depth: 0 };
    notes.visit_stmt(statement);
    notes.found.sort_by_key(|(at, _)| *at);
    let (start, end) = (usize::from(statement.range().start()), usize::from(statement.range().end()));
    let mut out = String::new();
    let mut last = start;
    for (at, names) in notes.found {
        let at = usize::from(at);
        let line = lines.line(TextSize::try_from(at.saturating_sub(1)).unwrap_or_default());
        out.push_str(text.get(last..at).unwrap_or_default());
        for name in names {
            out.push_str(&format!(";{NOTED}({file:?},{line},{name:?},{name})"));
        }
        last = at;
    }
    out.push_str(text.get(last..end).unwrap_or_default());
    out
}

struct Notes {
    found: Vec<(TextSize, Vec<String>)>,
    /// How many functions the visitor is in.
    depth: usize,
}

impl<'a> Visitor<'a> for Notes {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        let inside = matches!(statement, Stmt::FunctionDef(_));
        self.depth += usize::from(inside);
        if self.depth > 0 {
            let name = |target: &Expr| target.as_name_expr().map(|name| name.id.to_string());
            let names: Vec<String> = match statement {
                Stmt::Assign(assign) => assign.targets.iter().filter_map(name).collect(),
                Stmt::AugAssign(assign) => name(&assign.target).into_iter().collect(),
                Stmt::AnnAssign(assign) if assign.value.is_some() => {
                    name(&assign.target).into_iter().collect()
                }
                _ => Vec::new(),
            };
            if !names.is_empty() {
                self.found.push((statement.range().end(), names));
            }
        }
        walk_stmt(self, statement);
        self.depth -= usize::from(inside);
    }
}

/// Names that a statement gives a value at the top level, compound statements included.
fn bound_names(statement: &Stmt) -> Vec<String> {
    struct Bound(Vec<String>);
    impl Bound {
        fn target(&mut self, target: &Expr) {
            match target {
                Expr::Name(name) => self.0.push(name.id.to_string()),
                Expr::Tuple(tuple) => tuple.elts.iter().for_each(|item| self.target(item)),
                Expr::List(list) => list.elts.iter().for_each(|item| self.target(item)),
                _ => {}
            }
        }
    }
    impl<'a> Visitor<'a> for Bound {
        fn visit_stmt(&mut self, statement: &'a Stmt) {
            match statement {
                Stmt::Assign(assign) => assign.targets.iter().for_each(|target| self.target(target)),
                Stmt::AugAssign(assign) => self.target(&assign.target),
                Stmt::AnnAssign(assign) => self.target(&assign.target),
                Stmt::FunctionDef(function) => return self.0.push(function.name.id.to_string()),
                Stmt::ClassDef(class) => return self.0.push(class.name.id.to_string()),
                Stmt::For(each) => self.target(&each.target),
                Stmt::Import(import) => {
                    for alias in &import.names {
                        let name = alias.asname.as_ref().unwrap_or(&alias.name).id.as_str();
                        self.0.push(name.split('.').next().unwrap_or(name).to_string());
                    }
                }
                Stmt::ImportFrom(import) => {
                    let names =
                        import.names.iter().map(|a| a.asname.as_ref().unwrap_or(&a.name).id.to_string());
                    self.0.extend(names);
                }
                _ => {}
            }
            walk_stmt(self, statement);
        }
    }
    let mut bound = Bound(Vec::new());
    bound.visit_stmt(statement);
    bound.0
}

fn names_dataclass(decorator: &Expr) -> bool {
    match decorator {
        Expr::Name(name) => name.id.as_str() == "dataclass",
        Expr::Attribute(attribute) => attribute.attr.id.as_str() == "dataclass",
        Expr::Call(call) => names_dataclass(&call.func),
        _ => false,
    }
}

fn is_docstring(statement: &Stmt) -> bool {
    matches!(statement, Stmt::Expr(expression) if expression.value.is_string_literal_expr())
}

/// `if __name__ == "__main__":`
fn is_main_guard(statement: &Stmt) -> bool {
    let Stmt::If(branch) = statement else { return false };
    let Expr::Compare(compare) = &*branch.test else { return false };
    matches!(&*compare.left, Expr::Name(name) if name.id.as_str() == "__name__")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_are_noted_on_their_line() {
        let text = "import os\ndef f(x):\n    n = 1  # one\n    if x: n += 2\n    return n\n";
        let pieces = pieces(text, "a.py").unwrap();
        assert_eq!(pieces[0]["module"], "os");
        let code = pieces[1]["text"].as_str().unwrap();
        let lines: Vec<&str> = code.lines().collect();
        assert_eq!(lines[2], "    n = 1;_maskscope_noted(\"a.py\",3,\"n\",n)  # one");
        assert_eq!(lines[3], "    if x: n += 2;_maskscope_noted(\"a.py\",4,\"n\",n)");
        assert_eq!(pieces[1]["kind"], "define");
    }

    #[test]
    fn no_python_is_named_with_its_line() {
        let message = pieces("x = 1\ny = = 2\n", "a.py").unwrap_err();
        assert!(message.starts_with("a.py:2: "), "{message}");
    }
}
