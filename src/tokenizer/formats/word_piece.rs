//! `vocab.txt`: WordPiece as BERT wrote it, one token a line, its id the line's number.

use std::path::Path;

use tokenizers::models::bpe::Vocab;
use tokenizers::models::wordpiece::WordPiece;

use crate::error::{Error, Result};

/// The tokens in id order.
///
/// # Errors
/// A file that is not UTF-8 or holds no token.
pub fn read_vocab(bytes: &[u8], path: &Path) -> Result<Vec<String>> {
    let text = std::str::from_utf8(bytes).map_err(|e| Error::format(path, format!("not UTF-8: {e}")))?;
    if text.contains('\0') {
        return Err(Error::format(path, "a vocabulary has no NUL bytes; is this another kind of file?"));
    }
    let tokens: Vec<String> =
        text.split_terminator('\n').map(|line| line.trim_end_matches('\r').to_string()).collect();
    if tokens.is_empty() {
        return Err(Error::format(path, "the file holds no tokens"));
    }
    Ok(tokens)
}

/// The model over these tokens; of a token that is there twice the last one counts, as in Python.
pub fn build(tokens: &[String], unk: &str, path: &Path) -> Result<WordPiece> {
    let vocabulary: Vocab = tokens.iter().cloned().zip(0..).collect();
    WordPiece::builder()
        .vocab(vocabulary)
        .unk_token(unk.to_string())
        .continuing_subword_prefix("##".to_string())
        .build()
        .map_err(|e| Error::format(path, format!("the tokens do not make a WordPiece model: {e}")))
}
