//! `loss_scale` of ms-swift: which contexts are supervised, and how much each piece of an answer weighs.
//!
//! A name such as `last_round+hermes+ignore_empty_think` is a base strategy and rules. A rule splits an answer and gives
//! each piece a weight; the pieces are tokenised by themselves. `data/swift_loss_scales.json` holds the rules: a delimiter
//! with two numbers weighs itself and what follows, a pattern with one weighs what it matches.

use std::sync::LazyLock;

use fancy_regex::Regex;
use serde_json::{Map, Value};

use super::format::SwiftContext;
use super::inputs::Flags;
use crate::masks::MaskError;

static RULES: LazyLock<Map<String, Value>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../data/swift_loss_scales.json")).unwrap_or_default()
});

/// Which contexts are supervised at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BaseStrategy {
    Default,
    LastRound,
    All,
}

/// What a context is in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContextKind {
    Response,
    Suffix,
    Other,
}

/// A rule of weights.
#[derive(Debug, Clone)]
struct Rule {
    /// A text of the round's query that decides the weight of the whole answer.
    by_query: Vec<(String, f64)>,
    delimiters: Vec<(String, [f64; 2])>,
    patterns: Vec<(Regex, f64)>,
    binary: bool,
}

/// A parsed name.
#[derive(Debug, Clone)]
pub struct LossScale {
    pub base: BaseStrategy,
    rules: Vec<Rule>,
}

impl LossScale {
    /// Reads a name.
    ///
    /// # Errors
    /// `KeyError` for a rule that swift does not have.
    pub fn parse(name: &str) -> Result<Self, MaskError> {
        let mut parts = name.split('+').peekable();
        let base = match parts.peek().copied() {
            Some("default") => Some(BaseStrategy::Default),
            Some("last_round") => Some(BaseStrategy::LastRound),
            Some("all") => Some(BaseStrategy::All),
            _ => None,
        };
        if base.is_some() {
            parts.next();
        }
        let rules = parts.filter(|part| *part != "base").map(Rule::named).collect::<Result<_, _>>()?;
        Ok(Self { base: base.unwrap_or(BaseStrategy::Default), rules })
    }

    /// True where a token weighs 1 or nothing, so that swift keeps no weights.
    pub fn is_binary(&self) -> bool {
        self.rules.iter().all(|rule| rule.binary)
    }

    /// The pieces of one context and their weights.
    pub fn split(
        &self,
        context: SwiftContext,
        kind: ContextKind,
        query: Option<&str>,
        flags: Flags,
        is_last_round: bool,
    ) -> Vec<(SwiftContext, f64)> {
        let answer = kind != ContextKind::Other;
        let supervised = flags.loss.unwrap_or(match self.base {
            BaseStrategy::All => true,
            BaseStrategy::Default => answer,
            BaseStrategy::LastRound => answer && is_last_round,
        });
        match (supervised, flags.loss_scale, context) {
            (false, _, context) => vec![(context, 0.0)],
            (true, Some(weight), context) => vec![(context, weight)],
            (true, None, SwiftContext::Ids(ids)) => vec![(SwiftContext::Ids(ids), 1.0)],
            (true, None, SwiftContext::Text(text)) => {
                let mut pieces = vec![(text, 1.0)];
                for rule in &self.rules {
                    pieces = pieces
                        .into_iter()
                        .flat_map(|(text, weight)| {
                            let split = rule.split(&text, query);
                            split.into_iter().map(move |(text, times)| (text, weight * times))
                        })
                        .collect();
                }
                pieces.into_iter().map(|(text, weight)| (SwiftContext::Text(text), weight)).collect()
            }
        }
    }
}

impl Rule {
    fn named(name: &str) -> Result<Self, MaskError> {
        let entry = RULES.get(name).and_then(Value::as_object);
        let entry = entry.ok_or_else(|| MaskError::python("KeyError", format!("'{name}'")))?;
        let of_query = entry.get("query").and_then(Value::as_object);
        let of_response = entry.get("response").and_then(Value::as_object).unwrap_or(entry);
        let numbers = |value: &Value| -> Vec<f64> {
            value.as_array().into_iter().flatten().filter_map(Value::as_f64).collect()
        };
        let mut rule = Self {
            by_query: Vec::new(),
            delimiters: Vec::new(),
            patterns: Vec::new(),
            // swift says of this one that it is not, whatever its numbers are.
            binary: of_query.is_none(),
        };
        for (text, weights) in of_query.into_iter().flatten() {
            rule.by_query.extend(numbers(weights).first().map(|weight| (text.clone(), *weight)));
        }
        for (text, weights) in of_response {
            let weights = numbers(weights);
            rule.binary &= weights.iter().all(|weight| *weight == 0.0 || *weight == 1.0);
            match weights.as_slice() {
                [delimiter, after] => rule.delimiters.push((text.clone(), [*delimiter, *after])),
                [weight] => {
                    let pattern = Regex::new(&format!("(?s){text}"))
                        .map_err(|error| MaskError::Unfit(format!("loss_scale pattern {text:?}: {error}")))?;
                    rule.patterns.push((pattern, *weight));
                }
                _ => {}
            }
        }
        Ok(rule)
    }

