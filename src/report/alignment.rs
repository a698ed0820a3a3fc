//! Two aligned token lines for a round: the piece encoded alone above, the prompt below, a mark where they part.

use super::glyphs::glyph_text;
use crate::diagnose::{AlignedToken, Pair, PairedRound};
use crate::text::width;

/// The three lines, at most `room` cells wide each: alone, in the prompt, marks. The window begins a little before
/// the first difference; `⋯` stands for tokens that do not fit.
pub fn aligned_lines(round: &PairedRound, room: usize) -> [String; 3] {
    let first = round.pairs.iter().position(|pair| !pair.same).unwrap_or(0);
    let mut start = first;
    let mut lead = 0;
    while start > 0 {
        let wide = round.pairs.get(start - 1).map_or(0, |pair| cell(pair).2);
        if lead + wide > room / 3 {
            break;
        }
        lead += wide;
        start -= 1;
    }
    let mut lines = [String::new(), String::new(), String::new()];
    if start > 0 {
        push(&mut lines, "⋯", "⋯", " ", 2);
    }
    for (n, pair) in round.pairs.iter().enumerate().skip(start) {
        let (alone, here, wide) = cell(pair);
        let used = width(&lines[0]);
        let last = n + 1 == round.pairs.len();
        if used + wide > room.saturating_sub(if last { 0 } else { 2 }) {
            push(&mut lines, "⋯", "⋯", " ", 1);
            break;
        }
        let mark = if pair.same { " ".to_string() } else { "▲".repeat(wide.saturating_sub(1).max(1)) };
        push(&mut lines, &alone, &here, &mark, wide);
    }
    lines
}

fn push(lines: &mut [String; 3], alone: &str, here: &str, mark: &str, wide: usize) {
    for (line, text) in lines.iter_mut().zip([alone, here, mark]) {
        line.push_str(text);
        line.push_str(&" ".repeat(wide.saturating_sub(width(text))));
    }
}

/// Both texts of a pair, and the cells that the wider one takes with the gap behind it.
fn cell(pair: &Pair) -> (String, String, usize) {
    let text = |token: &Option<AlignedToken>| match token {
        None => "–".to_string(),
        Some(token) if token.text.is_empty() => format!("⟨{}⟩", token.id),
        Some(token) => glyph_text(token.text.as_bytes()),
    };
    let (alone, here) = (text(&pair.alone), text(&pair.in_prompt));
    let wide = width(&alone).max(width(&here)) + 1;
    (alone, here, wide)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::align_tokens;
    use crate::samples;
    use crate::setup::{Request, load_tokenizer, resolve};
    use std::ops::ControlFlow;

    #[test]
    fn lines_are_aligned_and_marked_where_tokens_part() {
        // Mistral under rule v1's neighbours: a round alone begins with bos, a later one in the prompt does not.
        let request = Request { tokenizer: "sample:mistral".into(), ..Request::default() };
        let base = load_tokenizer(&request, &mut |_| ControlFlow::Continue(())).expect("loads");
        let setup = resolve(&base, &request).expect("resolves");
        let samples = samples::conversations().expect("embedded");
        let sample = samples.iter().find(|s| s.id == "no-image").expect("is there");
        let rounds = align_tokens(&setup, &setup.inspect(sample));
        assert!(rounds.len() > 1);
        for round in &rounds {
            let lines = aligned_lines(round, 60);
            assert!(lines.iter().all(|line| width(line) <= 60), "{lines:?}");
            assert_eq!(round.pairs.iter().all(|p| p.same), !lines[2].contains('▲'), "{lines:?}");
        }
        let later = rounds.get(1).expect("a second round");
        assert!(later.pairs.first().is_some_and(|p| p.alone.is_some() && p.in_prompt.is_none()));
    }
}
