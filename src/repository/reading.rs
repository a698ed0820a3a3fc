//! What a repository has, read from its text: template registries, dispatch, label functions, constants, tokenizer lines.
//!
//! Nothing is imported or run for this.

use ruff_python_ast::{Expr, Stmt, StmtClassDef, StmtFunctionDef};
use ruff_text_size::Ranged;

use super::bounded_parse::parse;
use super::changes::changes_in;
use super::checkout::Checkout;
use super::lines::Lines;
use crate::error::Result;

/// What an [`Item`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ItemKind {
    Registry,
    Template,
    Dispatch,
    LabelFunction,
    Tokenize,
    Constant,
    TokenizerLine,
    Refused,
}

impl ItemKind {
    /// As the table calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Registry => "registry",
            Self::Template => "template",
            Self::Dispatch => "dispatch",
            Self::LabelFunction => "label function",
            Self::Tokenize => "image tokenizing",
            Self::Constant => "constant",
            Self::TokenizerLine => "tokenizer line",
            Self::Refused => "not read",
        }
    }
}

/// A place in the repository that decides about labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    pub kind: ItemKind,
    pub name: String,
    pub file: String,
    pub line: usize,
    /// The line's text, a condition, or why it was not read.
    pub detail: String,
}

/// A dictionary of conversation templates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registry {
    pub file: String,
    pub line: usize,
    /// The dictionary's name.
    pub name: String,
    /// The name that holds the template in force, where the module has one.
    pub default: Option<String>,
    pub keys: Vec<String>,
}

/// How a data set comes to its label function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DispatchKind {
    /// A function `preprocess(sources, tokenizer, …)` that asks the template in force.
    Function,
    /// A method that chooses a function by the template's name.
    Method,
    /// A class made of tokenizer and version, whose instances take messages.
    Class,
}

/// A dispatch that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispatch {
    pub kind: DispatchKind,
    pub file: String,
    pub line: usize,
    /// `name`, or `Class.name`.
    pub name: String,
}

/// A module-level function, with what a caller must know of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    pub file: String,
    pub line: usize,
    pub name: String,
    pub parameters: Vec<String>,
    /// It speaks of placeholders of videos.
    pub takes_videos: bool,
}

/// An import: the module (dots for relative ones in front) and the name that it binds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    pub file: String,
    pub module: String,
    pub bound: String,
}

/// All that was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    pub items: Vec<Item>,
    pub registries: Vec<Registry>,
    pub dispatches: Vec<Dispatch>,
    pub functions: Vec<Function>,
    pub imports: Vec<Import>,
    /// Keys under which classes register themselves (`@register_template("phi")`).
    pub registered: Vec<(String, String)>,
}

/// Words of which a file has at least one where it is worth reading.
const WORDS: [&str; 7] = [
    "def preprocess",
    "preprocess_function",
    "conv_templates",
    "register_",
    "TextPreprocess",
    "def tokenizer_image_token",
    "IGNORE_INDEX =",
];
/// Constants that label functions use.
const CONSTANTS: [&str; 14] = [
    "IGNORE_INDEX",
    "IGNORE_TOKEN_ID",
    "IMAGE_TOKEN_INDEX",
    "DEFAULT_IMAGE_TOKEN",
    "DEFAULT_IM_START_TOKEN",
    "DEFAULT_IM_END_TOKEN",
    "DEFAULT_VIDEO_TOKEN",
    "IMG_CONTEXT_TOKEN",
    "IMG_START_TOKEN",
    "IMG_END_TOKEN",
    "MAX_IMAGE_LENGTH",
    "MAX_VIDEO_LENGTH",
    "BEGIN_SIGNAL",
    "END_SIGNAL",
];

