//! Which bytes of the prompt each id stands for, where the ids are those of the prompt in one piece or cut at placeholders.

use std::ops::Range;

use crate::tokenizer::{IMAGE_TOKEN_INDEX, Tokenizer};

const PLACEHOLDER: &str = "<image>";

/// A byte range of the prompt for each id. All are empty where the function put its ids together in another way.
pub fn spans(tokenizer: &Tokenizer, prompt: Option<&str>, ids: &[i64]) -> Vec<Range<usize>> {
    let unknown = || vec![0..0; ids.len()];
    let Some(prompt) = prompt else { return unknown() };
    let mut spans = Vec::with_capacity(ids.len());
    let mut start = 0;
    let is_cut = ids.contains(&IMAGE_TOKEN_INDEX);
    let pieces: Vec<&str> = if is_cut { prompt.split(PLACEHOLDER).collect() } else { vec![prompt] };
    for (number, piece) in pieces.iter().enumerate() {
        if number > 0 {
            spans.push(start - PLACEHOLDER.len()..start);
        }
        let Ok(encoding) = tokenizer.encode(piece, true) else { return unknown() };
        let at = spans.len();
        let rest = ids.get(at..).unwrap_or_default();
        let own: Vec<i64> = encoding.ids.iter().map(|id| i64::from(*id)).collect();
        // A bos in front of a later piece is dropped; a long text may be cut.
        let skipped = [0, 1].into_iter().find(|skip| {
            let own = own.get(*skip..).unwrap_or_default();
            rest.starts_with(own) || (number + 1 == pieces.len() && own.starts_with(rest))
        });
        let Some(skipped) = skipped else { return unknown() };
        let places = encoding.spans.iter().skip(skipped).take(rest.len());
        spans.extend(places.map(|span| span.start + start..span.end + start));
        start += piece.len() + PLACEHOLDER.len();
    }
    if spans.len() == ids.len() { spans } else { unknown() }
}
