//! `train_detail`: character ranges of a turn's content that are trained or not.
//!
//! The content is tokenised alone; a token's end is the next one's start less one, the ends of a range are
//! inclusive, ranges are first widened to token edges, and a token counts only when it lies wholly inside.

use serde_json::Value;

use crate::masks::MaskError;

/// One range, both ends inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Detail {
    pub begin: i64,
    pub end: i64,
    pub train: bool,
}

/// Reads the list; `None` when the message has none.
pub(super) fn read(value: Option<&Value>) -> Result<Option<Vec<Detail>>, MaskError> {
    let Some(list) = value.and_then(Value::as_array) else { return Ok(None) };
    let number = |entry: &Value, key: &str| {
        entry
            .get(key)
            .and_then(Value::as_i64)
            .ok_or_else(|| MaskError::python("KeyError", format!("'{key}'")))
    };
    let read = |entry: &Value| {
        let train = entry.get("train").and_then(Value::as_bool).unwrap_or(false);
        Ok(Detail { begin: number(entry, "begin_offset")?, end: number(entry, "end_offset")?, train })
    };
    list.iter().map(read).collect::<Result<_, _>>().map(Some)
}

/// Content parts as one text, with ranges when any part says whether it is trained.
pub(super) fn join_parts(parts: &[Value]) -> (String, Option<Vec<Detail>>) {
    let mut text = String::new();
    let mut details = Vec::new();
    let mut explicit = false;
    let mut offset = 0_i64;
    for part in parts {
        let of = |key: &str| part.get(key).and_then(Value::as_str).filter(|t| !t.is_empty());
        let piece = of("text").or_else(|| of("content")).or_else(|| of("value")).unwrap_or_default();
        let flag = match (part.get("train"), part.get("weight")) {
            (Some(Value::Bool(train)), _) => Some(*train),
            (_, Some(weight)) if !weight.is_null() => Some(weight.as_f64() != Some(0.0)),
            _ => None,
        };
        explicit |= flag.is_some();
        text.push_str(piece);
        let len = i64::try_from(piece.chars().count()).unwrap_or(i64::MAX);
        if len > 0 {
            details.push(Detail { begin: offset, end: offset + len - 1, train: flag.unwrap_or(true) });
            offset += len;
        }
    }
    (text, explicit.then_some(details))
}

/// Indices of the content's tokens that are trained. `offsets` are those of the content alone, `chars` its length.
pub(super) fn trained_tokens(offsets: &[(usize, usize)], chars: usize, details: &[Detail]) -> Vec<usize> {
    let signed = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let starts: Vec<i64> = offsets.iter().map(|(start, _)| signed(*start)).collect();
    let mut tokens: Vec<(i64, i64)> =
        starts.windows(2).filter_map(|w| Some((*w.first()?, *w.last()? - 1))).collect();
    tokens.extend(starts.last().map(|start| (*start, signed(chars) - 1)));
    let widened: Vec<Detail> = details.iter().filter_map(|detail| widen(*detail, &tokens)).collect();
    let inside =
        |(start, end): (i64, i64)| widened.iter().any(|d| d.train && start >= d.begin && end <= d.end);
    tokens.iter().enumerate().filter(|(_, token)| inside(**token)).map(|(index, _)| index).collect()
}

/// A range moved out to the edges of the tokens it touches.
fn widen(detail: Detail, tokens: &[(i64, i64)]) -> Option<Detail> {
    let mut first = tokens.iter().position(|(start, _)| *start >= detail.begin).unwrap_or(tokens.len());
    let before = first.checked_sub(1).and_then(|index| tokens.get(index));
    if before.is_some_and(|(_, end)| *end > detail.begin) {
        first -= 1;
    }
    // One more than the last token, so that "none" is zero.
    let mut past_last = tokens.iter().rposition(|(_, end)| *end <= detail.end).map_or(0, |index| index + 1);
    if tokens.get(past_last).is_some_and(|(start, _)| *start < detail.end) {
        past_last += 1;
    }
    if first >= past_last {
        return None;
    }
    let (begin, _) = tokens.get(first)?;
    let (_, end) = tokens.get(past_last - 1)?;
    Some(Detail { begin: *begin, end: *end, train: detail.train })
}
