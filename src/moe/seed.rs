//! Random numbers from a seed, for gates, noise and stand-in features. By hand, because a seed must give the same
//! checkpoint in every release: `rand` keeps no such promise for its distributions.

/// SplitMix64 (Steele, Lea and Flood 2014): 64 bits of state, passes BigCrush, needs no warm-up.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// An independent stream for `stream`.
    pub fn fork(&self, stream: u64) -> Self {
        let mut child = Self(self.0 ^ stream.wrapping_add(1).wrapping_mul(0xd1b5_4a32_d192_ed03));
        child.next();
        child
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In [0, 1), 24 bits.
    pub fn uniform(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u32 << 24) as f32
    }

    /// Below `n` (0 for n = 0).
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }

    /// Standard normal (Box–Muller).
    pub fn normal(&mut self) -> f32 {
        let radius = (-2.0 * (1.0 - f64::from(self.uniform())).ln()).sqrt();
        (radius * (std::f64::consts::TAU * f64::from(self.uniform())).cos()) as f32
    }

    /// Gumbel(0, 1): -ln(-ln u), u in (0, 1).
    pub fn gumbel(&mut self) -> f32 {
        let u = (self.next() >> 11) as f64 / (1u64 << 53) as f64 + f64::EPSILON / 4.0;
        (-(-u.ln()).ln()) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_repeatable_and_different() {
        let draw = |mut rng: Rng| (0..4).map(|_| rng.uniform()).collect::<Vec<_>>();
        let rng = Rng::new(7);
        assert_eq!(draw(rng.fork(1)), draw(rng.fork(1)));
        assert_ne!(draw(rng.fork(1)), draw(rng.fork(2)));
    }

    #[test]
    fn moments_are_right() {
        let mut rng = Rng::new(0);
        let n = 20_000;
        let mean = |f: &mut dyn FnMut() -> f32| (0..n).map(|_| f64::from(f())).sum::<f64>() / f64::from(n);
        assert!((mean(&mut || rng.uniform()) - 0.5).abs() < 0.01);
        assert!(mean(&mut || rng.normal()).abs() < 0.03);
        // The mean of Gumbel(0, 1) is Euler's constant.
        assert!((mean(&mut || rng.gumbel()) - 0.5772).abs() < 0.03);
        assert!((0..1000).all(|_| rng.below(3) < 3) && rng.below(0) == 0);
    }
}
