//! Where code for another backbone belongs in a repository's files: places of a text, found in its syntax tree.

use ruff_python_ast::{Expr, ExprDict, Stmt};
use ruff_text_size::Ranged;

use super::bounded_parse::parse;
use super::names::names_in;

/// The places of a dispatch `preprocess(sources, tokenizer, …)`; offsets are byte offsets, each the start of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DispatchPlace {
    /// Where a function before the dispatch goes.
    pub function: usize,
    /// The first choice by the template in force, or the first statement.
    pub choice: usize,
    /// In front of the statements there.
    pub indent: String,
    /// The parameters as they stand there, with their annotations: name and text.
    pub parameters: Vec<(String, String)>,
    /// The annotation of what it returns.
    pub returns: Option<String>,
}

/// A dictionary of templates, and where one more entry goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryPlace {
    /// The start of the line where a template before the dictionary goes.
    pub before: usize,
    /// Texts to put into the dictionary, each with its byte offset.
    pub inserts: Vec<(usize, String)>,
}

/// Finds the dispatch of that name; `library` is the name under which the file knows the conversation module.
pub fn dispatch_place(text: &str, function: &str, library: &str) -> Option<DispatchPlace> {
    let body = parse(text, "dispatch").ok()?;
    let found = body.iter().find_map(|statement| match statement {
        Stmt::FunctionDef(found) if found.name.id.as_str() == function => Some(found),
        _ => None,
    })?;
    // `import pkg.conversation` binds `pkg`.
    let bound = library.split('.').next().unwrap_or(library);
    let chooses = |statement: &&Stmt| matches!(statement, Stmt::If(branch) if names_in(&branch.test).iter().any(|name| name == bound));
    let is_docstring =
        |statement: &Stmt| matches!(statement, Stmt::Expr(e) if e.value.is_string_literal_expr());
    let first = found.body.iter().find(|statement| !is_docstring(statement));
    let choice = found.body.iter().find(chooses).or(first)?;
    let at = usize::from(choice.range().start());
    let parameters = found.parameters.posonlyargs.iter().chain(&found.parameters.args);
    Some(DispatchPlace {
        function: line_start(text, usize::from(found.range().start())),
        choice: line_start(text, at),
        indent: indentation_at(text, at),
        parameters: parameters
            .map(|p| (p.parameter.name.id.to_string(), source(text, p).to_string()))
            .collect(),
        returns: found.returns.as_ref().map(|returns| source(text, &**returns).to_string()),
    })
}

/// Finds the dictionary of that name, and where `"key": value` goes as its last entry. `line_end` is the file's own.
pub fn registry_place(text: &str, registry: &str, entry: &str, line_end: &str) -> Option<RegistryPlace> {
    let body = parse(text, "registry").ok()?;
    let named = |target: &Expr| target.as_name_expr().is_some_and(|name| name.id.as_str() == registry);
    let (statement, dict) = body.iter().find_map(|statement| match statement {
        Stmt::Assign(assign) if assign.targets.iter().any(named) => {
            Some((statement, assign.value.as_dict_expr()?))
        }
        Stmt::AnnAssign(assign) if named(&assign.target) => {
            Some((statement, assign.value.as_ref()?.as_dict_expr()?))
        }
        _ => None,
    })?;
    Some(RegistryPlace {
        before: above_comments(text, line_start(text, usize::from(statement.range().start()))),
        inserts: entry_inserts(text, dict, entry, line_end)?,
    })
}

fn entry_inserts(text: &str, dict: &ExprDict, entry: &str, line_end: &str) -> Option<Vec<(usize, String)>> {
    let close = usize::from(dict.range().end()).checked_sub(1)?;
    let last = dict.items.last().map(|item| behind_value(text, usize::from(item.value.range().end()), close));
    let needs_comma = last.is_some_and(|(_, has_comma)| !has_comma);
    let close_line = line_start(text, close);
    let is_alone = text.get(close_line..close)?.trim().is_empty();
    let mut inserts = Vec::new();
    if !is_alone {
        let joint = match (last.is_some(), needs_comma) {
            (true, true) => ", ",
            (true, false) if !text.get(..close)?.ends_with(' ') => " ",
            _ => "",
        };
        inserts.push((close, format!("{joint}{entry}")));
        return Some(inserts);
    }
    if let Some((at, false)) = last {
        inserts.push((at, ",".to_string()));
    }
    let first =
        dict.items.iter().find_map(|item| item.key.as_ref()).map(|key| usize::from(key.range().start()));
    let indent = match first {
        Some(first) if text.get(line_start(text, first)..first)?.trim().is_empty() => {
            indentation_at(text, first)
        }
        _ => format!("{}    ", indentation_at(text, close)),
    };
    inserts.push((close_line, format!("{indent}{entry},{line_end}")));
    Some(inserts)
}

