//! How many tokens one expert takes in one forward call.

use super::GateConfig;

/// `max(ceil(f32(T / E) * f32(k * capacity_factor)), min_capacity)`, DeepSpeed `_capacity`.
///
/// The product is taken in f32 as torch does it: T = 50, E = 4, factor 1.2 gives 16, in f64 it would
/// be 15. `T` counts every token of the call, padding included.
pub fn capacity(tokens: usize, num_experts: usize, config: &GateConfig) -> usize {
    let per_expert = (tokens as f64 / num_experts.max(1) as f64) as f32;
    let factor = (config.capacity_factor * config.top_k as f64) as f32;
    // A float beyond usize saturates; nothing is allocated by capacity.
    ((per_expert * factor).ceil() as usize).max(config.min_capacity)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_product_is_rounded_in_f32() {
        assert_eq!(capacity(50, 4, &GateConfig::new(1, 1.2, 0)), 16);
        assert_eq!(capacity(100, 4, &GateConfig::new(1, 2.2, 0)), 55);
        assert_eq!(capacity(1, 4, &GateConfig::new(2, 1.0, 4)), 4);
    }
}
