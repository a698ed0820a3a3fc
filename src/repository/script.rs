//! What a training script does with its tokenizer, as far as lines that are added to it must know: where it has made and changed
//! it, which roles it sets, and under which names it keeps its arguments.

use std::collections::{BTreeMap, BTreeSet};

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{CmpOp, Expr, ExprCall, Stmt};
use ruff_text_size::Ranged;

use super::bounded_parse::parse;
use super::changes::{
    Argument, OutOfSight, bodies, changes_in, changes_tokenizer, is_changed_as, out_of_sight, targets_of,
    value_of,
};
use super::lines::Lines;
use super::places::{indentation_at, line_after, source};
use super::setup_lines::script_function;

/// The tokenizer's part of a training script. Places are byte offsets of the text, each the start of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Behind the statement that holds the last loading.
    pub after_loads: usize,
    /// Behind the last statement that changes the tokenizer.
    pub after_changes: usize,
    /// Behind the last statement that changes the tokenizer or makes `model`; `None` without a `model`.
    pub after_model: Option<usize>,
    /// In front of the statements there.
    pub indent: String,
    /// The arguments that the version is read from: `model_args`.
    pub arguments: Option<String>,
    /// The expression for the model's path: `model_args.model_name_or_path`.
    pub path: Option<String>,
    /// Attributes of roles that the script sets (`pad_token`), whatever it sets them to.
    pub roles: BTreeSet<String>,
    /// Every loading, in order.
    pub loads: Vec<LoadCall>,
    /// Imports inside the function: the name that is bound, and the statement.
    pub imports: Vec<(String, String)>,
    /// Lines, from 1: one that gives the tokenizer tokens, and a later one that loads it again under a condition of its own, so that
    /// both may run and the tokens are lost: an `if` where `elif` was meant.
    pub loaded_again: Option<(usize, usize)>,
    /// What the script copies from the tokenizer into the model's configuration, as it stands there.
    pub copied: Vec<String>,
    /// Lines where the tokenizer may be changed by something that no line of the function says, with what that is.
    pub out_of_sight: Vec<(usize, String)>,
    /// Lines where the version is held against a list of names, and these.
    pub version_lists: Vec<(usize, Vec<String>)>,
}

/// A call of `from_pretrained`, as it stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadCall {
    /// `transformers.AutoTokenizer.from_pretrained`
    pub callee: String,
    pub positional: Vec<String>,
    pub keywords: Vec<(String, String)>,
}