/// Reads the files of a checkout.
///
/// # Errors
/// A file cannot be read; one that is no Python is an item of kind [`ItemKind::Refused`].
pub fn read(checkout: &Checkout) -> Result<Reading> {
    let mut reading = Reading::default();
    for file in checkout.files() {
        let text = match checkout.read(file) {
            Ok(text) => text,
            Err(error) => {
                reading.item(ItemKind::Refused, file, file, 0, error.to_string());
                continue;
            }
        };
        if !WORDS.iter().any(|word| text.contains(word)) {
            continue;
        }
        match parse(&text, file) {
            Ok(body) => {
                File { reading: &mut reading, file, text: &text, lines: Lines::new(&text) }.body(&body);
            }
            Err(message) => reading.item(ItemKind::Refused, file, file, 0, message),
        }
    }
    reading.items.sort_by(|a, b| (a.kind, &a.file, a.line).cmp(&(b.kind, &b.file, b.line)));
    Ok(reading)
}

impl Reading {
    fn item(&mut self, kind: ItemKind, name: &str, file: &str, line: usize, detail: impl Into<String>) {
        self.items.push(Item { kind, name: name.into(), file: file.into(), line, detail: detail.into() });
    }

    /// The module-level function of a file.
    pub fn function(&self, file: &str, name: &str) -> Option<&Function> {
        self.functions.iter().find(|f| f.file == file && f.name == name)
    }
}

struct File<'a> {
    reading: &'a mut Reading,
    file: &'a str,
    text: &'a str,
    lines: Lines,
}

