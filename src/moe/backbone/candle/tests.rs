//! The compositions of candle's other devices against the kernels of the CPU, on CPU tensors.

use candle_core::Device;

use super::{Composed, Host};
use crate::moe::backbone::agreement::{AgreementSizes, SMALL, disagreement};
use crate::moe::backbone::compute::Compute;
use crate::moe::backbone::layers::{Activation, Norm, Pairing, Rotary};
use crate::moe::rope::RopeTable;

#[test]
fn the_kernels_and_the_compositions_agree() {
    let composed = Composed { device: Device::Cpu };
    let one = AgreementSizes { seq: 1, heads: 2, kv_heads: 1, dim: 2, value_dim: 1, width: 1, inner: 3 };
    let large =
        AgreementSizes { seq: 257, heads: 4, kv_heads: 4, dim: 64, value_dim: 65, width: 130, inner: 65 };
    for sizes in [SMALL, one, large] {
        assert_eq!(
            disagreement(&Host, &composed, &sizes, 2e-6 * sizes.width as f32).unwrap(),
            None,
            "{sizes:?}"
        );
    }
}

#[test]
fn a_norm_of_known_values() {
    let x = Host.array(vec![1f32, -2.0, 3.0, 0.5, 4.0, 0.25], 3).unwrap();
    for norm in [
        Norm::Rms { weight: vec![1.0, 2.0, 3.0], eps: 1e-6 },
        Norm::L2 { width: 3, eps: 1e-6 },
        Norm::Layer { weight: vec![1.0, 2.0, 3.0], bias: vec![0.1, 0.2, 0.3], eps: 1e-5 },
    ] {
        let composed = Composed { device: Device::Cpu };
        let values = |on: &dyn Compute| on.values(&on.norm(&x, &norm).unwrap()).unwrap();
        let (a, b) = (values(&Host), values(&composed));
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-6), "{a:?} {b:?}");
    }
}

#[test]
fn activations_agree_with_candle() {
    let values: Vec<f32> = (-600..600).map(|v| v as f32 / 50.0).collect();
    let composed = Composed { device: Device::Cpu };
    for activation in [Activation::Silu, Activation::GeluTanh, Activation::Gelu, Activation::Relu] {
        let on = |on: &dyn Compute| {
            let x = on.array(values.clone(), 400).unwrap();
            on.values(&on.activate(x, activation).unwrap()).unwrap()
        };
        let (a, b) = (on(&Host), on(&composed));
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 2e-6), "{activation:?}");
    }
}

#[test]
fn rotations_are_equal() {
    let table = RopeTable { cos: vec![1.0, 1.0, 0.5, 0.9], sin: vec![0.0, 0.0, 0.8, 0.4], dim: 4 };
    let composed = Composed { device: Device::Cpu };
    for pairing in [Pairing::Halves, Pairing::Neighbours] {
        let rotary = Rotary::new(table.clone(), pairing, 2);
        let on = |on: &dyn Compute| {
            let x = on.array((0..20).map(|v| v as f32).collect(), 10).unwrap();
            on.values(&on.rotate(x, 2, 0, &rotary).unwrap()).unwrap()
        };
        assert_eq!(on(&Host), on(&composed));
    }
}
