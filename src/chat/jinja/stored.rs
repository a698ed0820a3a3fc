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
use super::{generator, syntax};

/// Name of the filter that the expressions go through.
pub(super) const FILTER: &str = "_maskscope_stored";

/// The filter: the value itself, unless it is too large or too deep.
pub(super) fn stored(state: &mut State, value: Value) -> Result<Value, Error> {
    let size = Size::of(&value, MAX_ITEMS)?;
    charge(state, size.values)?;
    Ok(value)
}

/// What a value holds, its items and theirs counted wherever they occur.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Size {
    pub values: usize,
    /// Bytes of its texts.
    pub bytes: usize,
}

impl Size {
    /// Counts up to `most` values.
    ///
    /// # Errors
    /// There are more, or they are nested too deep.
    pub fn of(value: &Value, most: usize) -> Result<Self, TooLarge> {
        let mut size = Self::default();
        size.add(value, 0, most)?;
        Ok(size)
    }

    fn add(&mut self, value: &Value, depth: usize, most: usize) -> Result<(), TooLarge> {
        self.values += 1;
        if self.values > most {
            return Err(TooLarge);
        }
        if let Some(text) = value.as_str() {
            self.bytes = self.bytes.saturating_add(text.len());
            return Ok(());
        }
        if let Some(items) = generator::items(value) {
            return self.add_items(items.iter(), depth, most);
        }
        let is_map = value.kind() == ValueKind::Map;
        // Looking at any other iterator would use it up.
        let holds_values =
            is_map || (matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable) && value.len().is_some());
        if !holds_values {
            return Ok(());
        }
        for item in value.try_iter().into_iter().flatten() {
            match (is_map, item.as_str()) {
                (false, _) => self.add_items([&item], depth, most)?,
                (true, key) => {
                    self.bytes = self.bytes.saturating_add(key.map_or(0, str::len));
                    let key = key.is_none().then_some(&item);
                    let held = value.get_item(&item).unwrap_or_default();
                    self.add_items(key.into_iter().chain([&held]), depth, most)?;
                }
            }
        }
        Ok(())
    }

    fn add_items<'v>(
        &mut self,
        items: impl IntoIterator<Item = &'v Value>,
        depth: usize,
        most: usize,
    ) -> Result<(), TooLarge> {
        if depth > MAX_DEPTH {
            return Err(TooLarge);
        }
        items.into_iter().try_for_each(|item| self.add(item, depth + 1, most))
    }
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
    let mut before: Option<&Token> = None;
    let mut depth = 0_usize;
    for (token, _) in expression {
        let follows_value = syntax::ends_value(before);
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
