//! `{% generation %}` blocks: minijinja knows no such tag, so the source is rewritten before it is compiled.
//!
//! jinja2 parses the tag as a call block and records `(text yielded so far, that + body)` when the body has
//! run. Here `{%b generation e%}` becomes `{%b with %}{% filter _generation(_tracker) e%}` and
//! `{%b endgeneration e%}` becomes `{%b endfilter %}{% endwith e%}` (b and e are the `-`/`+` of the tag):
//! `with` gives the body a scope of its own, as a macro has, and the filter reads how many characters the
//! writer has received at that moment. That is the same count as jinja2's, so a span is wrong exactly where
//! theirs is: inside a macro, a `set` block or a filter block, where text before it is not yet yielded, and
//! for nested tags. [`super::Span::displaced`] says so.

use minijinja::{Error, Value};

use super::tracker::{Tracker, VARIABLE as TRACKER};

/// Name of the filter that the tag is rewritten to.
pub(super) const FILTER: &str = "_maskscope_generation";

/// The filter: hands the body on and notes where it goes.
pub(super) fn record(body: Value, tracker: Value) -> Result<Value, Error> {
    if let Some(tracker) = tracker.downcast_object_ref::<Tracker>() {
        tracker.record(body.as_str().unwrap_or_default());
    }
    Ok(body)
}

/// What the rewriting found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rewritten {
    pub source: String,
    /// Number of `{% generation %}` tags.
    pub tags: usize,
    /// The first tag that jinja2 has from an extension only, and its line.
    pub of_extension: Option<(&'static str, usize)>,
}

/// Tags of the extensions that transformers loads from 4.38 (loop controls) and 4.42 (generation) on.
const OF_EXTENSIONS: [&str; 3] = ["generation", "break", "continue"];

/// Rewrites the tags outside comments, raw blocks and strings; everything else is kept byte for byte.
pub(super) fn rewrite(source: &str) -> Rewritten {
    let mut out = String::with_capacity(source.len() + 64);
    let mut rest = source;
    let mut tags = 0;
    let mut of_extension = None;
    while let Some(at) = find_opening(rest) {
        let (before, tail) = rest.split_at(at);
        out.push_str(before);
        let len = if tail.starts_with("{#") {
            tail.find("#}").map_or(tail.len(), |end| end + 2)
        } else if tail.starts_with("{{") {
            end_of_code(tail, "}}")
        } else {
            end_of_code(tail, "%}")
        };
        let (piece, after) = tail.split_at(len);
        rest = after;
        let name = Tag::parse(piece).and_then(|tag| OF_EXTENSIONS.into_iter().find(|name| *name == tag.name));
        if let (None, Some(name)) = (of_extension, name) {
            let before = source.len() - rest.len() - piece.len();
            let line = source.get(..before).unwrap_or_default().matches('\n').count() + 1;
            of_extension = Some((name, line));
        }
        match Tag::parse(piece) {
            Some(Tag { name: "generation", begin, end }) => {
                tags += 1;
                out.push_str(&format!("{{%{begin} with %}}{{% filter {FILTER}({TRACKER}) {end}%}}"));
            }
            Some(Tag { name: "endgeneration", begin, end }) => {
                out.push_str(&format!("{{%{begin} endfilter %}}{{% endwith {end}%}}"));
            }
            Some(Tag { name: "raw", begin, end }) => {
                let len = end_of_raw(rest);
                let (raw, after) = rest.split_at(len);
                // jinja2 keeps the newline behind this one tag, trim_blocks or not.
                let end = if end.is_empty() { "+" } else { end };
                out.push_str(&format!("{{%{begin} raw {end}%}}"));
                out.push_str(raw);
                rest = after;
            }
            _ => out.push_str(piece),
        }
    }
    out.push_str(rest);
    Rewritten { source: out, tags, of_extension }
}

fn find_opening(text: &str) -> Option<usize> {
    // One pass: looking for each opening by itself would read to the end of the text every time.
    text.as_bytes().windows(2).position(|pair| matches!(pair, b"{{" | b"{%" | b"{#"))
}

/// Length of a `{{ … }}` or `{% … %}` piece, strings in it skipped; all of the text when it does not end.
fn end_of_code(text: &str, close: &str) -> usize {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(2) {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(q) if c == q => quote = None,
            Some(_) => {}
            None if c == '"' || c == '\'' => quote = Some(c),
            None if text.get(at..).is_some_and(|t| t.starts_with(close)) => return at + close.len(),
            None => {}
        }
    }
    text.len()
}

/// Length of the text up to and including `{% endraw %}`.
fn end_of_raw(text: &str) -> usize {
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|t| t.find("{%")).map(|at| from + at) {
        let Some(tail) = text.get(at..) else { break };
        let len = tail.find("%}").map_or(tail.len(), |end| end + 2);
        if tail.get(..len).and_then(Tag::parse).is_some_and(|tag| tag.name == "endraw") {
            return at + len;
        }
        from = at + 2;
    }
    text.len()
}

/// A block tag that holds nothing but a name.
#[derive(Debug)]
struct Tag<'t> {
    begin: &'t str,
    name: &'t str,
    end: &'t str,
}

impl<'t> Tag<'t> {
    fn parse(piece: &'t str) -> Option<Self> {
        let inner = piece.strip_prefix("{%")?.strip_suffix("%}")?;
        let (begin, inner) = match inner.strip_prefix(['-', '+']) {
            Some(rest) => (inner.get(..1)?, rest),
            None => ("", inner),
        };
        let (inner, end) = match inner.strip_suffix(['-', '+']) {
            Some(rest) => (rest, inner.get(inner.len() - 1..)?),
            None => (inner, ""),
        };
        Some(Self { begin, name: inner.trim(), end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rewrites_only_tags() {
        let kept = "{# {% generation %} #}{% raw +%}{% generation %}{%- endraw %}{{ '{% generation %}' }}";
        assert_eq!(rewrite(kept), Rewritten { source: kept.into(), tags: 0, of_extension: None });
        let rewritten = rewrite("a{%- generation +%}b{% endgeneration -%}c");
        assert_eq!(
            rewritten.source,
            format!("a{{%- with %}}{{% filter {FILTER}({TRACKER}) +%}}b{{% endfilter %}}{{% endwith -%}}c")
        );
        assert_eq!(rewritten.tags, 1);
    }

    #[test]
    fn unfinished_sources_do_not_panic() {
        for source in ["{%", "{% generation", "{{ 'a", "{#", "{% raw %}x", "{%-%}", "{%+"] {
            rewrite(source);
        }
    }
}
