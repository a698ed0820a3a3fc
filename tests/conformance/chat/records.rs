//! Reading golden records and counting what matched.

use std::collections::BTreeMap;
use std::fmt::Debug;

use serde_json::Value;

pub use crate::records as json_lines;

pub fn u32s(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as u32).collect()
}

/// Matches and misses by kind of check; panics at the end when anything missed or nothing was checked.
pub struct Tally {
    what: &'static str,
    counts: BTreeMap<String, (usize, usize)>,
    misses: Vec<String>,
}

impl Tally {
    pub fn new(what: &'static str) -> Self {
        Self { what, counts: BTreeMap::new(), misses: Vec::new() }
    }

    pub fn check<T: PartialEq + Debug>(&mut self, kind: &str, id: &str, found: &T, expected: &T) {
        if found == expected {
            self.counts.entry(kind.into()).or_default().0 += 1;
        } else {
            self.fail(kind, id, format!("\n    found    {found:?}\n    expected {expected:?}"));
        }
    }

    pub fn fail(&mut self, kind: &str, id: &str, why: String) {
        self.counts.entry(kind.into()).or_default().1 += 1;
        self.misses.push(format!("{kind} {id}: {why}"));
    }

    pub fn finish(self) {
        for (kind, (matched, missed)) in &self.counts {
            eprintln!("{} {kind}: {matched} match, {missed} do not", self.what);
        }
        assert!(!self.counts.is_empty(), "{}: nothing was checked", self.what);
        let shown: Vec<String> = self
            .misses
            .iter()
            .take(std::env::var("MISSES").ok().and_then(|n| n.parse().ok()).unwrap_or(12))
            .cloned()
            .collect();
        assert!(self.misses.is_empty(), "{} of {} miss:\n{}", self.misses.len(), self.what, shown.join("\n"));
    }
}

/// Labels of a golden: a list, or spans where the label is the id.
pub fn labels_of(record: &Value, ids: &[u32]) -> Vec<i64> {
    if let Some(labels) = record["labels"].as_array() {
        return labels.iter().map(|label| label.as_i64().unwrap()).collect();
    }
    let mut labels = vec![-100; ids.len()];
    for span in record["spans"].as_array().unwrap() {
        for at in span[0].as_u64().unwrap()..span[1].as_u64().unwrap() {
            labels[at as usize] = i64::from(ids[at as usize]);
        }
    }
    labels
}
