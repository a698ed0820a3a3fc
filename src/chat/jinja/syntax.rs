//! Jinja's syntax as transformers sets it up, and a source's tokens under it.

use std::ops::Range;

use minijinja::Error;
use minijinja::machinery::{Token, tokenize};
use minijinja::syntax::SyntaxConfig;

/// Jinja's delimiters with the white space rules of transformers.
pub(super) fn config() -> SyntaxConfig {
    let mut syntax = SyntaxConfig::builder();
    syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(false);
    // Building fails for bad delimiters only, and these are the default ones.
    syntax.build().unwrap_or_default()
}

/// The tokens of a source with their bytes; `None` when it does not tokenise.
pub(super) fn tokens(source: &str) -> Option<Vec<(Token<'_>, Range<usize>)>> {
    let tokens = tokenize(source, false, config());
    let with_bytes = tokens
        .map(|item| item.map(|(token, span)| (token, span.start_offset as usize..span.end_offset as usize)));
    with_bytes.collect::<Result<_, Error>>().ok()
}