    fn split(&self, text: &str, query: Option<&str>) -> Vec<(String, f64)> {
        let decided = |query: &str| self.by_query.iter().find(|(word, _)| query.contains(word.as_str()));
        if let Some((_, weight)) = query.and_then(decided) {
            return vec![(text.to_string(), *weight)];
        }
        if self.delimiters.is_empty() { self.by_patterns(text) } else { self.by_delimiters(text) }
    }

    fn by_delimiters(&self, text: &str) -> Vec<(String, f64)> {
        let mut pieces = Vec::new();
        let (mut rest, mut weight) = (text, 1.0);
        let mut leading = true;
        loop {
            // The leftmost delimiter; of two at one place the first in the list.
            let found = self
                .delimiters
                .iter()
                .filter_map(|(word, weights)| rest.find(word.as_str()).map(|at| (at, word, weights)))
                .min_by_key(|(at, ..)| *at);
            let end = found.map_or(rest.len(), |(at, ..)| at);
            let before = rest.get(..end).unwrap_or_default();
            // Nothing stands before a delimiter at the very start.
            if !(leading && before.is_empty() && found.is_some()) {
                pieces.push((before.to_string(), weight));
            }
            leading = false;
            let Some((at, word, weights)) = found else { return pieces };
            pieces.push((word.clone(), weights[0]));
            weight = weights[1];
            rest = rest.get(at + word.len()..).unwrap_or_default();
        }
    }

    /// Texts that a pattern matches and those between; each weighs what the first pattern that matches at its start says.
    fn by_patterns(&self, text: &str) -> Vec<(String, f64)> {
        let mut parts: Vec<&str> = Vec::new();
        let mut at = 0;
        while at < text.len() {
            let found = self
                .patterns
                .iter()
                .filter_map(|(pattern, _)| pattern.find_from_pos(text, at).ok().flatten())
                .filter(|found| !found.range().is_empty())
                .min_by_key(|found| found.start());
            let Some(found) = found else { break };
            parts.push(text.get(at..found.start()).unwrap_or_default());
            parts.push(found.as_str());
            at = found.end();
        }
        parts.push(text.get(at..).unwrap_or_default());
        let weight = |part: &str| {
            let matching = self.patterns.iter().find(|(pattern, _)| {
                pattern.find(part).ok().flatten().is_some_and(|found| found.start() == 0)
            });
            matching.map_or(1.0, |(_, weight)| *weight)
        };
        parts
            .into_iter()
            .filter(|part| !part.is_empty())
            .map(|part| (part.to_string(), weight(part)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(name: &str, text: &str) -> Vec<(String, f64)> {
        let scale = LossScale::parse(name).unwrap();
        let split =
            scale.split(SwiftContext::Text(text.into()), ContextKind::Response, None, Flags::default(), true);
        split.into_iter().map(|(context, weight)| (context.text().unwrap().to_string(), weight)).collect()
    }

    #[test]
    fn rules_split_and_weigh() {
        let piece = |text: &str, weight| (text.to_string(), weight);
        assert_eq!(
            pieces("hermes", "a<tool_call>\nb</tool_call>c"),
            [piece("a", 1.0), piece("<tool_call>\nb</tool_call>", 2.0), piece("c", 1.0)]
        );
        assert_eq!(
            pieces("react", "x\nAction: f\nObservation: y"),
            [
                piece("x\n", 1.0),
                piece("Action:", 2.0),
                piece(" f\n", 2.0),
                piece("Observation:", 2.0),
                piece(" y", 0.0)
            ]
        );
        assert_eq!(
            pieces("hermes+ignore_empty_think", "<think>\n\n</think>\n\nA"),
            [piece("<think>\n\n</think>\n\n", 0.0), piece("A", 1.0)]
        );
        assert!(LossScale::parse("ignore_think_prefix").unwrap().is_binary());
        assert!(!LossScale::parse("all+react").unwrap().is_binary());
        assert!(LossScale::parse("other").is_err());
    }
}
