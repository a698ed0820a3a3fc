//! The bytes behind a raw deflate stream: members of a zip archive.

use std::io::{BufRead, Read};

use flate2::bufread::DeflateDecoder;

/// Inflates what `raw` gives.
pub fn inflated(raw: impl BufRead + Send + 'static) -> Box<dyn Read + Send> {
    Box::new(DeflateDecoder::new(raw))
}
