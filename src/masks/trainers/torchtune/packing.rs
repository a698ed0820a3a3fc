//! torchtune's `PackedDataset` (`datasets/_packed.py`): samples one after another, padded to the length of a pack.
//!
//! First tokens of samples keep their labels. A sample that is split goes on in the next pack with its positions, its
//! first token there being a target of a token that is not there.
#![cfg_attr(not(feature = "internals"), allow(dead_code))] // compared with the trainer; no command packs yet

use crate::masks::MaskError;
use crate::masks::trainers::TrainingSequence;
use crate::tokenizer::TokenId;

/// Options of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackOptions {
    pub max_seq_len: usize,
    pub split_across_pack: bool,
    pub padding_idx: TokenId,
}

/// Packs samples in their order.
///
/// # Errors
/// `ValueError` for a sample that is longer than a pack and may not be split.
pub fn pack(samples: &[TrainingSequence], options: &PackOptions) -> Result<Vec<TrainingSequence>, MaskError> {
    let max = options.max_seq_len;
    let mut packs = Vec::new();
    let mut current = Unfinished::default();
    for sample in samples {
        let len = sample.input_ids.len();
        if len > max && !options.split_across_pack {
            return Err(MaskError::python(
                "ValueError",
                format!(
                    "Dataset sample is too long ({len} > {max}). Please set `split_across_pack=True` or increase \
                     `max_seq_len`."
                ),
            ));
        }
        let boundary = current.ids.len();
        current.ids.extend(&sample.input_ids);
        current.targets.extend(&sample.targets);
        current.positions.extend((0..len).map(|at| at % max.max(1)));
        current.lengths.push(len);
        while current.ids.len() > max {
            let at = if options.split_across_pack { max } else { boundary };
            let rest = current.split_off(at, options.split_across_pack);
            packs.push(std::mem::replace(&mut current, rest).padded(options));
        }
    }
    if !current.ids.is_empty() {
        packs.push(current.padded(options));
    }
    Ok(packs)
}

#[derive(Debug, Default)]
struct Unfinished {
    ids: Vec<TokenId>,
    targets: Vec<bool>,
    positions: Vec<usize>,
    lengths: Vec<usize>,
}

impl Unfinished {
    /// Leaves `at` tokens and gives the rest as the start of the next pack.
    fn split_off(&mut self, at: usize, splits_sample: bool) -> Self {
        let last = self.lengths.pop().unwrap_or_default();
        let before: usize = self.lengths.iter().sum();
        if splits_sample && at > before {
            self.lengths.push(at - before);
        }
        let rest = Self {
            ids: self.ids.split_off(at),
            targets: self.targets.split_off(at),
            positions: self.positions.split_off(at),
            lengths: Vec::new(),
        };
        let next = if splits_sample { rest.ids.len() } else { last };
        Self { lengths: vec![next], ..rest }
    }

    fn padded(mut self, options: &PackOptions) -> TrainingSequence {
        let max = options.max_seq_len;
        let missing = max.saturating_sub(self.ids.len());
        if missing > 0 {
            self.lengths.push(missing);
        }
        let next = self.positions.last().map_or(0, |at| at + 1);
        self.positions.extend((next..next + missing).map(|at| at.min(max.saturating_sub(1))));
        self.ids.resize(max, options.padding_idx);
        self.targets.resize(max, false);
        TrainingSequence {
            position_ids: Some(self.positions),
            seq_lens: Some(self.lengths),
            ..TrainingSequence::new(self.ids, self.targets)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(samples: &[usize], split_across_pack: bool) -> Vec<Vec<usize>> {
        let samples: Vec<_> =
            samples.iter().map(|len| TrainingSequence::new(vec![1; *len], vec![true; *len])).collect();
        let options = PackOptions { max_seq_len: 4, split_across_pack, padding_idx: 0 };
        pack(&samples, &options).unwrap().into_iter().map(|pack| pack.seq_lens.unwrap()).collect()
    }

    #[test]
    fn samples_fill_packs_in_order() {
        assert_eq!(lengths(&[3, 2], false), [vec![3, 1], vec![2, 2]]);
        assert_eq!(lengths(&[3, 2], true), [vec![3, 1], vec![1, 3]]);
    }
}
