//! Tensors that are made from a seed when they are read, row by row.

use std::collections::BTreeMap;

use crate::moe::seed::Rng;

/// What a generated tensor is filled with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fill {
    Constant(f32),
    /// U(-bound, bound).
    Uniform(f32),
    /// Normal around 0 with this deviation.
    Normal(f32),
}

/// The fills of all tensors by name.
#[derive(Debug)]
pub(super) struct Generator {
    pub fills: BTreeMap<String, Fill>,
    pub seed: u64,
}

impl Generator {
    /// Rows `start..start + count` of `width` values each. A row depends on the seed, the tensor's name and its own
    /// number only, so that reading one costs one.
    pub fn rows(&self, name: &str, start: usize, count: usize, width: usize) -> Vec<f32> {
        let fill = self.fills.get(name).copied().unwrap_or(Fill::Constant(0.0));
        let tensor = Rng::new(self.seed).fork(hash(name));
        let row = |row: usize| {
            let mut rng = tensor.fork(row as u64);
            let value = move |_| match fill {
                Fill::Constant(value) => value,
                Fill::Uniform(bound) => (rng.uniform() * 2.0 - 1.0) * bound,
                Fill::Normal(deviation) => rng.normal() * deviation,
            };
            (0..width).map(value)
        };
        (start..start + count).flat_map(row).collect()
    }
}

/// FNV-1a, 64 bits: the same on every machine and in every release.
fn hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}