/// Reads a script; `None` where it is no Python, or has no function that makes a tokenizer. `sets_roles` says whether a function of
/// the repository gives roles to what it is handed there.
pub fn script(text: &str, sets_roles: &dyn Fn(&str, Argument<'_>) -> bool) -> Option<Script> {
    let body = parse(text, "script").ok()?;
    let function = script_function(&body)?;
    let mut statements: &[Stmt] = &function.body;
    // A whole script under one `with` or `try`: its body is what counts.
    while let Some(inner) = only_one_with_changes(statements) {
        statements = inner;
    }
    let mut found = Changes::default();
    for (at, statement) in statements.iter().enumerate() {
        let mut changes = Vec::new();
        changes_in(statement, &mut changes);
        found.last_change = if changes.is_empty() { found.last_change } else { Some(at) };
        for change in changes {
            let loads = load_call(change, text);
            found.last_load = if loads.is_some() { Some(at) } else { found.last_load };
            found.loads.extend(loads);
            roles_of(change, &mut found.roles);
        }
        if makes(statement, "model") {
            found.last_model = Some(at);
        }
    }
    let (last_change, last_load) = (found.last_change?, found.last_load?);
    let behind = |at: usize| statements.get(at).map(|s| line_after(text, usize::from(s.range().end())));
    let mut attributes = Attributes { text, read: BTreeMap::new(), imports: Vec::new() };
    function.body.iter().for_each(|statement| attributes.visit_stmt(statement));
    let first = statements.first()?;
    let after_changes = behind(last_change)?;
    let lines = Lines::new(text);
    let hidden = function.body.iter().flat_map(out_of_sight).filter_map(|(statement, found)| {
        let is_behind = usize::from(statement.range().start()) >= after_changes;
        let what = match found {
            OutOfSight::OtherName(name) if function.body.iter().any(|inner| is_changed_as(inner, name)) => {
                format!("the tokenizer is changed under the name {name}")
            }
            OutOfSight::Inner(name) => format!("{name}() changes the tokenizer when it is called"),
            OutOfSight::Handed { function, argument } if is_behind && sets_roles(function, argument) => {
                format!("{function}() is handed the tokenizer and changes it")
            }
            _ => return None,
        };
        Some((lines.line(statement.range().start()), what))
    });
    let mut lists = VersionLists { lines: &lines, found: Vec::new() };
    body.iter().for_each(|statement| lists.visit_stmt(statement));
    Some(Script {
        out_of_sight: hidden.collect(),
        version_lists: lists.found,
        after_loads: behind(last_load)?,
        after_changes,
        after_model: found.last_model.and_then(|at| behind(at.max(last_change))),
        indent: indentation_at(text, usize::from(first.range().start())),
        arguments: attributes.owner_of("version"),
        path: attributes.owner_of("model_name_or_path").map(|owner| format!("{owner}.model_name_or_path")),
        roles: found.roles,
        loads: found.loads,
        imports: attributes.imports,
        loaded_again: loaded_again(&function.body, &lines),
        copied: copied(statements.get(..=last_change)?, text),
    })
}

#[derive(Default)]
struct Changes {
    last_change: Option<usize>,
    last_load: Option<usize>,
    last_model: Option<usize>,
    roles: BTreeSet<String>,
    loads: Vec<LoadCall>,
}

/// The body of the one statement that holds every change, where it is a `with` or a `try`.
fn only_one_with_changes(statements: &[Stmt]) -> Option<&[Stmt]> {
    let has_changes = |statement: &&Stmt| {
        let mut changes = Vec::new();
        changes_in(statement, &mut changes);
        !changes.is_empty()
    };
    let mut with = statements.iter().filter(has_changes);
    match (with.next()?, with.next()) {
        (Stmt::With(with), None) => Some(&with.body),
        (Stmt::Try(attempt), None) => Some(&attempt.body),
        _ => None,
    }
}

/// A loading behind a statement, not in another branch of it, that gave a role a token.
fn loaded_again(body: &[Stmt], lines: &Lines) -> Option<(usize, usize)> {
    let of = |statement: &Stmt, wanted: fn(&Stmt) -> bool| {
        let mut changes = Vec::new();
        changes_in(statement, &mut changes);
        changes.into_iter().find(|change| wanted(change)).map(|change| lines.line(change.range().start()))
    };
    let gives = |statement: &Stmt| {
        let mut roles = BTreeSet::new();
        roles_of(statement, &mut roles);
        !roles.is_empty()
    };
    let mut given = None;
    for statement in body {
        if let (Some(given), Some(load)) = (given, of(statement, is_load)) {
            return Some((given, load));
        }
        given = given.or_else(|| of(statement, gives));
    }
    body.iter().flat_map(bodies).find_map(|inner| loaded_again(inner, lines))
}

fn is_load(statement: &Stmt) -> bool {
    load_call(statement, "").is_some()
}

fn load_call(statement: &Stmt, text: &str) -> Option<LoadCall> {
    let Expr::Call(call) = value_of(statement)? else { return None };
    let Expr::Attribute(method) = &*call.func else { return None };
    let is_plain = targets_of(statement).into_iter().any(Expr::is_name_expr);
    if !is_plain || method.attr.id.as_str() != "from_pretrained" {
        return None;
    }
    let positional = call.arguments.args.iter().map(|argument| source(text, argument).to_string());
    let keywords = call.arguments.keywords.iter().map(|keyword| {
        let name = keyword.arg.as_ref().map_or("**".to_string(), |name| name.id.to_string());
        (name, source(text, &keyword.value).to_string())
    });
    Some(LoadCall {
        callee: source(text, &*call.func).to_string(),
        positional: positional.collect(),
        keywords: keywords.collect(),
    })
}

/// Roles that a statement gives a token: `tokenizer.pad_token = …`, `add_special_tokens({"unk_token": …})`.
fn roles_of(statement: &Stmt, roles: &mut BTreeSet<String>) {
    let mut role = |name: &str| {
        let name = name.strip_suffix("_id").unwrap_or(name);
        if name.ends_with("_token") {
            roles.insert(name.to_string());
        }
    };
    for target in targets_of(statement) {
        if let Expr::Attribute(attribute) = target {
            role(attribute.attr.id.as_str());
        }
    }
    if let Some(Expr::Call(call)) = value_of(statement) {
        roles_in_call(call, &mut role);
    }
}

fn roles_in_call(call: &ExprCall, role: &mut dyn FnMut(&str)) {
    let arguments = call.arguments.args.iter().chain(call.arguments.keywords.iter().map(|k| &k.value));
    for argument in arguments {
        match argument {
            // setattr(tokenizer, "pad_token", …)
            Expr::StringLiteral(name) => role(name.value.to_str()),
            Expr::Dict(dict) => {
                for item in &dict.items {
                    if let Some(Expr::StringLiteral(key)) = &item.key {
                        role(key.value.to_str());
                    }
                }
            }
            Expr::Call(inner) => {
                inner
                    .arguments
                    .keywords
                    .iter()
                    .filter_map(|k| k.arg.as_ref())
                    .for_each(|name| role(name.id.as_str()));
            }
            _ => {}
        }
    }
}

/// True where a statement, or one inside it, assigns to the name.
fn makes(statement: &Stmt, name: &str) -> bool {
    struct Makes<'n>(&'n str, bool);
    impl<'a> Visitor<'a> for Makes<'_> {
        fn visit_stmt(&mut self, statement: &'a Stmt) {
            let named = |target: &Expr| target.as_name_expr().is_some_and(|n| n.id.as_str() == self.0);
            self.1 |= targets_of(statement).into_iter().any(named);
            walk_stmt(self, statement);
        }
    }
    let mut makes = Makes(name, false);
    makes.visit_stmt(statement);
    makes.1
}

