//! Loops over `f32` that the machine's vector units should run: softmax, sums, the gated activation, scaled sums.
//!
//! A portable build may only assume SSE2, so each loop is compiled a second time for AVX2 with FMA and chosen
//! at run time. Sums are kept in [`LANES`] parts, because adding strictly left to right cannot be vectorised;
//! every part has the same order on every machine.
//!
//! By hand, because candle-nn's kernels for the CPU take three to five times as long (measured, see
//! `docs/benchmarks.md`, section Kernels).

/// Parts of a sum: two AVX2 registers.
const LANES: usize = 16;

/// Defines a function that exists twice: as written, and for AVX2 with FMA where the machine has them.
macro_rules! vectorised {
    ($(#[$doc:meta])* pub fn $name:ident($($arg:ident: $ty:ty),*) $(-> $out:ty)? $body:block) => {
        $(#[$doc])*
        #[allow(unsafe_code)]
        pub(super) fn $name($($arg: $ty),*) $(-> $out)? {
            #[inline(always)]
            fn plain($($arg: $ty),*) $(-> $out)? $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                fn wide($($arg: $ty),*) $(-> $out)? {
                    plain($($arg),*)
                }
                if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                    // SAFETY: the features were found on the line above.
                    return unsafe { wide($($arg),*) };
                }
            }
            plain($($arg),*)
        }
    };
}

/// e^x without a call and without branches, so that loops over it vectorise: split x = n ln 2 + r, a
/// polynomial of degree 6 for e^r, n into the exponent bits. Within 2e-7 of the exact value, relative;
/// x below -87 gives 1e-38 instead of less.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    /// 1.5 * 2^23: adding it rounds to a whole number, which then stands in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    // ln 2 in two parts, the first exact in a product with any n.
    let r = x - n * 0.693_359_4 - n * -2.121_944_4e-4;
    let mut p = 1.0 / 720.0;
    for c in [1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        p = p * r + c;
    }
    let exponent = shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127);
    p * f32::from_bits(exponent << 23)
}

/// Adds `values` to a part one by one with `add`, in [`LANES`] parts, then combines the parts.
#[inline(always)]
fn fold(values: &[f32], start: f32, add: impl Fn(f32, f32) -> f32, combine: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [start; LANES];
    let (whole, rest) = values.as_chunks::<LANES>();
    for chunk in whole {
        for (lane, v) in lanes.iter_mut().zip(chunk) {
            *lane = add(*lane, *v);
        }
    }
    for (lane, v) in lanes.iter_mut().zip(rest) {
        *lane = add(*lane, *v);
    }
    lanes.into_iter().fold(start, combine)
}

