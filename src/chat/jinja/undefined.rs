//! Python's words for an undefined value: "'str object' has no attribute 'text'".
//!
//! The engine knows where an undefined value was made, not on what kind of value. So when a rendering has
//! failed on one, the source is rewritten once more, `base.name` and `base[key]` into a method call that sees
//! the base, and rendered again: the last lookup that found nothing is the one that failed. Rendering is
//! deterministic, so the second one ends at the same place. This runs on the error path only.

use std::sync::{Arc, Mutex};

use minijinja::machinery::Token;
use minijinja::{Error, State, Value};

use super::error::PythonException;
use super::{methods, python, syntax};

/// Name of the method that stands for a lookup.
const LOOKUP: &str = "_maskscope_lookup";

/// What the last failing lookup would be called in Python.
#[derive(Debug, Clone, Default)]
pub(super) struct LastMiss(Arc<Mutex<Option<String>>>);

impl LastMiss {
    fn set(&self, message: String) {
        if let Ok(mut last) = self.0.lock() {
            *last = Some(message);
        }
    }

    /// The exception for the failed lookup. `variable` is the engine's name of an undefined variable.
    pub fn exception(&self, variable: Option<&str>) -> Option<PythonException> {
        let message = match variable {
            Some(name) => format!("'{name}' is undefined"),
            None => self.0.lock().ok()?.clone()?,
        };
        Some(PythonException::new("UndefinedError", message))
    }

    /// The method callback that performs and watches lookups.
    pub fn callback(&self) -> impl Fn(&mut State, &Value, &str, &[Value]) -> Result<Value, Error> + use<> {
        let last = self.clone();
        move |state, value, method, args| match (method, args) {
            (LOOKUP, [key]) => {
                // On an undefined value the engine's error names the variable, if it was one.
                let found = value.get_item(key)?;
                if found.is_undefined() {
                    last.set(miss(value, key));
                }
                Ok(found)
            }
            _ => methods::call(state, value, method, args),
        }
    }
}

/// jinja2's sentence for `value[key]` that is not there.
fn miss(value: &Value, key: &Value) -> String {
    match key.as_str() {
        Some(name) => python::no_attribute(value, name),
        None => {
            format!("{} has no element {}", python::object_name(value), python::str(key).unwrap_or_default())
        }
    }
}

/// Rewrites lookups into calls of [`LOOKUP`]; `None` when the source does not tokenise.
pub(super) fn rewrite(source: &str) -> Option<String> {
    let tokens = syntax::tokens(source)?;
    let mut out = String::with_capacity(source.len() * 2);
    let mut copied = 0;
    let mut brackets: Vec<bool> = Vec::new();
    let mut target = false;
    for (index, (token, span)) in tokens.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|i| tokens.get(i)).map(|(token, _)| token);
        let after = tokens.get(index + 1).map(|(token, _)| token);
        let replacement = match token {
            Token::Ident("set") if matches!(before, Some(Token::BlockStart)) => {
                target = true;
                None
            }
            Token::Assign | Token::BlockEnd => {
                target = false;
                None
            }
            Token::Ident(name) if matches!(before, Some(Token::Dot)) && !target => {
                let called = matches!(after, Some(Token::ParenOpen));
                (!called).then(|| format!("{LOOKUP}('{name}')"))
            }
            Token::BracketOpen => {
                let lookup = before.is_some_and(ends_value) && !is_slice(&tokens, index);
                brackets.push(lookup);
                lookup.then(|| format!(".{LOOKUP}("))
            }
            Token::BracketClose => brackets.pop().unwrap_or(false).then(|| ")".to_string()),
            _ => None,
        };
        if let Some(text) = replacement {
            out.push_str(source.get(copied..span.start)?);
            out.push_str(&text);
            copied = span.end;
        }
    }
    out.push_str(source.get(copied..)?);
    Some(out)
}

/// True when a `[` behind the token is a lookup and not a list.
fn ends_value(token: &Token) -> bool {
    match token {
        Token::Ident(name) => {
            !matches!(*name, "in" | "not" | "and" | "or" | "if" | "elif" | "else" | "is" | "for")
        }
        Token::Str(_) | Token::String(_) | Token::BracketClose | Token::ParenClose => true,
        _ => false,
    }
}

/// True when the bracket at `open` has a `:` of its own.
fn is_slice(tokens: &[(Token, std::ops::Range<usize>)], open: usize) -> bool {
    let mut depth = 0;
    for (token, _) in tokens.iter().skip(open) {
        match token {
            Token::BracketOpen | Token::ParenOpen | Token::BraceOpen => depth += 1,
            Token::BracketClose | Token::ParenClose | Token::BraceClose => depth -= 1,
            Token::Colon if depth == 1 => return true,
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lookups_become_calls() {
        let source = "{% set ns.a = m['b'][0].c %}{{ m.d() + [1][x] + m[1:] }}{{ 'a.b' }}";
        let expected = "{% set ns.a = m._maskscope_lookup('b')._maskscope_lookup(0)._maskscope_lookup('c') %}\
                        {{ m.d() + [1]._maskscope_lookup(x) + m[1:] }}{{ 'a.b' }}";
        assert_eq!(rewrite(source).unwrap(), expected);
    }
}