/// `model.config.… = tokenizer.…` among the statements.
fn copied(statements: &[Stmt], text: &str) -> Vec<String> {
    struct Copied<'t>(&'t str, Vec<String>);
    impl<'a> Visitor<'a> for Copied<'_> {
        fn visit_stmt(&mut self, statement: &'a Stmt) {
            if let Stmt::Assign(assign) = statement
                && !changes_tokenizer(statement)
                && let Expr::Attribute(value) = &*assign.value
                && value.value.as_name_expr().is_some_and(|name| name.id.as_str() == "tokenizer")
                && assign.targets.iter().all(|target| source(self.0, target).starts_with("model."))
            {
                let copied = source(self.0, statement).to_string();
                // Lines of an earlier patch copy the same again.
                if !self.1.contains(&copied) {
                    self.1.push(copied);
                }
            }
            walk_stmt(self, statement);
        }
    }
    let mut found = Copied(text, Vec::new());
    statements.iter().for_each(|statement| found.visit_stmt(statement));
    found.1
}

/// Places that know versions by a list written out: another one is refused there.
struct VersionLists<'l> {
    lines: &'l Lines,
    found: Vec<(usize, Vec<String>)>,
}

impl VersionLists<'_> {
    fn list(&mut self, place: &impl Ranged, names: &Expr) {
        let names = strings_of(names);
        if !names.is_empty() {
            self.found.push((self.lines.line(place.range().start()), names));
        }
    }

    /// `X.version in […]` where all else ends in an exception, and `not in` anywhere.
    fn comparison(&mut self, test: &Expr, is_demanded: bool) {
        let Expr::Compare(compare) = test else { return };
        let is_version = match &*compare.left {
            Expr::Attribute(attribute) => attribute.attr.id.as_str() == "version",
            Expr::Name(name) => name.id.as_str() == "version",
            _ => false,
        };
        let demands = |operator: &CmpOp| match operator {
            CmpOp::NotIn => !is_demanded,
            CmpOp::In => is_demanded,
            _ => false,
        };
        if is_version
            && let (Some(operator), Some(names)) = (compare.ops.first(), compare.comparators.first())
            && demands(operator)
        {
            self.list(compare, names);
        }
    }
}

impl<'a> Visitor<'a> for VersionLists<'_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        let raises = |body: &[Stmt]| matches!(body, [.., Stmt::Raise(_)]);
        match statement {
            Stmt::Assert(assertion) => self.comparison(&assertion.test, true),
            Stmt::If(branch) => {
                if raises(&branch.body) {
                    self.comparison(&branch.test, false);
                }
                let last = branch.elif_else_clauses.last().filter(|clause| clause.test.is_none());
                if branch.elif_else_clauses.len() == 1 && last.is_some_and(|clause| raises(&clause.body)) {
                    self.comparison(&branch.test, true);
                }
            }
            // HfArgumentParser makes choices of it.
            Stmt::AnnAssign(field) => {
                let is_version =
                    field.target.as_name_expr().is_some_and(|name| name.id.as_str() == "version");
                if let Expr::Subscript(literal) = &*field.annotation
                    && is_version
                {
                    self.list(field, &literal.slice);
                }
            }
            _ => {}
        }
        walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        if let Expr::Call(call) = expression
            && call
                .arguments
                .args
                .iter()
                .any(|name| name.as_string_literal_expr().is_some_and(|n| n.value.to_str() == "--version"))
            && let Some(choices) = call
                .arguments
                .keywords
                .iter()
                .find(|k| k.arg.as_ref().is_some_and(|name| name.id.as_str() == "choices"))
        {
            self.list(call, &choices.value);
        }
        walk_expr(self, expression);
    }
}