#[inline(always)]
fn smaller(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

vectorised! {
    /// Softmax of `scale * values` in place; `sink` is one more logit that takes probability and gives none.
    pub fn softmax(values: &mut [f32], scale: f32, sink: Option<f32>) {
        let extreme = if scale < 0.0 {
            fold(values, f32::INFINITY, smaller, smaller)
        } else {
            fold(values, f32::NEG_INFINITY, larger, larger)
        };
        let max = larger(extreme * scale, sink.unwrap_or(f32::NEG_INFINITY));
        let mut lanes = [0f32; LANES];
        let (whole, rest) = values.as_chunks_mut::<LANES>();
        for chunk in whole {
            for (lane, v) in lanes.iter_mut().zip(chunk) {
                *v = exp(*v * scale - max);
                *lane += *v;
            }
        }
        for (lane, v) in lanes.iter_mut().zip(rest) {
            *v = exp(*v * scale - max);
            *lane += *v;
        }
        let sum = lanes.into_iter().sum::<f32>() + sink.map_or(0.0, |s| (s - max).exp());
        let scale = 1.0 / sum;
        values.iter_mut().for_each(|v| *v *= scale);
    }
}

vectorised! {
    /// Sum of squares.
    pub fn sum_of_squares(values: &[f32]) -> f32 {
        fold(values, 0.0, |sum, v| sum + v * v, |a, b| a + b)
    }
}

vectorised! {
    /// `values = values * scale * weight`.
    pub fn scale_by(values: &mut [f32], scale: f32, weight: &[f32]) {
        values.iter_mut().zip(weight).for_each(|(v, w)| *v = *v * scale * w);
    }
}

vectorised! {
    /// `values = (values - mean) / sqrt(var + eps) * weight + bias`, with the variance of all elements.
    pub fn layer_norm(values: &mut [f32], weight: &[f32], bias: &[f32], eps: f32) {
        let n = values.len() as f32;
        let mean = fold(values, 0.0, |sum, v| sum + v, |a, b| a + b) / n;
        let var = fold(values, 0.0, |sum, v| sum + (v - mean) * (v - mean), |a, b| a + b) / n;
        let scale = 1.0 / (var + eps).sqrt();
        values.iter_mut().zip(weight).zip(bias).for_each(|((v, w), b)| *v = (*v - mean) * scale * w + b);
    }
}

vectorised! {
    /// `gate = silu(gate) * up`.
    pub fn silu_gated(gate: &mut [f32], up: &[f32]) {
        for (g, u) in gate.iter_mut().zip(up) {
            *g = *g / (1.0 + exp(-*g)) * u;
        }
    }
}

vectorised! {
    /// `x = silu(x)`.
    pub fn silu(values: &mut [f32]) {
        values.iter_mut().for_each(|v| *v /= 1.0 + exp(-*v));
    }
}

vectorised! {
    /// `x = gelu(x)` in its tanh approximation, `x (1 + tanh u) / 2` with `u = sqrt(2/π) (x + 0.044715 x³)`, written
    /// as `x sigmoid(2u)`: the same function without a difference of nearly equal numbers.
    pub fn gelu_tanh(values: &mut [f32]) {
        const SQRT_2_OVER_PI: f32 = 0.797_884_6;
        for v in values {
            let x = *v;
            *v = x / (1.0 + exp(-2.0 * SQRT_2_OVER_PI * (x + 0.044_715 * x * x * x)));
        }
    }
}

vectorised! {
    /// `sum += scale * values`.
    pub fn add_scaled(sum: &mut [f32], values: &[f32], scale: f32) {
        sum.iter_mut().zip(values).for_each(|(s, v)| *s += scale * v);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_close_to_the_exact_one() {
        for i in -8700..8800 {
            let x = i as f32 / 100.0;
            let exact = f64::from(x).exp();
            assert!((f64::from(exp(x)) - exact).abs() <= exact * 3e-7, "{x}");
        }
        assert!(exp(f32::NEG_INFINITY) < 1e-37 && exp(-1000.0) < 1e-37);
    }

    #[test]
    fn softmax_agrees_with_its_definition_at_every_length() {
        for n in 1..50usize {
            for (scale, sink) in [(0.5f32, None), (0.5, Some(0.75f32)), (-0.5, None)] {
                let values: Vec<f32> = (0..n).map(|i| (i as f32 * 1.7).sin() * 4.0).collect();
                let exps: Vec<f64> = values.iter().map(|v| f64::from(v * scale).exp()).collect();
                let sum = exps.iter().sum::<f64>() + sink.map_or(0.0, |s| f64::from(s).exp());
                let mut ours = values.clone();
                softmax(&mut ours, scale, sink);
                assert!(ours.iter().zip(&exps).all(|(a, e)| (f64::from(*a) - e / sum).abs() < 1e-6), "{n}");
            }
        }
    }

    #[test]
    fn sums_and_products_take_every_element() {
        for n in 0..40usize {
            let values: Vec<f32> = (0..n).map(|i| i as f32).collect();
            let exact: f32 = values.iter().map(|v| v * v).sum();
            assert_eq!(sum_of_squares(&values), exact);
            let mut sum = vec![1.0; n];
            add_scaled(&mut sum, &values, 2.0);
            assert!(sum.iter().zip(&values).all(|(s, v)| *s == 1.0 + 2.0 * v));
            let mut scaled = values.clone();
            scale_by(&mut scaled, 0.5, &sum);
            assert!(scaled.iter().zip(&values).all(|(s, v)| *s == v * 0.5 * (1.0 + 2.0 * v)));
            let mut gate = values.clone();
            silu_gated(&mut gate, &values);
            assert!(
                gate.iter()
                    .zip(&values)
                    .all(|(g, v)| (g - v * v / (1.0 + (-v).exp())).abs() <= 1e-6 * g.abs())
            );
        }
    }
}
