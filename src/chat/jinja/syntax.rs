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

/// The source with `(EXPR)|filter` in place of the expressions that `expressions` picks, in their order. A source that does
/// not tokenise is given back as it is: compiling it says what is wrong.
pub(super) fn through_filter(
    source: String,
    expressions: impl Fn(&[(Token<'_>, Range<usize>)]) -> Vec<Range<usize>>,
    filter: &str,
) -> String {
    let Some(tokens) = tokens(&source) else { return source };
    let mut out = String::with_capacity(source.len() + 64);
    let mut copied = 0;
    for expression in expressions(&tokens) {
        let (Some(before), Some(text)) =
            (source.get(copied..expression.start), source.get(expression.clone()))
        else {
            break;
        };
        out.push_str(before);
        out.push_str(&format!("({text})|{filter}"));
        copied = expression.end;
    }
    out.push_str(source.get(copied..).unwrap_or_default());
    out
}
