//! Normalisation over the last dimension, in f32.

use candle_core::{D, Result, Tensor};

use super::super::kernels::{map_rows, on_host};
use super::super::vector::{layer_norm, scale_by, sum_of_squares};

/// RMS norm (with or without weight) or layer norm.
#[derive(Debug, Clone)]
pub(in crate::moe::backbone) enum Norm {
    /// `x / sqrt(mean(x²) + eps) * weight`.
    Rms { weight: Vec<f32>, eps: f32 },
    /// The same without a weight (Llama 4's query-key norm).
    L2 { width: usize, eps: f32 },
    /// `(x - mean) / sqrt(var + eps) * weight + bias`.
    Layer { weight: Vec<f32>, bias: Vec<f32>, eps: f32 },
}

impl Norm {
    fn width(&self) -> usize {
        match self {
            Self::Rms { weight, .. } | Self::Layer { weight, .. } => weight.len(),
            Self::L2 { width, .. } => *width,
        }
    }

    /// Normalises every run of [`Self::width`] elements of a row; the shape stays.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if on_host(x) {
            return map_rows(x, self.width(), |_, row| self.row(row));
        }
        self.composed(x)
    }

    fn row(&self, row: &mut [f32]) {
        let n = row.len() as f32;
        match self {
            Self::Rms { weight, eps } => {
                let scale = 1.0 / (sum_of_squares(row) / n + eps).sqrt();
                scale_by(row, scale, weight);
            }
            Self::L2 { eps, .. } => {
                let scale = 1.0 / (sum_of_squares(row) / n + eps).sqrt();
                row.iter_mut().for_each(|v| *v *= scale);
            }
            Self::Layer { weight, bias, eps } => layer_norm(row, weight, bias, *eps),
        }
    }

    fn composed(&self, x: &Tensor) -> Result<Tensor> {
        let (shape, width) = (x.shape().clone(), self.width());
        let rows = x.reshape(((), width))?;
        let unit = |rows: &Tensor, eps: f32| -> Result<Tensor> {
            let mean_square = rows.sqr()?.mean_keepdim(D::Minus1)?;
            rows.broadcast_div(&(mean_square + f64::from(eps))?.sqrt()?)
        };
        let vector = |values: &[f32]| Tensor::from_slice(values, width, x.device());
        let y = match self {
            Self::Rms { weight, eps } => unit(&rows, *eps)?.broadcast_mul(&vector(weight)?)?,
            Self::L2 { eps, .. } => unit(&rows, *eps)?,
            Self::Layer { weight, bias, eps } => {
                let centred = rows.broadcast_sub(&rows.mean_keepdim(D::Minus1)?)?;
                unit(&centred, *eps)?.broadcast_mul(&vector(weight)?)?.broadcast_add(&vector(bias)?)?
            }
        };
        y.reshape(shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn the_kernel_and_the_composition_agree() {
        let x = Tensor::from_vec(vec![1f32, -2.0, 3.0, 0.5, 4.0, 0.25], (2, 3), &Device::Cpu).unwrap();
        for norm in [
            Norm::Rms { weight: vec![1.0, 2.0, 3.0], eps: 1e-6 },
            Norm::L2 { width: 3, eps: 1e-6 },
            Norm::Layer { weight: vec![1.0, 2.0, 3.0], bias: vec![0.1, 0.2, 0.3], eps: 1e-5 },
        ] {
            let values = |t: Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let (a, b) = (values(norm.forward(&x).unwrap()), values(norm.composed(&x).unwrap()));
            assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-6), "{a:?} {b:?}");
        }
    }
}
