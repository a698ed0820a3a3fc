//! Regular expressions for the stand-in of `re`: patterns are kept by number, places are counted in characters.

use fancy_regex::{Regex, RegexBuilder};
use serde_json::{Value, json};

/// Compiled patterns.
#[derive(Default)]
pub struct Patterns(Vec<Regex>);

/// Steps that one search may take back.
const BACKTRACKS: usize = 200_000;
const IGNORE_CASE: i64 = 2;
const MULTI_LINE: i64 = 8;
const DOT_ALL: i64 = 16;
const VERBOSE: i64 = 64;

impl Patterns {
    /// `[number, [[name, group], …]]`, or the error as a text.
    pub fn compile(&mut self, pattern: &str, flags: i64) -> Value {
        let letters = [(IGNORE_CASE, 'i'), (MULTI_LINE, 'm'), (DOT_ALL, 's'), (VERBOSE, 'x')];
        let set: String =
            letters.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, letter)| letter).collect();
        let pattern = pattern.replace("\\Z", "\\z");
        let pattern = if set.is_empty() { pattern } else { format!("(?{set}){pattern}") };
        match RegexBuilder::new(&pattern).backtrack_limit(BACKTRACKS).build() {
            Ok(regex) => {
                let names: Vec<Value> = regex
                    .capture_names()
                    .enumerate()
                    .filter_map(|(group, name)| name.map(|name| json!([name, group])))
                    .collect();
                self.0.push(regex);
                json!([self.0.len() - 1, names])
            }
            Err(error) => Value::String(error.to_string()),
        }
    }

    /// A list of matches, each a list of `[start, end]` or null a group; or the error as a text.
    pub fn find(&self, number: usize, text: &str, mode: &str) -> Value {
        let Some(regex) = self.0.get(number) else { return Value::String("no such pattern".into()) };
        let mut matches = Vec::new();
        let mut last = (0, 0);
        let mut place = |byte: usize| {
            if byte < last.0 {
                last = (0, 0);
            }
            let more = text.get(last.0..byte).map_or(0, |between| between.chars().count());
            last = (byte, last.1 + more);
            last.1
        };
        for captures in regex.captures_iter(text) {
            let captures = match captures {
                Ok(captures) => captures,
                Err(error) => return Value::String(error.to_string()),
            };
            let (start, end) = captures.get(0).map_or((0, 0), |whole| (whole.start(), whole.end()));
            let fits = match mode {
                "start" => start == 0,
                "full" => start == 0 && end == text.len(),
                _ => true,
            };
            if !fits {
                break;
            }
            let groups = (0..captures.len()).map(|group| {
                captures.get(group).map_or(Value::Null, |g| json!([place(g.start()), place(g.end())]))
            });
            matches.push(Value::Array(groups.collect()));
            if mode != "all" {
                break;
            }
        }
        Value::Array(matches)
    }
}
