//! Weights as a GPU keeps them. What the file stores in 16 bits stays in 16 bits there, and the shader unpacks it: values
//! that all fit bf16 or f16 exactly are packed, so nothing is ever rounded.

use super::buffer::GpuBuffer;

/// How the values of a matrix are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PackedFormat {
    F32 = 0,
    F16 = 1,
    Bf16 = 2,
}

/// A weight on a GPU, in as many pieces of whole rows as the device's limit on one binding asks for.
#[derive(Debug, Clone)]
pub(in crate::moe::backbone) struct PackedLinear {
    pub(super) pieces: Vec<PackedPiece>,
    pub(super) format: PackedFormat,
    pub(super) input: usize,
    pub(super) out: usize,
    /// Bytes of all of it.
    pub bytes: usize,
}

/// Rows `first..first + out` of a weight `[out, in]`.
#[derive(Debug, Clone)]
pub(super) struct PackedPiece {
    pub first: usize,
    pub out: usize,
    pub weight: GpuBuffer,
    pub bias: Option<GpuBuffer>,
}

impl PackedFormat {
    /// The smallest format that holds every value exactly.
    pub fn of(values: &[f32]) -> Self {
        if values.iter().all(|v| v.to_bits() & 0xffff == 0) {
            Self::Bf16
        } else if values.iter().all(|v| f16_bits(*v).is_some()) {
            Self::F16
        } else {
            Self::F32
        }
    }

    /// Bytes of a value.
    pub fn size(self) -> usize {
        if self == Self::F32 { 4 } else { 2 }
    }

    /// The values as bytes, a whole number of words.
    pub fn pack(self, values: &[f32]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity((values.len() * self.size()).next_multiple_of(4));
        match self {
            Self::F32 => values.iter().for_each(|v| bytes.extend(v.to_le_bytes())),
            Self::F16 => {
                values.iter().for_each(|v| bytes.extend(f16_bits(*v).unwrap_or_default().to_le_bytes()));
            }
            Self::Bf16 => {
                values.iter().for_each(|v| bytes.extend(((v.to_bits() >> 16) as u16).to_le_bytes()));
            }
        }
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }
}

/// The f16 that is exactly `v`.
fn f16_bits(v: f32) -> Option<u16> {
    let bits = v.to_bits();
    let sign = ((bits >> 16) & 0x8000) as u16;
    let rest = bits & 0x7fff_ffff;
    let exponent = (rest >> 23) as i32 - 127;
    if (-14..=15).contains(&exponent) {
        return (rest & 0x1fff == 0).then_some(sign | ((rest - 0x3800_0000) >> 13) as u16);
    }
    // Zero, and multiples of 2^-24 below the normal numbers.
    let steps = v.abs() * 16_777_216.0;
    (exponent < -14 && steps.fract() == 0.0).then_some(sign | steps as u16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::moe::checkpoint::f16_to_f32;

    #[test]
    fn every_f16_is_packed_as_itself_and_nothing_is_rounded() {
        for bits in (0..=u16::MAX).filter(|bits| bits & 0x7c00 != 0x7c00) {
            assert_eq!(f16_bits(f16_to_f32(bits)), Some(bits));
        }
        for v in [1.0 + f32::EPSILON, 1e-8, 65536.0, 1e30, 5.960_464_5e-8 * 1.5] {
            assert_eq!(f16_bits(v), None, "{v}");
        }
    }

    #[test]
    fn the_smallest_format_that_is_exact_is_taken() {
        assert_eq!(PackedFormat::of(&[1.0, -2.5, 2f32.powi(90)]), PackedFormat::Bf16);
        assert_eq!(PackedFormat::of(&[1.0, 1.000_976_6]), PackedFormat::F16);
        assert_eq!(PackedFormat::of(&[1.0, 0.1]), PackedFormat::F32);
        assert_eq!(PackedFormat::Bf16.pack(&[1.0, -2.5, 2f32.powi(90)]).len(), 8);
    }
}
