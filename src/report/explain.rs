//! Why a text was split into a token, in lines that a person reads.

use super::glyphs::glyph_text;
use crate::tokenizer::Tokenizer;
use crate::tokenizer::explain::{Explanation, Steps, token_text};

/// The lines: the token, the stretch that it was cut from, the steps of the model. `text` is what was encoded.
pub fn explanation_lines(tokenizer: &Tokenizer, text: &str, explanation: &Explanation) -> Vec<String> {
    let id = explanation.id;
    let piece = token_text(tokenizer, id).unwrap_or_else(|| "no token".to_string());
    let bytes = tokenizer.token_bytes(id).unwrap_or_default();
    let mut lines = vec![format!("token {} · id {id} · in the vocabulary {piece}", glyph_text(&bytes))];
    let stretch = text.get(explanation.pre_token.clone()).unwrap_or("");
    if !explanation.pre_token.is_empty() {
        lines.push(format!(
            "cut from {} (bytes {}..{} of the prompt)",
            glyph_text(stretch.as_bytes()),
            explanation.pre_token.start,
            explanation.pre_token.end
        ));
    }
    lines.push(String::new());
    match &explanation.steps {
        Steps::AddedToken => {
            lines.push(
                "an added or special token: looked for in the whole text before anything is cut".into(),
            );
        }
        Steps::Inserted => lines.push("put there by the tokenizer: it stands for no text".into()),
        Steps::WholeWord => {
            lines.push("the stretch is an entry of the vocabulary and is taken whole (ignore_merges)".into());
        }
        Steps::Merges(steps) if steps.is_empty() => {
            lines.push("a single symbol: no merge applies to it".into());
        }
        Steps::Merges(steps) => {
            lines.push(
                "byte-pair encoding: of all neighbours the pair of the best rank joins, again and again"
                    .into(),
            );
            for (n, step) in steps.iter().enumerate() {
                let by = match (step.rank, step.score) {
                    (Some(rank), _) => format!("rank {rank}"),
                    (None, Some(score)) => format!("score {score}"),
                    (None, None) => String::new(),
                };
                lines.push(format!(
                    "{:>3}  {} + {} → {}{}   {by}",
                    n + 1,
                    step.left,
                    step.right,
                    step.left,
                    step.right
                ));
            }
        }
        Steps::Unigram(pieces) => {
            lines.push("unigram: the cut whose log probabilities add up to the most".into());
            lines.extend(pieces.iter().map(|(piece, score)| format!("  {piece}   {score:.4}")));
            let sum: f64 = pieces.iter().map(|(_, score)| score).sum();
            lines.push(format!("  sum {sum:.4}"));
        }
        Steps::WordPiece(pieces) => {
            lines.push("word piece: from the left, each time the longest entry that fits".into());
            lines.extend(pieces.iter().map(|piece| format!("  {piece}")));
        }
    }
    lines
}
