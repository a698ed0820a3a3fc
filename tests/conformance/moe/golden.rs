//! Reading golden arrays and comparing with a tolerance.

use std::path::Path;

use maskscope::moe::checkpoint::Checkpoint;

/// Arrays of a golden file.
pub struct Arrays(Checkpoint);

impl Arrays {
    pub fn open(path: &Path) -> Self {
        Self(Checkpoint::open(path).unwrap_or_else(|e| panic!("{e}")))
    }

    pub fn f32(&self, name: &str) -> Vec<f32> {
        let shape = self.0.info(name).unwrap_or_else(|e| panic!("{e}")).shape.clone();
        self.0.f32(name, &shape).unwrap_or_else(|e| panic!("{e}"))
    }

    pub fn i16(&self, name: &str) -> Vec<i64> {
        let bytes = self.0.bytes(name).unwrap_or_else(|e| panic!("{e}"));
        bytes.as_chunks::<2>().0.iter().map(|&b| i64::from(i16::from_le_bytes(b))).collect()
    }

    pub fn i64(&self, name: &str) -> Vec<i64> {
        let bytes = self.0.bytes(name).unwrap_or_else(|e| panic!("{e}"));
        bytes.as_chunks::<8>().0.iter().map(|&b| i64::from_le_bytes(b)).collect()
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }
}

pub fn json(path: &Path) -> serde_json::Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

pub fn usizes(value: &serde_json::Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as usize).collect()
}

/// The largest absolute difference; infinite where the lengths differ or a value is NaN.
pub fn max_diff(ours: &[f32], theirs: &[f32]) -> f32 {
    if ours.len() != theirs.len() || ours.iter().chain(theirs).any(|v| v.is_nan()) {
        return f32::INFINITY;
    }
    ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// Counts cases and keeps what failed.
#[derive(Default)]
pub struct Tally {
    passed: usize,
    failures: Vec<String>,
}

impl Tally {
    pub fn case(&mut self, name: &str, problems: Vec<String>) {
        if problems.is_empty() {
            self.passed += 1;
        } else {
            self.failures.push(format!("{name}: {}", problems.join("; ")));
        }
    }

    /// Prints the count; gives the number of failures. No case at all is one.
    pub fn print(&self, what: &str) -> usize {
        println!("{what}: {} of {} cases", self.passed, self.passed + self.failures.len());
        self.failures.iter().take(5).for_each(|f| println!("  {f}"));
        assert!(self.passed + self.failures.len() > 0, "{what}: nothing was checked");
        self.failures.len()
    }

    pub fn finish(self, what: &str) {
        let failures = self.print(what);
        assert_eq!(failures, 0, "cases of {what} differ");
    }
}

/// The models in a folder of goldens; one without any would make a test that cannot fail.
pub fn model_folders(dir: &Path) -> Vec<std::path::PathBuf> {
    let found = folders(dir);
    assert!(!found.is_empty(), "{} holds no model", dir.display());
    found
}

/// Sub-folders that hold a config.json, sorted.
pub fn folders(dir: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    let mut found: Vec<_> =
        entries.filter_map(|e| e.ok().map(|e| e.path())).filter(|p| p.join("config.json").exists()).collect();
    found.sort();
    found
}

/// `input_ids` of a golden file as input rows.
pub fn sequences(ids: &serde_json::Value) -> Vec<Vec<maskscope::moe::backbone::InputRow>> {
    let row = |id: usize| maskscope::moe::backbone::InputRow::Token(id as u32);
    ids.as_array().unwrap().iter().map(|s| usizes(s).into_iter().map(row).collect()).collect()
}
