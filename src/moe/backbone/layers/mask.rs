//! Which keys a query may see.

use std::ops::Range;

/// Which keys a query sees: causal, at most `window` back, inside its chunk, no padding.
#[derive(Debug, Clone, Default)]
pub(in crate::moe::backbone) struct AttentionMask {
    /// Query i sees keys j with i - window < j <= i.
    pub window: Option<usize>,
    /// Query i sees keys of its own chunk only (Llama 4).
    pub chunk: Option<usize>,
}

impl AttentionMask {
    /// The keys that query `i` of a sequence of `len` real tokens sees; none for a padding query whose
    /// window holds padding only. torch adds the smallest f32 to every score of such a row, which leaves a
    /// uniform mixture of all keys: every device does the same, because the row is routed like any other.
    pub fn keys(&self, i: usize, len: usize) -> Range<usize> {
        let window_start = self.window.map_or(0, |w| (i + 1).saturating_sub(w));
        let chunk_start = self.chunk.map_or(0, |c| i - i % c.max(1));
        let end = (i + 1).min(len);
        window_start.max(chunk_start).min(end)..end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_chunks_and_padding_limit_the_keys() {
        let plain = AttentionMask::default();
        assert_eq!(plain.keys(3, 10), 0..4);
        assert_eq!(plain.keys(3, 2), 0..2);
        assert_eq!(AttentionMask { window: Some(2), chunk: None }.keys(3, 10), 2..4);
        assert_eq!(AttentionMask { window: None, chunk: Some(2) }.keys(3, 10), 2..4);
        assert_eq!(AttentionMask { window: None, chunk: Some(2) }.keys(4, 10), 4..5);
        assert!(AttentionMask { window: Some(1), chunk: None }.keys(3, 1).is_empty());
    }
}
