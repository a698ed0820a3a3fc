//! Which statements of a training script make or change its tokenizer, and which may do so out of sight.

use ruff_python_ast::visitor::{Visitor, walk_stmt};
use ruff_python_ast::{Expr, ExprCall, Stmt, StmtFunctionDef};

use super::bounded_parse::parse;
use super::checkout::Checkout;
use super::names::names_in;

/// The name that scripts give it.
const TOKENIZER: &str = "tokenizer";

/// The simple statements within one that make or change `tokenizer`. A function or a class inside runs when it is called, so
/// its statements are none of them.
pub fn changes_in<'a>(statement: &'a Stmt, found: &mut Vec<&'a Stmt>) {
    struct Simple<'a, 'b>(&'b mut Vec<&'a Stmt>);
    impl<'a> Visitor<'a> for Simple<'a, '_> {
        fn visit_stmt(&mut self, statement: &'a Stmt) {
            if changes_tokenizer(statement) {
                self.0.push(statement);
            } else if !matches!(statement, Stmt::FunctionDef(_) | Stmt::ClassDef(_)) {
                walk_stmt(self, statement);
            }
        }
    }
    Simple(found).visit_stmt(statement);
}

/// True for `tokenizer = …`, `tokenizer.x = …` with or without an annotation or an operator, `setattr(tokenizer, …)`,
/// `tokenizer.add…(…)` and calls that resize for new tokens.
pub fn changes_tokenizer(statement: &Stmt) -> bool {
    changes_name(statement, TOKENIZER)
}

fn changes_name(statement: &Stmt, name: &str) -> bool {
    match statement {
        Stmt::Assign(assign) => {
            assign.targets.iter().any(|target| is_target(target, name))
                || is_changing_call(&assign.value, name)
        }
        Stmt::AnnAssign(assign) => assign.value.is_some() && is_target(&assign.target, name),
        Stmt::AugAssign(assign) => is_target(&assign.target, name),
        Stmt::Expr(expression) => is_changing_call(&expression.value, name),
        _ => false,
    }
}

/// The value that a change reads.
pub fn value_of(statement: &Stmt) -> Option<&Expr> {
    match statement {
        Stmt::Assign(assign) => Some(&assign.value),
        Stmt::AnnAssign(assign) => assign.value.as_deref(),
        Stmt::AugAssign(assign) => Some(&assign.value),
        Stmt::Expr(expression) => Some(&expression.value),
        _ => None,
    }
}

/// What a statement assigns to.
pub fn targets_of(statement: &Stmt) -> Vec<&Expr> {
    match statement {
        Stmt::Assign(assign) => assign.targets.iter().collect(),
        Stmt::AnnAssign(assign) => vec![&*assign.target],
        Stmt::AugAssign(assign) => vec![&*assign.target],
        _ => Vec::new(),
    }
}

/// True where a statement, or one inside it, changes what has this name.
pub fn is_changed_as(statement: &Stmt, name: &str) -> bool {
    struct Search<'n>(&'n str, bool);
    impl<'a> Visitor<'a> for Search<'_> {
        fn visit_stmt(&mut self, statement: &'a Stmt) {
            // Giving the name to something is no change of the tokenizer.
            let binds = targets_of(statement).into_iter().any(|target| is_name(target, self.0));
            self.1 |= changes_name(statement, self.0) && !binds;
            walk_stmt(self, statement);
        }
    }
    let mut search = Search(name, false);
    search.visit_stmt(statement);
    search.1
}

fn is_target(target: &Expr, name: &str) -> bool {
    match target {
        Expr::Attribute(attribute) => is_name(&attribute.value, name),
        Expr::Tuple(tuple) => tuple.elts.iter().any(|target| is_target(target, name)),
        Expr::List(list) => list.elts.iter().any(|target| is_target(target, name)),
        other => is_name(other, name),
    }
}

fn is_name(expression: &Expr, name: &str) -> bool {
    expression.as_name_expr().is_some_and(|found| found.id.as_str() == name)
}

fn is_changing_call(call: &Expr, name: &str) -> bool {
    let Expr::Call(call) = call else { return false };
    match &*call.func {
        Expr::Attribute(method) => is_name(&method.value, name) && method.attr.id.as_str().starts_with("add"),
        Expr::Name(function) if function.id.as_str() == "setattr" => {
            call.arguments.args.first().is_some_and(|first| is_name(first, name))
        }
        Expr::Name(function) => {
            let takes = call.arguments.keywords.iter().any(|keyword| is_name(&keyword.value, name));
            takes && function.id.as_str().contains("resize")
        }
        _ => false,
    }
}

/// The bodies of a compound statement that run where they stand.
pub fn bodies(statement: &Stmt) -> Vec<&[Stmt]> {
    match statement {
        Stmt::If(branch) => {
            let others = branch.elif_else_clauses.iter().map(|clause| clause.body.as_slice());
            std::iter::once(branch.body.as_slice()).chain(others).collect()
        }
        Stmt::With(with) => vec![&with.body],
        Stmt::For(repeated) => vec![&repeated.body, &repeated.orelse],
        Stmt::While(repeated) => vec![&repeated.body, &repeated.orelse],
        Stmt::Match(choice) => choice.cases.iter().map(|case| case.body.as_slice()).collect(),
        Stmt::Try(attempt) => {
            let handlers = attempt.handlers.iter().map(|handler| match handler {
                ruff_python_ast::ExceptHandler::ExceptHandler(handler) => handler.body.as_slice(),
            });
            let before = std::iter::once(attempt.body.as_slice());
            before.chain(handlers).chain([attempt.orelse.as_slice(), &attempt.finalbody]).collect()
        }
        _ => Vec::new(),
    }
}

