//! Jinja's syntax as transformers sets it up, and a source's tokens under it.

use std::ops::Range;

use minijinja::Error;
use minijinja::machinery::{Token, tokenize};
use minijinja::syntax::SyntaxConfig;

use super::limits;

/// Jinja's delimiters with the white space rules of transformers.
pub(super) fn config() -> SyntaxConfig {
    let mut syntax = SyntaxConfig::builder();
    syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(false);
    // Building fails for bad delimiters only, and these are the default ones.
    syntax.build().unwrap_or_default()
}

/// Why a source must not be given to the parser, with the line: see [`limits::MAX_TAG_TOKENS`].
pub(super) fn too_deep(source: &str) -> Option<(usize, String)> {
    let (mut in_tag, mut elifs) = (0, 0);
    let mut opens_block = false;
    // A source that does not tokenise is parsed up to that place.
    for (token, span) in tokenize(source, false, config()).map_while(Result::ok) {
        match token {
            Token::VariableStart | Token::BlockStart | Token::TemplateData(_) => in_tag = 0,
            Token::Ident("elif") if opens_block => elifs += 1,
            _ => {}
        }
        in_tag += 1;
        opens_block = matches!(token, Token::BlockStart);
        let line = || usize::from(span.start_line);
        if in_tag > limits::MAX_TAG_TOKENS {
            return Some((line(), format!("a tag of more than {} tokens", limits::MAX_TAG_TOKENS)));
        }
        if elifs > limits::MAX_ELIFS {
            return Some((line(), format!("more than {} times elif", limits::MAX_ELIFS)));
        }
    }
    None
}

/// The tokens of a source with their bytes; `None` when it does not tokenise.
pub(super) fn tokens(source: &str) -> Option<Vec<(Token<'_>, Range<usize>)>> {
    let tokens = tokenize(source, false, config());
    let with_bytes = tokens
        .map(|item| item.map(|(token, span)| (token, span.start_offset as usize..span.end_offset as usize)));
    with_bytes.collect::<Result<_, Error>>().ok()
}

/// True for the last token of a value: a bracket behind it is a subscript or a call.
pub(super) fn ends_value(token: Option<&Token>) -> bool {
    const WORDS: [&str; 7] = ["and", "or", "not", "in", "is", "if", "else"];
    match token {
        Some(Token::Ident(word)) => !WORDS.contains(word),
        Some(
            Token::Str(_) | Token::String(_) | Token::BracketClose | Token::ParenClose | Token::BraceClose,
        ) => true,
        _ => false,
    }
}

/// The source with `(EXPR)|filter` in place of the expressions that `expressions` picks. A source that does not tokenise is
/// given back as it is: compiling it says what is wrong.
pub(super) fn through_filter(
    source: String,
    expressions: impl Fn(&[(Token<'_>, Range<usize>)]) -> Vec<Range<usize>>,
    filter: &'static str,
) -> String {
    let Some(tokens) = tokens(&source) else { return source };
    let expressions = expressions(&tokens).into_iter().map(|range| (range, filter)).collect();
    through_filters(source, expressions)
}

/// The source with `(EXPR)|filter` in place of the expressions, which may lie inside one another.
pub(super) fn through_filters(source: String, mut expressions: Vec<(Range<usize>, &str)>) -> String {
    if expressions.is_empty() {
        return source;
    }
    let mut begins: Vec<usize> = expressions.iter().map(|(range, _)| range.start).collect();
    begins.sort_unstable();
    // Of two that end together, the inner one begins later.
    expressions.sort_by_key(|(range, _)| (range.end, std::cmp::Reverse(range.start)));
    let mut out = String::with_capacity(source.len() + 32 * expressions.len());
    let mut copied = 0;
    let mut copy = |out: &mut String, to: usize| {
        out.push_str(source.get(copied..to).unwrap_or_default());
        copied = to;
    };
    let (mut begins, mut ends) = (begins.into_iter().peekable(), expressions.into_iter().peekable());
    while let Some((range, filter)) = ends.peek() {
        match begins.next_if(|begin| *begin < range.end) {
            Some(begin) => {
                copy(&mut out, begin);
                out.push('(');
            }
            None => {
                copy(&mut out, range.end);
                out.push_str(&format!(")|{filter}"));
                ends.next();
            }
        }
    }
    copy(&mut out, source.len());
    out
}
