//! What is routed with what: the model, and the dials that change it live.

use crate::moe::seeded::SEEDED;

/// Layers of a model that become mixtures, as MoE-LLaVA names the choice.
pub const MODES: [&str; 4] = ["sparse", "dense", "first_half", "second_half"];

/// Capacity factors on the dial; each is one choice's share of an even split.
const FACTORS: [f64; 9] = [0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0];
/// Experts a converted layer may have.
const EXPERTS: [usize; 6] = [2, 3, 4, 6, 8, 16];
/// Experts of a layer of the byte model, which is trained with them.
pub const BYTE_EXPERTS: usize = 8;

/// The model whose gates are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ModelPick {
    /// The embedded mixture over bytes.
    #[default]
    Bytes,
    /// A small model of this backbone with random weights, converted.
    Seeded(&'static str),
}

impl ModelPick {
    /// All, in the order of the key.
    pub fn all() -> Vec<Self> {
        [Self::Bytes].into_iter().chain(SEEDED.map(Self::Seeded)).collect()
    }

    /// `by` further, around the ends.
    pub fn step(self, by: isize) -> Self {
        around(&Self::all(), &self, by)
    }

    /// As `moe route --moe-sample` takes it.
    pub fn name(self) -> String {
        match self {
            Self::Bytes => crate::moe::sample::SAMPLES[0].to_string(),
            Self::Seeded(name) => format!("{}{name}", crate::setup::SEEDED_PREFIX),
        }
    }

    /// What its figures are worth, in a few words.
    pub fn caveat(self) -> &'static str {
        match self {
            Self::Bytes => "trained on bytes; not your model",
            Self::Seeded(_) => "random weights; not your model",
        }
    }
}

/// One thing that can be turned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Dial {
    #[default]
    Capacity,
    TopK,
    Experts,
    Mode,
}

impl Dial {
    /// All, in the order of the key.
    pub const ALL: [Dial; 4] = [Self::Capacity, Self::TopK, Self::Experts, Self::Mode];

    /// The next one.
    pub fn next(self) -> Self {
        around(&Self::ALL, &self, 1)
    }

    /// The key of `config.moe` that it stands for.
    pub fn name(self) -> &'static str {
        match self {
            Self::Capacity => "capacity_factor",
            Self::TopK => "top_k",
            Self::Experts => "num_experts",
            Self::Mode => "moe_mode",
        }
    }
}

/// Everything that a run depends on but the sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    pub model: ModelPick,
    pub top_k: usize,
    /// `None`: the model's own router, which never drops.
    pub capacity_factor: Option<f64>,
    pub num_experts: usize,
    pub mode: &'static str,
    /// Rows that one image takes.
    pub image_tokens: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            model: ModelPick::Bytes,
            top_k: 2,
            capacity_factor: None,
            num_experts: BYTE_EXPERTS,
            mode: MODES[0],
            image_tokens: 576,
        }
    }
}

impl Settings {
    /// The settings that a model starts with: its own, or those of MoE-LLaVA's released scripts.
    pub fn for_model(model: ModelPick) -> Self {
        match model {
            ModelPick::Bytes => Self::default(),
            ModelPick::Seeded(_) => {
                Self { model, capacity_factor: Some(2.0), num_experts: 4, ..Self::default() }
            }
        }
    }

    /// Turns a dial by one step.
    ///
    /// # Errors
    /// A sentence for the person where this model has no such dial or it is at its end.
    pub fn turned(&self, dial: Dial, up: bool) -> Result<Self, String> {
        let trained = self.model == ModelPick::Bytes;
        let mut next = *self;
        match dial {
            Dial::Experts | Dial::Mode if trained => {
                return Err(format!(
                    "{} of byte-moe is trained and fixed; m chooses a model that is converted",
                    dial.name()
                ));
            }
            Dial::Mode => next.mode = around(&MODES, &self.mode, if up { 1 } else { -1 }),
            Dial::Experts => {
                next.num_experts = beside(&EXPERTS, &self.num_experts, up).ok_or_else(|| end(dial))?;
                next.top_k = self.top_k.min(next.num_experts);
            }
            Dial::TopK => {
                let k = self.top_k.saturating_add_signed(if up { 1 } else { -1 });
                next.top_k =
                    Some(k).filter(|k| (1..=self.num_experts).contains(k)).ok_or_else(|| end(dial))?;
                if k == self.top_k {
                    return Err(end(dial));
                }
            }
            Dial::Capacity => {
                next.capacity_factor = match self.capacity_factor {
                    // From "never drops" down to the largest factor.
                    None if !up => FACTORS.last().copied(),
                    None => return Err(end(dial)),
                    Some(factor) => match beside(&FACTORS, &factor, up) {
                        Some(factor) => Some(factor),
                        None if up && trained => None,
                        None => return Err(end(dial)),
                    },
                };
            }
        }
        Ok(next)
    }
}

fn end(dial: Dial) -> String {
    format!("{} goes no further", dial.name())
}

/// The entry `by` further, around the ends.
fn around<T: Copy + PartialEq>(all: &[T], now: &T, by: isize) -> T {
    let at = all.iter().position(|v| v == now).unwrap_or(0);
    let len = all.len().max(1);
    let next = (at + len).saturating_add_signed(by) % len;
    all.get(next).copied().unwrap_or(*now)
}

/// The entry after or before `now`, `None` at the end.
fn beside<T: Copy + PartialEq>(all: &[T], now: &T, up: bool) -> Option<T> {
    let at = all.iter().position(|v| v == now)?;
    all.get(if up { at + 1 } else { at.checked_sub(1)? }).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dials_turn_both_ways_and_stop_at_their_ends() {
        let bytes = Settings::default();
        let low = bytes.turned(Dial::Capacity, false).unwrap();
        assert_eq!(low.capacity_factor, Some(4.0));
        assert_eq!(low.turned(Dial::Capacity, true).unwrap(), bytes);
        assert!(bytes.turned(Dial::Capacity, true).is_err());
        assert!(bytes.turned(Dial::Experts, true).unwrap_err().contains("trained"));
        assert_eq!(bytes.turned(Dial::TopK, false).unwrap().top_k, 1);
        assert!(bytes.turned(Dial::TopK, false).unwrap().turned(Dial::TopK, false).is_err());

        let phi = Settings::for_model(ModelPick::Bytes.step(1));
        assert_eq!((phi.model, phi.num_experts), (ModelPick::Seeded("phi"), 4));
        let fewer = phi.turned(Dial::Experts, false).unwrap().turned(Dial::Experts, false).unwrap();
        assert_eq!((fewer.num_experts, fewer.top_k), (2, 2));
        assert!(fewer.turned(Dial::TopK, true).is_err());
        assert_eq!(phi.turned(Dial::Mode, true).unwrap().mode, "dense");
        assert_eq!(phi.turned(Dial::Mode, false).unwrap().mode, "second_half");
        let mut factor = phi;
        while let Ok(less) = factor.turned(Dial::Capacity, false) {
            factor = less;
        }
        assert_eq!(factor.capacity_factor, Some(0.25));
        assert_eq!(ModelPick::Bytes.step(-1), ModelPick::Seeded("minicpm"));
    }
}