/// Names that the head of a compound statement reads.
pub fn names_in_head(statement: &Stmt) -> Vec<String> {
    match statement {
        Stmt::If(branch) => {
            let others = branch.elif_else_clauses.iter().filter_map(|clause| clause.test.as_ref());
            std::iter::once(&*branch.test).chain(others).flat_map(names_in).collect()
        }
        Stmt::For(repeated) => names_in(&repeated.iter),
        Stmt::While(repeated) => names_in(&repeated.test),
        Stmt::Match(choice) => names_in(&choice.subject),
        Stmt::With(with) => with.items.iter().flat_map(|item| names_in(&item.context_expr)).collect(),
        _ => Vec::new(),
    }
}

/// How a statement may change the tokenizer without a line that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutOfSight<'a> {
    /// `other = tokenizer`.
    OtherName(&'a str),
    /// `f(…, tokenizer, …)`: the function, and where the tokenizer is among its arguments.
    Handed { function: &'a str, argument: Argument<'a> },
    /// A function inside the script changes it.
    Inner(&'a str),
}

/// An argument of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Argument<'a> {
    Position(usize),
    Keyword(&'a str),
}

/// All such places within a statement.
pub fn out_of_sight<'a>(statement: &'a Stmt) -> Vec<(&'a Stmt, OutOfSight<'a>)> {
    struct Search<'a>(Vec<(&'a Stmt, OutOfSight<'a>)>);
    impl<'a> Visitor<'a> for Search<'a> {
        fn visit_stmt(&mut self, statement: &'a Stmt) {
            match statement {
                Stmt::FunctionDef(function) => {
                    let mut changes = Vec::new();
                    function.body.iter().for_each(|inner| changes_in(inner, &mut changes));
                    if !changes.is_empty() {
                        self.0.push((statement, OutOfSight::Inner(function.name.id.as_str())));
                    }
                }
                Stmt::ClassDef(_) => {}
                _ if changes_tokenizer(statement) => {}
                _ => {
                    self.0.extend(of_simple(statement).map(|found| (statement, found)));
                    walk_stmt(self, statement);
                }
            }
        }
    }
    let mut search = Search(Vec::new());
    search.visit_stmt(statement);
    search.0
}

fn of_simple(statement: &Stmt) -> Option<OutOfSight<'_>> {
    if let Stmt::Assign(assign) = statement
        && is_name(&assign.value, TOKENIZER)
        && let Some(other) = assign.targets.iter().find_map(Expr::as_name_expr)
    {
        return Some(OutOfSight::OtherName(other.id.as_str()));
    }
    let Expr::Call(call) = value_of(statement)? else { return None };
    let function = call.func.as_name_expr()?.id.as_str();
    Some(OutOfSight::Handed { function, argument: argument_of(call)? })
}

fn argument_of(call: &ExprCall) -> Option<Argument<'_>> {
    let position = call.arguments.args.iter().position(|argument| is_name(argument, TOKENIZER));
    let keyword = || {
        let keyword = call.arguments.keywords.iter().find(|keyword| is_name(&keyword.value, TOKENIZER))?;
        Some(Argument::Keyword(keyword.arg.as_ref()?.id.as_str()))
    };
    position.map(Argument::Position).or_else(keyword)
}

/// True where a function of that name, in any file, gives roles to what it is handed there.
pub fn function_sets_roles(checkout: &Checkout, name: &str, argument: Argument<'_>) -> bool {
    let head = format!("def {name}(");
    let texts = checkout.files().iter().filter_map(|file| checkout.read(file).ok());
    texts.filter(|text| text.contains(&head)).filter_map(|text| parse(&text, "functions").ok()).any(|body| {
        body.iter().any(|statement| match statement {
            Stmt::FunctionDef(function) => {
                function.name.id.as_str() == name && sets_roles_of(function, argument)
            }
            _ => false,
        })
    })
}

/// True where a function changes what it is given there in a way that lines before its call cannot outlast: a role, or all of it.
fn sets_roles_of(function: &StmtFunctionDef, argument: Argument<'_>) -> bool {
    let parameters = &function.parameters;
    let mut named = parameters.posonlyargs.iter().chain(&parameters.args).chain(&parameters.kwonlyargs);
    let parameter = match argument {
        Argument::Position(at) => named.nth(at),
        Argument::Keyword(name) => named.find(|parameter| parameter.parameter.name.id.as_str() == name),
    };
    let Some(name) = parameter.map(|parameter| parameter.parameter.name.id.as_str()) else { return false };
    struct Search<'n>(&'n str, bool);
    impl<'a> Visitor<'a> for Search<'_> {
        fn visit_stmt(&mut self, statement: &'a Stmt) {
            let adds_only_tokens = value_of(statement).and_then(Expr::as_call_expr).is_some_and(|call| {
                call.func.as_attribute_expr().is_some_and(|method| method.attr.id.as_str() == "add_tokens")
            });
            self.1 |= changes_name(statement, self.0) && !adds_only_tokens;
            walk_stmt(self, statement);
        }
    }
    let mut search = Search(name, false);
    function.body.iter().for_each(|statement| search.visit_stmt(statement));
    search.1
}
