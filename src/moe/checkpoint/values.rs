//! Little-endian bytes to f32. Half precision by hand: one exact conversion is all that is needed of it.

use safetensors::Dtype;

/// Bytes of one element of a dtype that weights are read from.
pub(super) fn element_bytes(dtype: Dtype) -> Result<usize, String> {
    match dtype {
        Dtype::F16 | Dtype::BF16 => Ok(2),
        Dtype::F32 => Ok(4),
        Dtype::F64 => Ok(8),
        other => Err(format!("has dtype {other}; weights are read from F32, F16, BF16 or F64")),
    }
}

/// Appends all elements as f32; those of a dtype that [`element_bytes`] refuses are left out.
pub(super) fn append_f32(bytes: &[u8], dtype: Dtype, values: &mut Vec<f32>) {
    match dtype {
        Dtype::F32 => values.extend(bytes.as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b))),
        Dtype::F64 => values.extend(bytes.as_chunks::<8>().0.iter().map(|&b| f64::from_le_bytes(b) as f32)),
        Dtype::F16 => {
            values.extend(bytes.as_chunks::<2>().0.iter().map(|&b| f16_to_f32(u16::from_le_bytes(b))));
        }
        Dtype::BF16 => {
            let wide = |b: &[u8; 2]| f32::from_bits(u32::from(u16::from_le_bytes(*b)) << 16);
            values.extend(bytes.as_chunks::<2>().0.iter().map(wide));
        }
        _ => {}
    }
}

/// Says where a value is not finite.
pub(super) fn expect_finite(values: &[f32]) -> Result<(), String> {
    match values.iter().position(|v| !v.is_finite()) {
        Some(at) => Err(format!("element {at} is NaN or infinite")),
        None => Ok(()),
    }
}

/// IEEE half precision: 1 sign, 5 exponent (bias 15), 10 fraction bits.
pub fn f16_to_f32(half: u16) -> f32 {
    let sign = u32::from(half & 0x8000) << 16;
    let exponent = u32::from(half >> 10) & 0x1f;
    let fraction = u32::from(half & 0x3ff);
    let magnitude = match exponent {
        // Subnormal: fraction * 2^-24, exact in f32.
        0 => (fraction as f32 * f32::from_bits(0x3380_0000)).to_bits(),
        31 => 0x7f80_0000 | (fraction << 13),
        _ => ((exponent + 112) << 23) | (fraction << 13),
    };
    f32::from_bits(sign | magnitude)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_exact() {
        for (bits, value) in [
            (0x3c00, 1.0f32),
            (0xc000, -2.0),
            (0x3555, 0.333_251_95),
            (0x0001, 5.960_464_5e-8),
            (0x7bff, 65504.0),
            (0x8000, -0.0),
        ] {
            assert_eq!(f16_to_f32(bits).to_bits(), value.to_bits(), "{bits:04x}");
        }
        assert!(f16_to_f32(0x7c00).is_infinite() && f16_to_f32(0x7e00).is_nan());
        let mut values = Vec::new();
        append_f32(&[0x80, 0x3f], Dtype::BF16, &mut values);
        assert_eq!(values, [1.0]);
    }
}