/// Behind a value and the brackets around it, and whether a comma follows. Comments are passed over.
fn behind_value(text: &str, end: usize, close: usize) -> (usize, bool) {
    let mut behind = end;
    let mut in_comment = false;
    for (at, c) in text.get(end..close).unwrap_or_default().char_indices() {
        match c {
            '\n' => in_comment = false,
            _ if in_comment => {}
            '#' => in_comment = true,
            ',' => return (behind, true),
            ')' => behind = end + at + 1,
            _ => {}
        }
    }
    (behind, false)
}

/// The first of the comment lines that stand right above a line.
fn above_comments(text: &str, mut line: usize) -> usize {
    while line > 0 {
        let above = line_start(text, line - 1);
        if !text.get(above..line).unwrap_or_default().trim_start().starts_with('#') {
            break;
        }
        line = above;
    }
    line
}

/// A node's text.
pub(super) fn source<'t>(text: &'t str, node: &impl Ranged) -> &'t str {
    let range = node.range();
    text.get(usize::from(range.start())..usize::from(range.end())).unwrap_or_default()
}

fn line_start(text: &str, at: usize) -> usize {
    text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1)
}

/// The start of the line behind the one that a place is on.
pub(super) fn line_after(text: &str, at: usize) -> usize {
    text.get(at..).and_then(|rest| rest.find('\n')).map_or(text.len(), |end| at + end + 1)
}

/// What stands in front of a statement on its line.
pub(super) fn indentation_at(text: &str, at: usize) -> String {
    let line = text.get(line_start(text, at)..at).unwrap_or_default();
    line.chars().take_while(|c| c.is_whitespace()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_entry(text: &str) -> String {
        let place = registry_place(text, "conv_templates", "\"m\": conv_m", "\n").expect("a place");
        let mut out = text.to_string();
        for (at, piece) in place.inserts.iter().rev() {
            out.insert_str(*at, piece);
        }
        out
    }

    #[test]
    fn an_entry_goes_behind_the_last_one() {
        for (before, after) in [
            (
                "conv_templates = {\n    \"a\": a,\n}\n",
                "conv_templates = {\n    \"a\": a,\n    \"m\": conv_m,\n}\n",
            ),
            (
                "conv_templates = {\n  'a': (a)  # one, two\n}",
                "conv_templates = {\n  'a': (a),  # one, two\n  \"m\": conv_m,\n}",
            ),
            ("conv_templates: Dict = {'a': a}\n", "conv_templates: Dict = {'a': a, \"m\": conv_m}\n"),
            ("conv_templates = {'a': a,}\n", "conv_templates = {'a': a, \"m\": conv_m}\n"),
            ("conv_templates = {}\n", "conv_templates = {\"m\": conv_m}\n"),
            ("conv_templates = {\n}\n", "conv_templates = {\n    \"m\": conv_m,\n}\n"),
            ("conv_templates = {\n\t\"a\": a}\n", "conv_templates = {\n\t\"a\": a, \"m\": conv_m}\n"),
        ] {
            assert_eq!(with_entry(before), after);
        }
        assert_eq!(registry_place("conv_templates = dict(a=1)\n", "conv_templates", "e", "\n"), None);
    }

    #[test]
    fn the_first_choice_of_a_dispatch_is_found() {
        let text = "import lib\n\ndef preprocess(\n    sources: Sequence[str],\n    tokenizer,\n    has_image: bool = False\n) -> Dict:\n    \
                    \"\"\"Text.\"\"\"\n    x = 1\n    if lib.default_conversation.version in {'a', 'b'}:\n        return 1\n";
        let place = dispatch_place(text, "preprocess", "lib").expect("a place");
        assert!(text[place.function..].starts_with("def preprocess("));
        assert!(text[place.choice..].starts_with("    if lib."));
        assert_eq!(place.parameters[2], ("has_image".to_string(), "has_image: bool = False".to_string()));
        assert_eq!(place.returns.as_deref(), Some("Dict"));
        let other = dispatch_place(text, "preprocess", "other").expect("a place");
        assert!(text[other.choice..].starts_with("    x = 1"));
    }
}