/// The strings of a collection that holds nothing else.
fn strings_of(expression: &Expr) -> Vec<String> {
    let elements: &[Expr] = match expression {
        Expr::List(list) => &list.elts,
        Expr::Tuple(tuple) => &tuple.elts,
        Expr::Set(set) => &set.elts,
        one => std::slice::from_ref(one),
    };
    let text = |element: &Expr| element.as_string_literal_expr().map(|text| text.value.to_str().to_string());
    elements.iter().map(text).collect::<Option<Vec<String>>>().unwrap_or_default()
}

/// Which names an attribute is read from, and how often; and what is imported.
struct Attributes<'t> {
    text: &'t str,
    read: BTreeMap<(String, String), usize>,
    imports: Vec<(String, String)>,
}

impl Script {
    /// The loading that another one is written after: that of the class, else the last general one, else the last.
    pub fn load_of(&self, class: &str) -> Option<&LoadCall> {
        let ends = |end: &str| self.loads.iter().rev().find(|call| call.callee.ends_with(end));
        ends(&format!("{class}.from_pretrained"))
            .or_else(|| ends("AutoTokenizer.from_pretrained"))
            .or_else(|| self.loads.last())
    }
}

impl Attributes<'_> {
    /// The name it is read from most; of `torch.version` and `model_args.version` the one that has a model's path.
    fn owner_of(&self, attribute: &str) -> Option<String> {
        let has_path =
            |owner: &str| self.read.contains_key(&(owner.to_string(), "model_name_or_path".to_string()));
        let of = self.read.iter().filter(|((_, known), _)| known == attribute);
        of.max_by_key(|((owner, _), count)| (has_path(owner), **count)).map(|((owner, _), _)| owner.clone())
    }
}