impl File<'_> {
    fn line(&self, node: &impl Ranged) -> usize {
        self.lines.line(node.range().start())
    }

    /// The first line of a node's text.
    fn source(&self, node: &impl Ranged) -> String {
        let range = node.range();
        let text = self.text.get(usize::from(range.start())..usize::from(range.end())).unwrap_or_default();
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default().trim_end();
        if lines.next().is_some() { format!("{first} …") } else { first.to_string() }
    }

    fn body(&mut self, body: &[Stmt]) {
        let default = body.iter().find_map(|statement| {
            let Stmt::Assign(assign) = statement else { return None };
            let name = assign.targets.first()?.as_name_expr()?.id.as_str();
            name.starts_with("default_conv").then(|| name.to_string())
        });
        for statement in body {
            match statement {
                Stmt::Assign(assign) => {
                    for target in &assign.targets {
                        self.assigned(target, Some(&assign.value), statement, default.as_deref());
                    }
                }
                Stmt::AnnAssign(assign) => {
                    self.assigned(&assign.target, assign.value.as_deref(), statement, default.as_deref());
                }
                Stmt::Expr(expression) => self.registered_by_call(&expression.value),
                Stmt::FunctionDef(function) => self.function(function),
                Stmt::ClassDef(class) => self.class(class),
                Stmt::Import(import) => {
                    for alias in &import.names {
                        let module = alias.name.id.to_string();
                        let bound = alias.asname.as_ref().map_or(module.clone(), |name| name.id.to_string());
                        self.import(module, bound);
                    }
                }
                Stmt::ImportFrom(import) => {
                    let dots = ".".repeat(usize::try_from(import.level).unwrap_or_default());
                    let from = import.module.as_ref().map_or("", |name| name.id.as_str());
                    for alias in &import.names {
                        let bound = alias.asname.as_ref().unwrap_or(&alias.name).id.to_string();
                        let joint = if from.is_empty() { "" } else { "." };
                        self.import(format!("{dots}{from}{joint}{}", alias.name.id), bound.clone());
                        self.import(format!("{dots}{from}"), bound);
                    }
                }
                _ => {}
            }
        }
    }

    fn import(&mut self, module: String, bound: String) {
        self.reading.imports.push(Import { file: self.file.to_string(), module, bound });
    }

    fn assigned(&mut self, target: &Expr, value: Option<&Expr>, statement: &Stmt, default: Option<&str>) {
        let line = self.line(statement);
        match (target, value) {
            (Expr::Name(name), Some(value)) => {
                let name = name.id.as_str();
                if CONSTANTS.contains(&name) {
                    self.reading.item(ItemKind::Constant, name, self.file, line, self.source(statement));
                }
                if let Expr::Dict(dict) = value
                    && name.to_lowercase().contains("template")
                    && (default.is_some() || self.text.contains("def get_prompt") || dict.items.is_empty())
                {
                    let keys: Vec<(String, usize)> = dict
                        .items
                        .iter()
                        .filter_map(|item| {
                            Some((literal(item.key.as_ref()?)?, self.line(item.key.as_ref()?)))
                        })
                        .collect();
                    self.reading.item(
                        ItemKind::Registry,
                        name,
                        self.file,
                        line,
                        format!("{} keys", keys.len()),
                    );
                    for (key, line) in &keys {
                        self.reading.item(ItemKind::Template, key, self.file, *line, "");
                    }
                    self.reading.registries.push(Registry {
                        file: self.file.to_string(),
                        line,
                        name: name.to_string(),
                        default: default.map(String::from),
                        keys: keys.into_iter().map(|(key, _)| key).collect(),
                    });
                }
            }
            (Expr::Subscript(subscript), Some(_)) => {
                if let (Expr::Name(name), Some(key)) = (&*subscript.value, literal(&subscript.slice)) {
                    self.key(name.id.as_str(), key, line);
                }
            }
            _ => {}
        }
    }

    /// A key that is put into a registry of this file later on.
    fn key(&mut self, registry: &str, key: String, line: usize) {
        let file = self.file;
        let Some(found) = self.reading.registries.iter_mut().find(|r| r.file == file && r.name == registry)
        else {
            return;
        };
        found.keys.push(key.clone());
        self.reading.item(ItemKind::Template, &key, self.file, line, "");
    }

    /// `register_conv_template(Conversation(name="…", …))`
    fn registered_by_call(&mut self, expression: &Expr) {
        let Expr::Call(call) = expression else { return };
        let Expr::Name(function) = &*call.func else { return };
        if !function.id.as_str().starts_with("register") {
            return;
        }
        let key = call.arguments.args.iter().find_map(|argument| match argument {
            Expr::Call(inner) => inner.arguments.keywords.iter().find_map(|keyword| {
                let is_name = keyword.arg.as_ref().is_some_and(|name| name.id.as_str() == "name");
                if is_name { literal(&keyword.value) } else { None }
            }),
            other => literal(other),
        });
        let file = self.file;
        let registry = self.reading.registries.iter().find(|r| r.file == file).map(|r| r.name.clone());
        if let (Some(key), Some(registry)) = (key, registry) {
            self.key(&registry, key, self.line(expression));
        }
    }

    fn function(&mut self, function: &StmtFunctionDef) {
        let name = function.name.id.as_str();
        let parameters = parameters(function);
        let line = self.line(&function.name);
        let is_label = name.starts_with("preprocess") && name != "preprocess_multimodal";
        if name.starts_with("tokenizer_image") || name == "_tokenize_fn" {
            self.reading.item(ItemKind::Tokenize, name, self.file, line, "");
        }
        if is_label && parameters.iter().any(|p| p == "tokenizer") {
            self.reading.item(ItemKind::LabelFunction, name, self.file, line, parameters.join(", "));
        }
        let by_name = parameters.iter().any(|p| p == "template_name" || p == "conv_name");
        if name == "preprocess" && parameters.iter().any(|p| p == "sources") && !by_name {
            self.dispatch(DispatchKind::Function, name.to_string(), line, &function.body);
        }
        if name == "train" || name == "main" {
            self.tokenizer_lines(&function.body);
        }
        self.reading.functions.push(Function {
            file: self.file.to_string(),
            line,
            name: name.to_string(),
            parameters,
            takes_videos: self.speaks_of_videos(function),
        });
    }

    fn speaks_of_videos(&self, function: &StmtFunctionDef) -> bool {
        let range = function.range();
        let text = self.text.get(usize::from(range.start())..usize::from(range.end())).unwrap_or_default();
        text.contains("VIDEO_TOKEN") || text.contains("<video>")
    }

    fn class(&mut self, class: &StmtClassDef) {
        let name = class.name.id.as_str();
        for decorator in &class.decorator_list {
            if let Expr::Call(call) = &decorator.expression
                && let Expr::Name(function) = &*call.func
                && function.id.as_str().starts_with("register")
                && let Some(key) = call.arguments.args.first().and_then(literal)
            {
                let line = self.line(&class.name);
                self.reading.item(ItemKind::Template, &key, self.file, line, format!("class {name}"));
                self.reading.registered.push((key, self.file.to_string()));
            }
        }
        for statement in &class.body {
            let Stmt::FunctionDef(method) = statement else { continue };
            let method_name = method.name.id.as_str();
            let line = self.line(&method.name);
            let full = format!("{name}.{method_name}");
            if method_name.ends_with("preprocess_function") {
                self.dispatch(DispatchKind::Method, full, line, &method.body);
            } else if name == "TextPreprocess" && method_name == "__call__" {
                self.dispatch(DispatchKind::Class, name.to_string(), line, &method.body);
            } else if matches!(method_name, "make_labels" | "_make_masks") {
                self.reading.item(
                    ItemKind::LabelFunction,
                    &full,
                    self.file,
                    line,
                    parameters(method).join(", "),
                );
            } else if method_name.starts_with("tokenizer_image") {
                self.reading.item(ItemKind::Tokenize, &full, self.file, line, "");
            }
        }
    }

    /// A dispatch, and an item for each function that it may take, with the condition.
    fn dispatch(&mut self, kind: DispatchKind, name: String, line: usize, body: &[Stmt]) {
        self.reading.item(ItemKind::Dispatch, &name, self.file, line, "");
        for statement in body {
            self.branch(statement);
        }
        self.reading.dispatches.push(Dispatch { kind, file: self.file.to_string(), line, name });
    }

    fn branch(&mut self, statement: &Stmt) {
        let Stmt::If(branch) = statement else { return };
        let tests = std::iter::once((Some(&*branch.test), &branch.body));
        let others = branch.elif_else_clauses.iter().map(|clause| (clause.test.as_ref(), &clause.body));
        for (test, body) in tests.chain(others) {
            for inner in body {
                let value = match inner {
                    Stmt::Return(inner) => inner.value.as_deref(),
                    Stmt::Assign(inner) => Some(&*inner.value),
                    Stmt::If(_) => {
                        self.branch(inner);
                        None
                    }
                    _ => None,
                };
                let function = value.and_then(|value| match value {
                    Expr::Call(call) => call.func.as_name_expr(),
                    Expr::Name(name) => Some(name),
                    _ => None,
                });
                if let Some(function) = function
                    && function.id.as_str().starts_with("preprocess")
                {
                    let condition = test.map_or("else".to_string(), |test| self.source(test));
                    let line = self.line(inner);
                    self.reading.item(ItemKind::Dispatch, function.id.as_str(), self.file, line, condition);
                }
            }
        }
    }

    /// Statements that make or change `tokenizer`.
    fn tokenizer_lines(&mut self, body: &[Stmt]) {
        let mut found = Vec::new();
        for statement in body {
            changes_in(statement, &mut found);
        }
        for statement in found {
            let line = self.line(statement);
            self.reading.item(ItemKind::TokenizerLine, "tokenizer", self.file, line, self.source(statement));
        }
    }
}

fn parameters(function: &StmtFunctionDef) -> Vec<String> {
    let all = &function.parameters;
    let named = all.posonlyargs.iter().chain(&all.args).chain(&all.kwonlyargs);
    named.map(|p| p.parameter.name.id.to_string()).collect()
}

fn literal(expression: &Expr) -> Option<String> {
    expression.as_string_literal_expr().map(|text| text.value.to_str().to_string())
}
