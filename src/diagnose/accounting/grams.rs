//! Where texts stand in a prompt that is asked for very many of them: an index of its three-byte pieces, so that a text
//! which is not there costs no walk through the prompt.

use std::collections::HashMap;

const WIDTH: usize = 3;

/// The places of every piece of three bytes.
#[derive(Debug)]
pub struct Grams {
    places: HashMap<[u8; WIDTH], Vec<u32>>,
}

impl Grams {
    /// `None` for a prompt whose places are no `u32`.
    pub fn new(prompt: &str) -> Option<Self> {
        u32::try_from(prompt.len()).ok()?;
        let mut places: HashMap<[u8; WIDTH], Vec<u32>> = HashMap::new();
        for (at, piece) in prompt.as_bytes().windows(WIDTH).enumerate() {
            if let (Ok(piece), Ok(at)) = (<[u8; WIDTH]>::try_from(piece), u32::try_from(at)) {
                places.entry(piece).or_default().push(at);
            }
        }
        Some(Self { places })
    }

    /// The first place of a text at or behind `from`: the rarest of its pieces says where it can be. `None` for a text that is
    /// too short to ask for, `Some(None)` for one that is not there.
    pub fn find(&self, prompt: &str, text: &str, from: usize) -> Option<Option<usize>> {
        let bytes = text.as_bytes();
        let none: &[u32] = &[];
        let of = |piece: &[u8]| {
            let piece = <[u8; WIDTH]>::try_from(piece).ok()?;
            Some(self.places.get(&piece).map_or(none, Vec::as_slice))
        };
        let pieces = bytes.windows(WIDTH).enumerate().filter_map(|(at, piece)| Some((at, of(piece)?)));
        let (at, places) = pieces.min_by_key(|(_, places)| places.len())?;
        let first = places.partition_point(|place| (*place as usize) < from + at);
        let starts = places.get(first..).unwrap_or_default().iter().map(|place| *place as usize - at);
        let mut starts = starts.filter(|start| {
            prompt.as_bytes().get(*start..*start + bytes.len()).is_some_and(|there| there == bytes)
        });
        Some(starts.next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_finds_what_a_search_finds() {
        let prompt = "abcabcabd été abcabx 漢字漢字 abc";
        let grams = Grams::new(prompt).expect("short");
        for text in ["abcabd", "été ", "漢字漢字", "abcabx", "zzzz", "abc", "cabcabd"] {
            for from in (0..prompt.len()).filter(|at| prompt.is_char_boundary(*at)) {
                let expected = prompt[from..].find(text).map(|at| from + at);
                assert_eq!(grams.find(prompt, text, from), Some(expected), "{text} from {from}");
            }
        }
        assert_eq!(grams.find(prompt, "ab", 0), None);
    }
}
