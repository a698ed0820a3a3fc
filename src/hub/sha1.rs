//! SHA-1 (FIPS 180-4, section 6.1), the name that git gives to small files of a repository.
//!
//! It guards against damage, not against an attacker, and is used for nothing else: the large files have SHA-256.

const BLOCK: usize = 64;

/// A running SHA-1.
#[derive(Debug, Clone)]
pub(super) struct Sha1 {
    state: [u32; 5],
    /// Bytes that do not fill a block yet.
    pending: Vec<u8>,
    length: u64,
}

impl Sha1 {
    pub(super) fn new() -> Self {
        let state = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
        Self { state, pending: Vec::with_capacity(2 * BLOCK), length: 0 }
    }

    pub(super) fn update(&mut self, mut bytes: &[u8]) {
        self.length += bytes.len() as u64;
        if !self.pending.is_empty() {
            let (head, rest) = bytes.split_at((BLOCK - self.pending.len()).min(bytes.len()));
            self.pending.extend_from_slice(head);
            bytes = rest;
            if let Ok(block) = <&[u8; BLOCK]>::try_from(self.pending.as_slice()) {
                compress(&mut self.state, block);
                self.pending.clear();
            }
        }
        let (blocks, rest) = bytes.as_chunks::<BLOCK>();
        for block in blocks {
            compress(&mut self.state, block);
        }
        self.pending.extend_from_slice(rest);
    }

    /// The 40 hexadecimal digits of the digest.
    pub(super) fn hex(mut self) -> String {
        let bits = self.length.wrapping_mul(8);
        let padded = (self.pending.len() + 9).next_multiple_of(BLOCK);
        self.pending.push(0x80);
        self.pending.resize(padded - 8, 0);
        self.pending.extend_from_slice(&bits.to_be_bytes());
        for block in self.pending.as_chunks::<BLOCK>().0 {
            compress(&mut self.state, block);
        }
        self.state.iter().map(|word| format!("{word:08x}")).collect()
    }
}

/// One block into the state. Indices are constants of the standard, all below the arrays' lengths.
#[allow(clippy::indexing_slicing)]
fn compress(state: &mut [u32; 5], block: &[u8; BLOCK]) {
    let mut w = [0_u32; 80];
    for (word, bytes) in w.iter_mut().zip(block.as_chunks::<4>().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    for t in 16..80 {
        w[t] = (w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16]).rotate_left(1);
    }
    let [mut a, mut b, mut c, mut d, mut e] = *state;
    for (t, word) in w.iter().enumerate() {
        let (f, k) = match t {
            0..20 => ((b & c) | (!b & d), 0x5a82_7999),
            20..40 => (b ^ c ^ d, 0x6ed9_eba1),
            40..60 => ((b & c) | (b & d) | (c & d), 0x8f1b_bcdc),
            _ => (b ^ c ^ d, 0xca62_c1d6_u32),
        };
        let next = a.rotate_left(5).wrapping_add(f).wrapping_add(e).wrapping_add(k).wrapping_add(*word);
        (e, d, c, b, a) = (d, c, b.rotate_left(30), a, next);
    }
    for (word, added) in state.iter_mut().zip([a, b, c, d, e]) {
        *word = word.wrapping_add(added);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sha1(bytes: &[u8]) -> String {
        let mut hash = Sha1::new();
        hash.update(bytes);
        hash.hex()
    }

    #[test]
    fn vectors_of_the_standard() {
        assert_eq!(sha1(b""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
        assert_eq!(sha1(b"abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
        let two_blocks = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
        assert_eq!(sha1(two_blocks), "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
        assert_eq!(sha1(&vec![b'a'; 1_000_000]), "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
    }

    #[test]
    fn pieces_give_the_digest_of_the_whole() {
        let bytes: Vec<u8> = (0..1000_u32).map(|i| (i * 7 % 251) as u8).collect();
        for piece in [1, 3, 55, 56, 63, 64, 65, 127, 128, 999] {
            let mut hash = Sha1::new();
            bytes.chunks(piece).for_each(|chunk| hash.update(chunk));
            assert_eq!(hash.hex(), sha1(&bytes), "pieces of {piece}");
        }
    }
}
