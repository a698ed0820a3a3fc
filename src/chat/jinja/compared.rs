//! What it costs to compare values, paid before they are compared.
//!
//! The engine pays for the outer items of a list that it compares. But the items of the items are visited as often as they
//! occur, so that `{% with x=[x, x] %}` sixty times makes a list whose comparison never ends, and two long texts cost
//! nothing. So what an operator compares with goes through [`FILTER`], and the filters, tests and methods that compare
//! do the same: each value or byte that the comparison may visit is charged for, and a value that is too large refused.
//! One side is enough, as a comparison visits no more than the smaller of the two.

use std::ops::Range;

use minijinja::machinery::Token;
use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Environment, Error, State, Value, filters};

use super::limits::{MAX_COMPARED, MAX_DEPTH};
use super::paid::{pay, pay_times, pay_to_print};
use super::printed;
use super::syntax;

/// Name of the filter that a side of a comparison goes through, and a key.
const FILTER: &str = "_maskscope_compared";
/// Name of the filter for what `in` searches: a dict is not walked through.
const SEARCHED: &str = "_maskscope_searched";

/// Charges for comparing the items of the value with one another.
fn pay_for_order(state: &State, value: &Value) -> Result<(), Error> {
    let len = value.len().unwrap_or(MAX_COMPARED).max(1);
    pay_times(state, value, len.ilog2() as usize + 1)
}

fn compared(state: &mut State, value: Value) -> Result<Value, Error> {
    pay(state, &value)?;
    Ok(value)
}

fn searched(state: &mut State, value: Value) -> Result<Value, Error> {
    // The engine charges for the length of a text.
    if matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable) {
        pay(state, &value)?;
    }
    Ok(value)
}

/// Installs the filters, and those of the engine that compare.
pub(super) fn install(env: &mut Environment<'static>) {
    env.add_filter(FILTER, compared);
    env.add_filter(SEARCHED, searched);
    env.add_filter("sort", |state: &mut State, value: Value, kwargs: Kwargs| {
        pay_for_order(state, &value)?;
        filters::sort(state, value, kwargs)
    });
    env.add_filter("unique", |state: &mut State, value: Value, kwargs: Kwargs| {
        pay_for_order(state, &value)?;
        filters::unique(state, value, kwargs)
    });
    env.add_filter("min", |state: &mut State, value: Value, kwargs: Kwargs| {
        pay(state, &value)?;
        filters::min(state, value, kwargs)
    });
    env.add_filter("max", |state: &mut State, value: Value, kwargs: Kwargs| {
        pay(state, &value)?;
        filters::max(state, value, kwargs)
    });
    env.add_filter(
        "groupby",
        |state: &mut State, value: Value, attribute: Option<String>, kwargs: Kwargs| {
            pay_for_order(state, &value)?;
            filters::groupby(value, attribute.as_deref(), kwargs)
        },
    );
    env.add_filter("dictsort", |state: &mut State, value: Value, kwargs: Kwargs| {
        pay_for_order(state, &value)?;
        filters::dictsort(&value, kwargs)
    });
    env.add_filter("pprint", |state: &mut State, value: Value| {
        pay_to_print(state, &value)?;
        Ok::<_, Error>(filters::pprint(&value))
    });
    for (names, compare) in TESTS {
        for name in *names {
            env.add_test(*name, move |state: &State, value: Value, other: Value| {
                pay(state, &other)?;
                Ok::<_, Error>(compare(&value, &other))
            });
        }
    }
    env.add_test("in", |state: &State, value: Value, other: Value| {
        pay(state, &value)?;
        if other.kind() != ValueKind::Map {
            pay(state, &other)?;
        }
        minijinja::tests::is_in(state, &value, &other)
    });
}

type Compare = fn(&Value, &Value) -> bool;

/// The tests that compare, by all their names.
const TESTS: &[(&[&str], Compare)] = &[
    (&["eq", "equalto", "=="], |a, b| a == b),
    (&["ne", "!="], |a, b| a != b),
    (&["lt", "lessthan", "<"], |a, b| a < b),
    (&["le", "<="], |a, b| a <= b),
    (&["gt", "greaterthan", ">"], |a, b| a > b),
    (&["ge", ">="], |a, b| a >= b),
];

/// Sends the right side of comparisons, both sides of `in`, and keys through the filters, where they are no literals.
pub(super) fn rewrite(source: String) -> String {
    let Some(tokens) = syntax::tokens(&source) else { return source };
    let mut found = Vec::new();
    for at in 0..tokens.len() {
        found.extend(Operators { tokens: &tokens }.at(at).into_iter().flatten());
    }
    syntax::through_filters(source, found)
}

