//! Texts that a repository's code asks for by name: what a label function may treat in a way of its own.
//!
//! ```text
//! if "<audio>" in sentence["value"]:            "<audio>"
//! MARK = "Answer:"                              "Answer:"
//! part.replace("[UNK]", "")                     "[UNK]"
//! ```
//!
//! A sample that holds none of them gives such code nothing to ask for; whoever counts it by a rule in place of the function
//! leaves out the others.

use std::collections::{BTreeMap, BTreeSet};

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{Expr, Stmt};

use super::bounded_parse::parse;
use super::function::RepositoryFunction;
use super::names::names_in;

/// Methods whose arguments are looked for in a text.
const METHODS: [&str; 24] = [
    "startswith",
    "endswith",
    "find",
    "rfind",
    "index",
    "rindex",
    "count",
    "replace",
    "split",
    "rsplit",
    "strip",
    "lstrip",
    "rstrip",
    "removeprefix",
    "removesuffix",
    "partition",
    "rpartition",
    "sub",
    "match",
    "search",
    "findall",
    "finditer",
    "fullmatch",
    "compile",
];
/// Characters below which a text is everywhere.
const SHORTEST: usize = 3;

/// The texts that the function's code, and what it calls, asks for. Of the function's own file only what it reaches by name counts.
pub fn named_texts(function: &RepositoryFunction) -> BTreeSet<String> {
    let mut found = Texts::default();
    let entry = function.entry();
    for file in function.files() {
        let Ok(text) = function.checkout().read(&file) else { continue };
        let Ok(body) = parse(&text, &file) else { continue };
        if file == entry.file {
            reachable(&body, &entry.name).into_iter().for_each(|statement| found.visit_stmt(statement));
        } else {
            body.iter().for_each(|statement| found.visit_stmt(statement));
        }
        body.iter().for_each(|statement| found.constant(statement));
    }
    let is_a_word =
        |text: &String| text.chars().count() >= SHORTEST && text.chars().any(char::is_alphanumeric);
    found.0.into_iter().filter(is_a_word).collect()
}

/// Definitions of a module that are reached by name from the one called, and those whose names say that they label; all, where that
/// one is not there.
fn reachable<'a>(body: &'a [Stmt], name: &str) -> Vec<&'a Stmt> {
    let named: BTreeMap<&str, &Stmt> = body
        .iter()
        .filter_map(|statement| match statement {
            Stmt::FunctionDef(function) => Some((function.name.id.as_str(), statement)),
            Stmt::ClassDef(class) => Some((class.name.id.as_str(), statement)),
            _ => None,
        })
        .collect();
    let start = name.split('.').next().unwrap_or(name);
    if !named.contains_key(start) {
        return body.iter().collect();
    }
    let mut waiting: Vec<&str> = vec![start, "preprocess_multimodal"];
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    while let Some(next) = waiting.pop() {
        let Some((own, statement)) = named.get_key_value(next) else { continue };
        if seen.insert(own) {
            let mut used = Used::default();
            used.visit_stmt(statement);
            waiting.extend(named.keys().filter(|known| used.0.contains(**known)));
        }
    }
    seen.into_iter().filter_map(|name| named.get(name).copied()).collect()
}

/// Names that a statement reads.
#[derive(Default)]
struct Used(BTreeSet<String>);

impl<'a> Visitor<'a> for Used {
    fn visit_expr(&mut self, expression: &'a Expr) {
        self.0.extend(names_in(expression));
    }
}

#[derive(Default)]
struct Texts(BTreeSet<String>);

impl Texts {
    fn literals(&mut self, expression: &Expr) {
        match expression {
            Expr::StringLiteral(text) => {
                self.0.insert(text.value.to_str().to_string());
            }
            Expr::Tuple(tuple) => tuple.elts.iter().for_each(|item| self.literals(item)),
            Expr::List(list) => list.elts.iter().for_each(|item| self.literals(item)),
            Expr::Set(set) => set.elts.iter().for_each(|item| self.literals(item)),
            _ => {}
        }
    }

    /// `NAME = "text"` of a module.
    fn constant(&mut self, statement: &Stmt) {
        if let Stmt::Assign(assign) = statement {
            self.literals(&assign.value);
        }
    }
}

impl<'a> Visitor<'a> for Texts {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Compare(compare) => {
                self.literals(&compare.left);
                compare.comparators.iter().for_each(|other| self.literals(other));
            }
            Expr::Call(call) => {
                if let Expr::Attribute(method) = &*call.func
                    && METHODS.contains(&method.attr.id.as_str())
                {
                    call.arguments.args.iter().for_each(|argument| self.literals(argument));
                }
            }
            _ => {}
        }
        walk_expr(self, expression);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_found_where_the_function_reaches_it() {
        let text = "def other(t):\n    return 'never' in t\n\ndef helper(t):\n    return t.replace('[UNK]', '') if t.startswith(('a-b', 'c-d')) else t['from']\n\n\
                    def preprocess(t):\n    assert t != 'zebra', 'said'\n    return helper(t)\n";
        let body = parse(text, "a.py").unwrap();
        let mut found = Texts::default();
        reachable(&body, "preprocess").into_iter().for_each(|statement| found.visit_stmt(statement));
        assert_eq!(found.0.into_iter().collect::<Vec<_>>(), ["", "[UNK]", "a-b", "c-d", "zebra"]);
    }
}
