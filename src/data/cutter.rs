//! Where a JSON record ends, found without parsing it: brackets are counted, strings are skipped.
//!
//! Written here and not left to serde_json's stream: a record that is broken must not end the stream, and parsing is for
//! other threads than the one that reads.

use memchr::memchr3;

/// A record that is being read, piece by piece.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cutter {
    depth: u64,
    in_string: bool,
    escaped: bool,
}

/// Why a look at a piece ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pause {
    /// The piece was used up.
    More,
    /// The record ends here.
    End,
    /// A line ends here, between two tokens.
    Line,
}

impl Cutter {
    /// Goes on through `bytes`; says how many were used, and why no more.
    pub fn advance(&mut self, bytes: &[u8]) -> (usize, Pause) {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            if self.in_string && !self.escaped {
                let Some(found) = memchr3(b'"', b'\\', b'\n', rest) else { break };
                at += found;
            }
            let Some(byte) = bytes.get(at) else { break };
            at += 1;
            if let Some(pause) = self.step(*byte) {
                return (at, pause);
            }
        }
        (bytes.len(), Pause::More)
    }

    fn step(&mut self, byte: u8) -> Option<Pause> {
        match (self.in_string, byte) {
            // No string of JSON holds a bare line break: the record is broken, and ends with its line.
            (true, b'\n') => return Some(Pause::End),
            (true, _) if self.escaped => self.escaped = false,
            (true, b'\\') => self.escaped = true,
            (true, b'"') => self.in_string = false,
            (true, _) => {}
            (false, b'"') => self.in_string = true,
            (false, b'{' | b'[') => self.depth += 1,
            (false, b'}' | b']') => {
                self.depth = self.depth.saturating_sub(1);
                if self.depth == 0 {
                    return Some(Pause::End);
                }
            }
            (false, b'\n') => return Some(Pause::Line),
            (false, _) => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_any_size_end_a_record_at_the_same_byte() {
        let text = "{\"a\": \"}\\\"]\\\\\",\n \"b\": [{}, \"x\\u00e9\"]} {";
        let end = text.rfind('}').expect("a bracket") + 1;
        for size in 1..=text.len() {
            let (mut cutter, mut at, mut lines) = (Cutter::default(), 0, 0);
            loop {
                let piece = &text.as_bytes()[at..(at + size).min(text.len())];
                let (used, pause) = cutter.advance(piece);
                at += used;
                match pause {
                    Pause::More => {}
                    Pause::Line => lines += 1,
                    Pause::End => break,
                }
            }
            assert_eq!((at, lines), (end, 1), "in pieces of {size}");
        }
    }
}