/// Bytes of an expression and the filter that it goes through.
type Wrapped = (Range<usize>, &'static str);

struct Operators<'t, 's> {
    tokens: &'t [(Token<'s>, Range<usize>)],
}

impl Operators<'_, '_> {
    /// What goes through a filter because of the token here.
    fn at(&self, at: usize) -> [Option<Wrapped>; 2] {
        match self.token(at) {
            Some(token) if is_comparison(token) => [self.wrapped(self.right(at), FILTER), None],
            Some(Token::Ident("in")) if self.is_operator(at) => {
                let left = self.left(at);
                if left.as_ref().is_none_or(|left| self.is_literal(left.clone())) {
                    return [None, None];
                }
                [self.wrapped(left, FILTER), self.wrapped(self.right(at), SEARCHED)]
            }
            Some(Token::Tilde) => {
                let left = self.left(at);
                let is_first =
                    left.as_ref().is_some_and(|left| !matches!(self.before(left.start), Some(Token::Tilde)));
                let left = if is_first { self.wrapped(left, printed::FILTER) } else { None };
                [left, self.wrapped(self.right(at), printed::FILTER)]
            }
            Some(Token::BracketOpen) if syntax::ends_value(self.before(at)) => {
                let key = self.right(at);
                let is_whole = key.as_ref().is_some_and(|key| {
                    matches!(self.token(key.end), Some(Token::BracketClose)) && key.start == at + 1
                });
                [if is_whole { self.wrapped(key, FILTER) } else { None }, None]
            }
            Some(Token::BraceOpen | Token::Comma) => {
                let key = self.right(at);
                let is_key = key.as_ref().is_some_and(|key| {
                    matches!(self.token(key.end), Some(Token::Colon)) && key.start == at + 1
                });
                [if is_key { self.wrapped(key, FILTER) } else { None }, None]
            }
            _ => [None, None],
        }
    }

    fn token(&self, at: usize) -> Option<&Token<'_>> {
        self.tokens.get(at).map(|(token, _)| token)
    }

    fn before(&self, at: usize) -> Option<&Token<'_>> {
        self.token(at.checked_sub(1)?)
    }

    /// True where an `in` is neither that of a `for` nor a test or an attribute.
    fn is_operator(&self, at: usize) -> bool {
        let before = self.tokens.get(..at).unwrap_or_default();
        let tag =
            before.iter().rposition(|(token, _)| matches!(token, Token::BlockStart | Token::VariableStart));
        let tag = tag.and_then(|tag| before.get(tag + 1..)).unwrap_or_default();
        let is_loop = matches!(tag.first(), Some((Token::Ident("for"), _)))
            && !tag.iter().any(|(token, _)| matches!(token, Token::Ident("in")));
        let word = |back: usize| at.checked_sub(back).and_then(|at| self.token(at));
        let is_test = match word(1) {
            Some(Token::Ident("is") | Token::Dot) => true,
            Some(Token::Ident("not")) => matches!(word(2), Some(Token::Ident("is"))),
            _ => false,
        };
        !is_loop && !is_test
    }

    /// Tokens of the operand behind the one at `at`.
    fn right(&self, at: usize) -> Option<Range<usize>> {
        let is_text = matches!(self.token(at), Some(Token::Tilde));
        let mut depth = 0_usize;
        let start = at + 1;
        let mut end = start;
        loop {
            match self.token(end)? {
                // The parser refuses what is nested so deep.
                _ if depth > MAX_DEPTH => return None,
                Token::BracketOpen | Token::ParenOpen | Token::BraceOpen => depth += 1,
                Token::BracketClose | Token::ParenClose | Token::BraceClose if depth > 0 => depth -= 1,
                _ if depth == 0 && self.is_border(end) => break,
                token if depth == 0 && is_text && is_sum(token) => break,
                Token::BlockEnd | Token::VariableEnd => return None,
                _ => {}
            }
            end += 1;
        }
        (end > start).then_some(start..end)
    }

    /// Tokens of the operand before `in` or `not in`.
    fn left(&self, at: usize) -> Option<Range<usize>> {
        let is_text = matches!(self.token(at), Some(Token::Tilde));
        let mut depth = 0_usize;
        let end = if matches!(self.before(at), Some(Token::Ident("not"))) { at.checked_sub(1)? } else { at };
        let mut start = end;
        while let Some(next) = start.checked_sub(1) {
            match self.token(next)? {
                Token::BracketClose | Token::ParenClose | Token::BraceClose => depth += 1,
                Token::BracketOpen | Token::ParenOpen | Token::BraceOpen if depth > 0 => depth -= 1,
                // What a test gives is true or false.
                Token::Ident("is") if depth == 0 && self.is_border(next) => return None,
                Token::Ident(_) if depth == 0 && matches!(self.before(next), Some(Token::BlockStart)) => {
                    break;
                }
                _ if depth == 0 && self.is_border(next) => break,
                token if depth == 0 && is_text && is_sum(token) => break,
                _ => {}
            }
            start = next;
        }
        (end > start).then_some(start..end)
    }

    /// True where an operand of a comparison ends, outside of brackets.
    fn is_border(&self, at: usize) -> bool {
        match self.token(at) {
            Some(Token::Ident("and" | "or" | "not" | "in" | "is" | "if" | "else")) => {
                !matches!(self.before(at), Some(Token::Dot))
            }
            Some(
                Token::BracketOpen
                | Token::ParenOpen
                | Token::BraceOpen
                | Token::BracketClose
                | Token::ParenClose
                | Token::BraceClose
                | Token::Comma
                | Token::Colon
                | Token::Assign
                | Token::BlockStart
                | Token::VariableStart
                | Token::BlockEnd
                | Token::VariableEnd
                | Token::TemplateData(_),
            )
            | None => true,
            Some(token) => is_comparison(token),
        }
    }

    fn wrapped(&self, operand: Option<Range<usize>>, filter: &'static str) -> Option<Wrapped> {
        let operand = operand?;
        if self.is_literal(operand.clone()) {
            return None;
        }
        let (first, last) = (self.tokens.get(operand.start)?, self.tokens.get(operand.end.checked_sub(1)?)?);
        Some((first.1.start..last.1.end, filter))
    }

    /// True for what no variable makes large.
    fn is_literal(&self, operand: Range<usize>) -> bool {
        self.tokens.get(operand).unwrap_or_default().iter().all(|(token, _)| match token {
            Token::Ident(word) => matches!(*word, "true" | "false" | "none" | "True" | "False" | "None"),
            Token::Mul | Token::Pow => false,
            _ => true,
        })
    }
}

