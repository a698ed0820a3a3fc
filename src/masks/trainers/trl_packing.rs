//! TRL 1.16 packing: `pack_dataset` of `data_utils.py`, and what the padding-free collator does to each pack.
//!
//! `bfd`: sequences by length, longest first, each into the fullest pack that still has room; `bfd_split`: the same after
//! long sequences are cut in fragments; `wrapped`: everything in one row, cut every `max_length` tokens.
#![cfg_attr(not(feature = "internals"), allow(dead_code))] // compared with the trainer; no command packs yet

use std::collections::{BTreeMap, VecDeque};

use serde::Deserialize;

use super::TrainingSequence;
use crate::masks::MaskError;

/// `packing_strategy`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PackingStrategy {
    #[default]
    Bfd,
    BfdSplit,
    Wrapped,
}

/// A packed sequence.
#[derive(Debug, Clone, PartialEq)]
pub struct Pack {
    /// As the data set holds it.
    pub sequence: TrainingSequence,
    /// As the collator feeds it: position ids restart at each document, whose first token is no target.
    pub collated: TrainingSequence,
}

/// Packs sequences of a whole data set.
///
/// # Errors
/// `ValueError` without `max_length`.
pub fn pack(
    sequences: &[TrainingSequence],
    max_length: Option<usize>,
    strategy: PackingStrategy,
) -> Result<Vec<Pack>, MaskError> {
    let Some(max_length) = max_length.filter(|max| *max > 0) else {
        let message = "When packing is enabled, `max_length` can't be `None`.";
        return Err(MaskError::python("ValueError", message));
    };
    let sequences = sequences.iter().filter(|sequence| !sequence.input_ids.is_empty());
    match strategy {
        PackingStrategy::Wrapped => {
            let mut all = TrainingSequence::default();
            sequences.for_each(|sequence| append(&mut all, sequence));
            let packs = fragments(&all, max_length);
            Ok(packs.into_iter().map(|sequence| Pack { collated: sequence.clone(), sequence }).collect())
        }
        PackingStrategy::Bfd => {
            let cut = sequences.map(|sequence| {
                let mut sequence = sequence.clone();
                sequence.cut(0..max_length);
                sequence
            });
            Ok(best_fit(cut.collect(), max_length))
        }
        PackingStrategy::BfdSplit => {
            Ok(best_fit(sequences.flat_map(|sequence| fragments(sequence, max_length)).collect(), max_length))
        }
    }
}

fn append(sequence: &mut TrainingSequence, other: &TrainingSequence) {
    sequence.input_ids.extend(&other.input_ids);
    sequence.targets.extend(&other.targets);
}

/// Consecutive pieces of at most `size` tokens.
fn fragments(sequence: &TrainingSequence, size: usize) -> Vec<TrainingSequence> {
    let pieces = sequence.input_ids.chunks(size).zip(sequence.targets.chunks(size));
    pieces.map(|(ids, targets)| TrainingSequence::new(ids.to_vec(), targets.to_vec())).collect()
}

/// Best-fit decreasing. Packs with the same room are filled in the order in which they came to have it.
fn best_fit(documents: Vec<TrainingSequence>, max_length: usize) -> Vec<Pack> {
    let mut order: Vec<usize> = (0..documents.len()).collect();
    let len = |index: &usize| documents.get(*index).map_or(0, |document| document.input_ids.len());
    order.sort_by_key(|index| std::cmp::Reverse(len(index)));
    let mut packs: Vec<Vec<usize>> = Vec::new();
    let mut by_room: BTreeMap<usize, VecDeque<usize>> = BTreeMap::new();
    for index in order {
        let length = len(&index);
        let fitting = by_room.range_mut(length..).find(|(_, packs)| !packs.is_empty());
        let (room, pack) = match fitting.and_then(|(room, packs)| Some((*room, packs.pop_front()?))) {
            Some(found) => found,
            None => {
                packs.push(Vec::new());
                (max_length, packs.len() - 1)
            }
        };
        packs.get_mut(pack).into_iter().for_each(|members| members.push(index));
        if room > length {
            by_room.entry(room - length).or_default().push_back(pack);
        }
    }
    let packed = |members: Vec<usize>| {
        let mut sequence = TrainingSequence::default();
        let (mut positions, mut lengths) = (Vec::new(), Vec::new());
        for document in members.iter().filter_map(|index| documents.get(*index)) {
            append(&mut sequence, document);
            positions.extend(0..document.input_ids.len());
            lengths.push(document.input_ids.len());
        }
        let mut collated = sequence.clone();
        for (target, _) in collated.targets.iter_mut().zip(&positions).filter(|(_, at)| **at == 0) {
            *target = false;
        }
        collated.position_ids = Some(positions);
        collated.seq_lens = Some(lengths);
        Pack { sequence, collated }
    };
    packs.into_iter().map(packed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_lengths(lengths: &[usize]) -> Vec<TrainingSequence> {
        lengths.iter().map(|len| TrainingSequence::new(vec![*len as u32; *len], vec![true; *len])).collect()
    }

    fn seq_lens(lengths: &[usize], strategy: PackingStrategy) -> Vec<Vec<usize>> {
        let packs = pack(&of_lengths(lengths), Some(4), strategy).unwrap();
        packs.into_iter().map(|pack| pack.collated.seq_lens.unwrap()).collect()
    }

    #[test]
    fn documents_go_where_they_fit_best() {
        assert_eq!(seq_lens(&[5, 2, 3, 1], PackingStrategy::Bfd), [vec![4], vec![3, 1], vec![2]]);
        assert_eq!(seq_lens(&[5, 2, 3, 1], PackingStrategy::BfdSplit), [vec![4], vec![3, 1], vec![2, 1]]);
        let packs = pack(&of_lengths(&[3, 3]), Some(4), PackingStrategy::Bfd).unwrap();
        assert_eq!(packs[0].collated.targets, [false, true, true]);
        assert_eq!(packs[0].sequence.targets, [true, true, true]);
        let wrapped = pack(&of_lengths(&[3, 3]), Some(4), PackingStrategy::Wrapped).unwrap();
        assert_eq!(wrapped[1].collated.input_ids, [3, 3]);
        assert!(pack(&[], None, PackingStrategy::Bfd).is_err());
    }
}