impl<'a> Visitor<'a> for Attributes<'_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        if let Stmt::ImportFrom(import) = statement {
            for alias in &import.names {
                let bound = alias.asname.as_ref().unwrap_or(&alias.name).id.to_string();
                self.imports.push((bound, source(self.text, statement).to_string()));
            }
        }
        walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        if let Expr::Attribute(attribute) = expression
            && let Some(owner) = attribute.value.as_name_expr()
        {
            let key = (owner.id.to_string(), attribute.attr.id.to_string());
            *self.read.entry(key).or_default() += 1;
        }
        walk_expr(self, expression);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "import transformers\n\ndef train():\n    model = Model()\n    if 'a' in model_args.model_name_or_path:\n        \
                        tokenizer = Own.from_pretrained(p, use_fast=False)\n    elif (\n        'b' in model_args.model_name_or_path\n    ):\n        \
                        tokenizer = transformers.AutoTokenizer.from_pretrained(\n            p, padding_side=\"right\"\n        )\n    say(1)\n    \
                        if model_args.version == 'v0':\n        resize(special_tokens_dict=dict(pad_token='[PAD]'), tokenizer=tokenizer)\n    else:\n        \
                        tokenizer.unk_token = 'x'\n        model.config.pad_token_id = tokenizer.pad_token_id\n    use(tokenizer)  # here\n";

    fn read(text: &str) -> Option<Script> {
        script(text, &|function, argument| function == "fix" && argument == Argument::Position(1))
    }

    #[test]
    fn changes_of_every_form_are_seen() {
        for line in [
            "for t in TOKENS:\n        tokenizer.add_tokens(t)",
            "while ask():\n        setattr(tokenizer, 'pad_token', 'x')",
            "tokenizer.pad_token: str = 'x'",
            "tokenizer.pad_token += 'x'",
            "(tokenizer.pad_token, b) = c",
            "try:\n        go()\n    except ValueError:\n        tokenizer.pad_token = 'x'",
            "match a:\n        case 1:\n            tokenizer.pad_token = 'x'",
        ] {
            let text = format!("def train():\n    tokenizer = A.from_pretrained(p)\n    {line}\n    use()\n");
            let script = read(&text).expect("a script");
            assert!(text[script.after_changes..].starts_with("    use()"), "{line}");
            assert_eq!(script.out_of_sight, [], "{line}");
        }
    }

    #[test]
    fn changes_out_of_sight_are_named() {
        for (line, expected) in [
            ("other = tokenizer\n    other.pad_token = 'x'", Some((3, "under the name other"))),
            ("other = tokenizer\n    other(1)", None),
            ("def late():\n        tokenizer.pad_token = 'x'\n    late()", Some((3, "late()"))),
            ("fix(1, tokenizer)", Some((3, "fix()"))),
            ("say(1, tokenizer)", None),
        ] {
            let text = format!("def train():\n    tokenizer = A.from_pretrained(p)\n    {line}\n");
            let found = read(&text).expect("a script").out_of_sight;
            let is_named = |(line, what): (usize, &str)| matches!(&found[..], [(found, said)] if *found == line && said.contains(what));
            assert!(expected.map_or(found.is_empty(), is_named), "{text}: {found:?}");
        }
    }

    #[test]
    fn lists_of_versions_are_found() {
        let script_of = |line: &str| {
            let text = format!("{line}\ndef train():\n    tokenizer = A.from_pretrained(p)\n");
            read(&text).expect("a script").version_lists
        };
        for line in [
            "parser.add_argument('--version', choices=['v0', 'v1'])",
            "class Arguments:\n    version: Literal['v0', 'v1'] = 'v0'",
            "assert args.version in ('v0', 'v1')",
            "if args.version not in {'v0', 'v1'}:\n    raise ValueError()",
            "if args.version in ['v0', 'v1']:\n    go()\nelse:\n    raise ValueError()",
        ] {
            let found = script_of(line);
            assert!(matches!(&found[..], [(_, names)] if names == &["v0", "v1"]), "{line}: {found:?}");
        }
        for line in [
            "if args.version in ('v0', 'v1'):\n    go()",
            "assert args.version in TABLE",
            "x: List[str] = []",
        ] {
            assert_eq!(script_of(line), [], "{line}");
        }
    }

    #[test]
    fn places_lie_behind_whole_statements() {
        let script = read(TEXT).expect("a script");
        assert!(TEXT[script.after_loads..].starts_with("    say(1)"));
        assert!(TEXT[script.after_changes..].starts_with("    use(tokenizer)"));
        assert_eq!(script.after_model, Some(script.after_changes));
        assert_eq!(script.indent, "    ");
        assert_eq!(script.arguments.as_deref(), Some("model_args"));
        assert_eq!(script.path.as_deref(), Some("model_args.model_name_or_path"));
        assert_eq!(script.roles.iter().map(String::as_str).collect::<Vec<_>>(), ["pad_token", "unk_token"]);
        let load = script.load_of("Other").expect("a loading");
        assert_eq!(load.callee, "transformers.AutoTokenizer.from_pretrained");
        assert_eq!(load.keywords, [("padding_side".to_string(), "\"right\"".to_string())]);
        assert_eq!(script.copied, ["model.config.pad_token_id = tokenizer.pad_token_id"]);
    }

    #[test]
    fn a_loading_that_may_follow_the_tokens_is_named() {
        let text = "def train():\n    if a:\n        if b:\n            tokenizer = A.from_pretrained(p)\n            tokenizer.unk_token = 'x'\n        \
                    if c:\n            pass\n        else:\n            tokenizer = B.from_pretrained(p)\n";
        assert_eq!(read(text).expect("a script").loaded_again, Some((5, 9)));
        let sound = text.replace("        if c:", "        elif c:");
        assert_eq!(read(&sound).expect("a script").loaded_again, None);
    }

    #[test]
    fn a_script_under_one_with_is_read_inside() {
        let text = "def main():\n\twith here():\n\t\ttokenizer = A.from_pretrained(p)\n\t\ttokenizer.pad_token = 'x'\n\t\tmodel = M(tokenizer)\n";
        let script = read(text).expect("a script");
        assert!(text[script.after_changes..].starts_with("\t\tmodel = "));
        assert_eq!(script.indent, "\t\t");
        assert_eq!(script.after_model, Some(text.len()));
    }
}