/// Operators of the level of `~`, or below it.
fn is_sum(token: &Token) -> bool {
    matches!(token, Token::Plus | Token::Minus | Token::Tilde)
}

fn is_comparison(token: &Token) -> bool {
    matches!(token, Token::Eq | Token::Ne | Token::Lt | Token::Lte | Token::Gt | Token::Gte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compared_with_a_variable_is_looked_at() {
        for plain in [
            "{% if message.role == 'user' %}",
            "{% if 'tool_calls' in message and not x %}",
            "{% for a in b %}{{ a.in }}{% endfor %}",
            "{% if a is in b %}{% if a is not in(b) %}",
            "{{ {'a': b, 'c': d} }}{{ a[0] }}{{ a['b'] }}{{ a[1:] }}{{ a[b:] }}{{ [a, b] }}",
            "{% if a is defined in b %}",
            "{{ a < 1 if b >= -2 else c }}",
        ] {
            assert_eq!(rewrite(plain.to_string()), plain);
        }
        let (f, s, p) = (FILTER, SEARCHED, printed::FILTER);
        for (before, after) in [
            ("{% if a == b and c %}", format!("{{% if a == (b)|{f} and c %}}")),
            ("{{ f(a != b.c[0]|d, e) }}", format!("{{{{ f(a != (b.c[0]|d)|{f}, e) }}}}")),
            ("{{ a < b <= c }}", format!("{{{{ a < (b)|{f} <= (c)|{f} }}}}")),
            ("{{ a == (b == c) }}", format!("{{{{ a == ((b == (c)|{f}))|{f} }}}}")),
            ("{% elif a.b not in c %}", format!("{{% elif (a.b)|{f} not in (c)|{s} %}}")),
            ("{% for a in b if a in c %}", format!("{{% for a in b if (a)|{f} in (c)|{s} %}}")),
            ("{{ {a: b, c.d: 1} }}", format!("{{{{ {{(a)|{f}: b, (c.d)|{f}: 1}} }}}}")),
            ("{{ a[b - 1].c }}", format!("{{{{ a[(b - 1)|{f}].c }}}}")),
            ("{{ a == b is none }}", format!("{{{{ a == (b)|{f} is none }}}}")),
            (
                "{{ a ~ '-' ~ b.c[0] + d ~ e }}",
                format!("{{{{ (a)|{p} ~ '-' ~ (b.c[0])|{p} + (d)|{p} ~ (e)|{p} }}}}"),
            ),
            ("{% set a = (b ~ c | d) %}", format!("{{% set a = ((b)|{p} ~ (c | d)|{p}) %}}")),
            ("{{ a == 'x' * 9 }}", format!("{{{{ a == ('x' * 9)|{f} }}}}")),
        ] {
            assert_eq!(rewrite(before.to_string()), after, "{before}");
        }
    }
}
