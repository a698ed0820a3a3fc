//! `for` over something that Python cannot iterate: jinja2 raises for `None` and numbers, minijinja takes
//! them for empty lists. So every `for x in EXPR` becomes `for x in (EXPR)|FILTER`, and the filter raises.

use std::ops::Range;

use minijinja::machinery::Token;
use minijinja::value::ValueKind;
use minijinja::{Error, State, Value};

use super::error::raise;
use super::tracker::{Tracker, VARIABLE};
use super::{python, syntax};

/// Name of the filter that the expressions go through.
pub(super) const FILTER: &str = "_maskscope_iterable";

/// The filter: the value itself, watched where it is the messages, or Python's exception.
pub(super) fn iterable(state: &mut State, value: Value) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::None | ValueKind::Bool | ValueKind::Number => {
            let kind = python::type_name(&value);
            Err(raise("TypeError", format!("'{kind}' object is not iterable")))
        }
        _ => match state.lookup(VARIABLE).and_then(|tracker| tracker.downcast_object::<Tracker>()) {
            Some(tracker) => Ok(tracker.watched(value)),
            None => Ok(value),
        },
    }
}

/// Sends the expressions of all `for` tags through [`FILTER`].
pub(super) fn rewrite(source: String) -> String {
    syntax::through_filter(source, expressions, FILTER)
}

/// Byte ranges of what `for` tags iterate over.
fn expressions(tokens: &[(Token, Range<usize>)]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut rest = tokens.iter();
    while let Some((token, _)) = rest.next() {
        let tag = matches!(token, Token::BlockStart)
            && matches!(rest.clone().next(), Some((Token::Ident("for"), _)));
        if !tag || !rest.any(|(token, _)| matches!(token, Token::Ident("in") | Token::BlockEnd)) {
            continue;
        }
        let mut depth = 0_usize;
        let mut range: Option<Range<usize>> = None;
        for (token, span) in rest.by_ref() {
            match token {
                Token::BracketOpen | Token::ParenOpen | Token::BraceOpen => depth += 1,
                Token::BracketClose | Token::ParenClose | Token::BraceClose => {
                    depth = depth.saturating_sub(1)
                }
                Token::BlockEnd => break,
                Token::Ident("if" | "recursive") if depth == 0 => break,
                _ => {}
            }
            range = Some(range.map_or(span.start, |range| range.start)..span.end);
        }
        found.extend(range);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_iterated_is_wrapped() {
        let source = "{%- for a, b in x['if'].items() if a in b -%}{{ 'for c in d' }}{% endfor %}{% for e in f(1)[2:] %}";
        let expected = format!(
            "{{%- for a, b in (x['if'].items())|{FILTER} if a in b -%}}{{{{ 'for c in d' }}}}{{% endfor %}}\
             {{% for e in (f(1)[2:])|{FILTER} %}}"
        );
        assert_eq!(rewrite(source.into()), expected);
        assert_eq!(rewrite("{% for in %}".into()), "{% for in %}");
        assert_eq!(rewrite("{{ 'open".into()), "{{ 'open");
    }
}
