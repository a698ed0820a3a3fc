//! Values that a template builds and keeps: `{% set x = [x, x] %}` sixty times is a list of 2⁶⁰ items, and a million times
//! `{% set ns.x = [ns.x] %}` one that no stack is deep enough to free. So what a namespace keeps, and a `set` whose
//! expression writes a list, a dict or a tuple, or adds or multiplies, goes through [`FILTER`], which refuses what is too
//! large or too deep before it is kept. Sums of lists, slices and the like are lazy in the engine, so they nest too.
//!
//! The engine pays for the items of a list when it is made, but comparing two visits the items of their items as often as
//! they occur.

use std::ops::Range;

use minijinja::machinery::Token;
use minijinja::value::ValueKind;
use minijinja::{Error, State, Value};

use super::limits::{MAX_DEPTH, MAX_ITEMS, TooLarge, charge};
use super::syntax;

/// Name of the filter that the expressions go through.
pub(super) const FILTER: &str = "_maskscope_stored";

/// The filter: the value itself, unless it is too large or too deep.
pub(super) fn stored(state: &mut State, value: Value) -> Result<Value, Error> {
    let mut left = MAX_ITEMS;
    visit(&value, 0, &mut left)?;
    charge(state, MAX_ITEMS - left)?;
    Ok(value)
}

fn visit(value: &Value, depth: usize, left: &mut usize) -> Result<(), TooLarge> {
    *left = left.checked_sub(1).ok_or(TooLarge)?;
    let is_map = value.kind() == ValueKind::Map;
    // A generator has no length, and looking at it would use it up.
    let holds_values =
        is_map || (matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable) && value.len().is_some());
    if !holds_values {
        return Ok(());
    }
    if depth > MAX_DEPTH {
        return Err(TooLarge);
    }
    for item in value.try_iter().into_iter().flatten() {
        match is_map {
            true => visit(&value.get_item(&item).unwrap_or_default(), depth + 1, left)?,
            false => visit(&item, depth + 1, left)?,
        }
    }
    Ok(())
}

/// Sends the expressions of `set` tags that build a value through [`FILTER`].
pub(super) fn rewrite(source: String) -> String {
    syntax::through_filter(source, expressions, FILTER)
}

/// Byte ranges of what `set` tags keep, where it is built there.
fn expressions(tokens: &[(Token, Range<usize>)]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut rest = tokens;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let tag =
            matches!(first.0, Token::BlockStart) && matches!(after.first(), Some((Token::Ident("set"), _)));
        if !tag {
            continue;
        }
        let end = after.iter().position(|(token, _)| matches!(token, Token::BlockEnd)).unwrap_or(after.len());
        let tag = after.get(..end).unwrap_or_default();
        let assign = tag.iter().position(|(token, _)| matches!(token, Token::Assign));
        let expression = assign.and_then(|at| tag.get(at + 1..)).unwrap_or_default();
        // Only a namespace carries a value from one round of a loop into the next.
        let is_kept = tag.iter().take(assign.unwrap_or(0)).any(|(token, _)| matches!(token, Token::Dot));
        let is_built = expression.len() > 1 && (is_kept || builds_value(expression));
        if let (Some((_, first)), Some((_, last)), true) = (expression.first(), expression.last(), is_built) {
            found.push(first.start..last.end);
        }
    }
    found
}

/// True where a list, dict or tuple is written: a bracket that does not follow a value.
fn builds_value(expression: &[(Token, Range<usize>)]) -> bool {
    const WORDS: [&str; 7] = ["and", "or", "not", "in", "is", "if", "else"];
    let mut before: Option<&Token> = None;
    let mut depth = 0_usize;
    for (token, _) in expression {
        let follows_value = match before {
            Some(Token::Ident(word)) => !WORDS.contains(word),
            Some(
                Token::Str(_)
                | Token::String(_)
                | Token::BracketClose
                | Token::ParenClose
                | Token::BraceClose,
            ) => true,
            _ => false,
        };
        match token {
            Token::BraceOpen | Token::Plus | Token::Mul => return true,
            Token::BracketOpen if !follows_value => return true,
            // `x, y` is a tuple, and so is `(x, y)`: any comma that is not between arguments.
            Token::ParenOpen if follows_value => depth += 1,
            Token::ParenClose => depth = depth.saturating_sub(1),
            Token::Comma if depth == 0 => return true,
            _ => {}
        }
        before = Some(token);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_builds_a_value_is_looked_at() {
        for plain in [
            "{% set x = messages[0].content %}",
            "{% set x = f(a, b)[1:] %}",
            "{% set x = 'a' ~ b %}",
            "{% set x %}[1]{% endset %}",
            "{{ [1, 2] }}",
            "{% set x = y if a[0] else z %}",
            "{% set ns.x = true %}",
            "{% set x = messages[1:] %}",
        ] {
            assert_eq!(rewrite(plain.to_string()), plain);
        }
        for built in [
            "[a]", "x + [a]", "{'a': b}", "(a, b)", "a, b", "f([a])", "not [a]", "x + x", "x * 2", "ns.x[1:]",
        ] {
            let expected = format!("{{% set ns.x = ({built})|{FILTER} %}}");
            assert_eq!(rewrite(format!("{{% set ns.x = {built} %}}")), expected);
        }
    }
}
