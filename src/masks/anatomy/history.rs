//! The end of a rendered history in the whole text, where the template renders the two otherwise too.

use std::ops::Range;

use super::divergence::shared_prefix;

/// Longest and shortest piece of a prefix's end that is looked for in the whole, in bytes.
const ANCHOR: Range<usize> = 3..96;
/// Bytes that candidates for an end are compared by.
const COMPARED: usize = 4096;

/// The byte of `whole` up to which it says what `prefix` says, not before `from`.
///
/// A prefix is that by itself; else its end is looked for, as much of it as can be found. What it has behind `own`, the
/// text of its last message, only closes it (an eos, the end of several tool results) and is no part of the history.
pub(super) fn end_in(whole: &str, prefix: &str, from: usize, own: &str) -> Option<usize> {
    let shared = shared_prefix(whole, prefix);
    let rest = prefix.get(shared..).unwrap_or_default();
    let said = || match own {
        "" => whole.ends_with(rest),
        own => {
            let before = || whole.get(from..shared).is_some_and(|text| text.contains(own));
            !rest.contains(own) && (whole.ends_with(rest) || before())
        }
    };
    if shared >= from && (rest.is_empty() || (shared > from && said())) {
        return Some(shared);
    }
    // The message's own text with what closes it; the first place is the right one, as answers may repeat.
    let closed = prefix.rfind(own).filter(|_| !own.is_empty()).and_then(|at| prefix.get(at..));
    if let Some((closed, at)) = closed.and_then(|closed| Some((closed, whole.get(from..)?.find(closed)?))) {
        return Some(from + at + closed.len());
    }
    let mut width = ANCHOR.end.min(prefix.len());
    let area = whole.get(from..)?;
    while width >= ANCHOR.start {
        let cut = (prefix.len() - width..prefix.len()).find(|at| prefix.is_char_boundary(*at))?;
        let anchor = prefix.get(cut..)?;
        let ends = area.match_indices(anchor).map(|(at, _)| from + at + anchor.len());
        let best = ends.map(|end| (shared_suffix(whole.get(..end).unwrap_or_default(), prefix), end));
        if let Some((_, end)) = best.max_by_key(|(shared, end)| (*shared, usize::MAX - end)) {
            return Some(end);
        }
        width = width * 2 / 3;
    }
    None
}

fn shared_suffix(a: &str, b: &str) -> usize {
    a.bytes().rev().zip(b.bytes().rev()).take(COMPARED).take_while(|(a, b)| a == b).count()
}
