//! Gating as pure functions on `f32` slices: router logits in, choices and weights out. No tensor type.
//!
//! DeepSpeed's three gates ([`top1`], [`top2`], [`topk`]) work with a capacity: an expert takes at most
//! C tokens of one forward call, the rest are dropped. The routers of transformers have none
//! (see [`crate::moe::router`]).
//!
//! One tie rule everywhere: the lowest expert index wins, and the earliest token is admitted first.
//! Noise is off unless the caller brings its values ([`Noise::Values`]): DeepSpeed samples the second
//! expert of top-2 and the admission of top-1 even in eval mode, which a viewer must not do by itself.

mod capacity;
mod decision;
mod gate_config;
mod scores;
mod top1;
mod top2;
mod topk;

pub use capacity::capacity;
pub use decision::{Applied, Decision, ExpCounts, Logits};
pub use gate_config::{DropPolicy, GateConfig, Noise};
pub(super) use scores::balance_loss;
pub use scores::{argmax, softmax_rows, top_k};

use super::error::{MoeError, MoeResult};

/// Runs the DeepSpeed gate of `config.top_k`.
///
/// # Errors
/// k = 0, k > E, a capacity factor that is no positive finite number, noise of the wrong length, and,
/// for k = 1, fewer tokens than `min_capacity` (DeepSpeed asserts that).
pub fn gate(logits: &Logits<'_>, config: &GateConfig, noise: Noise<'_>) -> MoeResult<Decision> {
    let (k, num_experts) = (config.top_k, logits.num_experts());
    if k == 0 || k > num_experts {
        return Err(MoeError::Gate(format!("top_k is {k}, it must be 1..={num_experts} (the experts)")));
    }
    if !(config.capacity_factor.is_finite() && config.capacity_factor > 0.0) {
        let factor = config.capacity_factor;
        return Err(MoeError::Gate(format!("the capacity factor is {factor}, it must be above 0")));
    }
    match k {
        1 => top1::top1(logits, config, noise),
        2 => top2::top2(logits, config, noise),
        _ => topk::topk(logits, config),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_to_the_lowest_index_and_the_earliest_token() {
        let logits = Logits::new(&[1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0], 3).unwrap();
        let d = gate(&logits, &GateConfig::new(1, 1.0, 0), Noise::Off).unwrap();
        assert_eq!(d.idx, [0, 0, 0]);
        assert_eq!(d.slots.unwrap(), [Some(0), None, None]);
        let d = gate(&logits, &GateConfig::new(2, 0.5, 0), Noise::Off).unwrap();
        assert_eq!(d.idx, [0, 1, 0, 1, 0, 1]);
        // Beyond k = 2 too: five tokens want the same three of four equal experts, which have room for two each.
        let equal = vec![0.5; 5 * 4];
        let d = gate(&Logits::new(&equal, 4).unwrap(), &GateConfig::new(3, 0.5, 0), Noise::Off).unwrap();
        assert_eq!((d.capacity, d.idx), (Some(2), [0, 1, 2].repeat(5)));
        let slots = [[Some(0); 3], [Some(1); 3], [None; 3], [None; 3], [None; 3]];
        assert_eq!(d.slots.unwrap(), slots.concat());
    }

    #[test]
    fn a_dropped_choice_gives_its_weight_to_the_other() {
        // Both tokens want expert 0 first and 1 second; C = 1.
        let logits = Logits::new(&[2.0, 1.0, 2.0, 1.0], 2).unwrap();
        let d = gate(&logits, &GateConfig::new(2, 0.5, 0), Noise::Off).unwrap();
        assert_eq!(d.capacity, Some(1));
        assert_eq!(d.slots.as_deref().unwrap(), [Some(0), Some(0), None, None]);
        assert_eq!(d.weights[2..], [0.0, 0.0]);
        assert!((d.weights[0] + d.weights[1] - 1.0).abs() < 1e-6);
    }

    #[test]
    fn impossible_gates_are_errors() {
        let logits = Logits::new(&[0.0, 1.0], 2).unwrap();
        for config in [
            GateConfig::new(0, 1.0, 0),
            GateConfig::new(3, 1.0, 0),
            GateConfig::new(1, f64::NAN, 0),
            GateConfig::new(1, -1.0, 0),
            GateConfig::new(1, 1.0, 2),
        ] {
            assert!(gate(&logits, &config, Noise::Off).is_err(), "{config:?}");
        }
        assert!(gate(&logits, &GateConfig::new(1, 1.0, 0), Noise::Values(&[0.5])).is_err());
        assert!(Logits::new(&[], 0).is_err());
        assert!(Logits::new(&[1.0, 2.0, 3.0], 2).is_err());
        assert!(Logits::new(&[1.0, f32::NAN], 2).is_err());
        assert!(Logits::new(&[1.0, f32::INFINITY], 2).is_err());
    }

    #[test]
    fn balance_is_one_when_every_expert_has_its_share() {
        let logits = Logits::new(&[9.0, 0.0, 0.0, 9.0], 2).unwrap();
        let d = gate(&logits, &GateConfig::new(1, 1.0, 0), Noise::Off).unwrap();
        assert!((d.l_aux.unwrap() - 1.0).abs() < 1e-6);
    }

    #[test]
    fn the_queue_says_which_choices_were_dropped() {
        let mut rng = crate::moe::seed::Rng::new(5);
        let values: Vec<f32> = (0..40 * 4).map(|_| rng.normal()).collect();
        let logits = Logits::new(&values, 4).unwrap();
        let gates = softmax_rows(&logits);
        for k in 1..=4 {
            let d = gate(&logits, &GateConfig::new(k, 0.5, 0), Noise::Off).unwrap();
            let (queue, capacity) = (d.queue(&gates).unwrap(), d.capacity.unwrap());
            assert!(d.dropped() > 0);
            for (at, place) in queue.iter().enumerate() {
                assert_eq!(*place >= capacity, d.is_dropped(at / k, at % k), "k {k}, choice {at}");
            }
        }
        assert!(Decision::uncapped(2, 1, vec![0], vec![1.0]).queue(&[0.5, 0.5]).is_none());
    }
}
