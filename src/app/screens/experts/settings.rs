//! What is routed with what: the model, and the settings that change it live.

use crate::moe::backbone::DeviceChoice;
use crate::setup::{ModelKind, ModelSource};

/// Layers of a model that become MoE layers, as MoE-LLaVA names the choice.
pub const MODES: [&str; 4] = ["sparse", "dense", "first_half", "second_half"];

/// Capacity factors that the setting offers, in units of a uniform share.
const FACTORS: [f64; 9] = [0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0];
/// Experts a converted layer may have.
const EXPERTS: [usize; 6] = [2, 3, 4, 6, 8, 16];
/// Experts of a layer of the byte model, which is trained with them.
pub const BYTE_EXPERTS: usize = 8;

/// The model whose gates are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelChoice {
    pub source: ModelSource,
    /// Only the layers 0..K are read.
    pub layers: Option<usize>,
    /// What it is; `None` for a model of the user's until it was loaded.
    pub kind: Option<ModelKind>,
}

impl Default for ModelChoice {
    fn default() -> Self {
        Self::of(ModelSource::default())
    }
}

impl ModelChoice {
    /// All layers of a model.
    pub fn of(source: ModelSource) -> Self {
        Self { kind: source.kind(), source, layers: None }
    }

    /// A model as a person types it: the name of one that is built in, or a folder or a hub id, then perhaps `0..K`.
    pub fn typed(text: &str) -> Self {
        let text = text.trim();
        let built_in = ModelSource::built_in().into_iter().find(|source| source.name() == text);
        let last = text.rsplit_once(char::is_whitespace);
        let cut = last.and_then(|(spec, k)| Some((spec.trim(), k.strip_prefix("0..")?.parse().ok()?)));
        let (spec, layers) = cut.map_or((text, None), |(spec, k)| (spec, Some(k)));
        let own = || Self { source: ModelSource::Named(spec.into()), layers, kind: None };
        built_in.map_or_else(own, Self::of)
    }

    /// The built-in model `by` further, around the ends.
    pub fn step(&self, by: isize) -> Self {
        Self::of(around(&ModelSource::built_in(), &self.source, by))
    }

    /// As `moe route` takes it, with `--moe-sample` or `--checkpoint`.
    pub fn name(&self) -> String {
        self.source.name()
    }

    /// Whether experts and layers are given, so that these settings are fixed.
    pub fn is_trained(&self) -> bool {
        matches!(self.kind, Some(ModelKind::Moe | ModelKind::MoeLlava))
    }

    /// Whether its own router never drops anything, which the capacity setting then offers.
    pub fn is_uncapped(&self) -> bool {
        self.kind == Some(ModelKind::Moe)
    }

    /// What its figures are worth, in a few words.
    pub fn caveat(&self) -> &'static str {
        match (&self.source, self.kind) {
            (ModelSource::Bytes, _) => "trained on bytes; not your model",
            (ModelSource::Seeded(_), _) => "random weights; not your model",
            (_, Some(ModelKind::Dense)) => "dense; seeded gates, experts are copies",
            (_, Some(ModelKind::Moe)) => "its own router unless a capacity is set",
            (_, Some(ModelKind::MoeLlava)) => "its own gates, noise off",
            (_, None) => "not loaded yet",
        }
    }
}

/// One thing that can be changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Setting {
    #[default]
    Capacity,
    TopK,
    Experts,
    Mode,
}

impl Setting {
    /// All, in the order of the key.
    pub const ALL: [Setting; 4] = [Self::Capacity, Self::TopK, Self::Experts, Self::Mode];

    /// The next one.
    pub fn next(self) -> Self {
        around(&Self::ALL, &self, 1)
    }

    /// As the screen names it. In `config.moe` the first two are `eval_capacity_factor` and `top_k_experts`.
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
#[derive(Debug, Clone, PartialEq)]
pub struct ExpertsSettings {
    pub model: ModelChoice,
    pub top_k: usize,
    /// `None`: the model's own router, which never drops.
    pub capacity_factor: Option<f64>,
    pub num_experts: usize,
    pub mode: &'static str,
    /// Positions that one image takes; `None`: what the model's config says, else 576.
    pub image_tokens: Option<usize>,
    /// Where the forward runs.
    pub device: DeviceChoice,
}

impl Default for ExpertsSettings {
    fn default() -> Self {
        Self {
            model: ModelChoice::default(),
            top_k: 2,
            capacity_factor: None,
            num_experts: BYTE_EXPERTS,
            mode: MODES[0],
            image_tokens: None,
            device: DeviceChoice::Auto,
        }
    }
}

impl ExpertsSettings {
    /// The settings that a model starts with: its own, or those of MoE-LLaVA's released scripts. Device and positions of
    /// an image stay.
    pub fn for_model(&self, model: ModelChoice) -> Self {
        let (image_tokens, device) = (self.image_tokens, self.device);
        let start = Self { image_tokens, device, ..Self::default() };
        match model.source {
            ModelSource::Bytes => start,
            _ => Self { model, capacity_factor: Some(2.0), num_experts: 4, ..start },
        }
    }

    /// Changes a setting by one step.
    ///
    /// # Errors
    /// A sentence for the person where the setting is fixed for this model or at its end.
    pub fn changed(&self, setting: Setting, up: bool) -> Result<Self, String> {
        if self.model.kind.is_none() {
            return Err("settings change once the model is loaded".to_string());
        }
        let mut next = self.clone();
        match setting {
            Setting::Experts | Setting::Mode if self.model.is_trained() => {
                return Err(format!(
                    "{} of {} is trained and fixed; m chooses a model that is converted",
                    setting.name(),
                    self.model.name()
                ));
            }
            Setting::Mode => next.mode = around(&MODES, &self.mode, if up { 1 } else { -1 }),
            Setting::Experts => {
                next.num_experts = beside(&EXPERTS, &self.num_experts, up).ok_or_else(|| end(setting))?;
                next.top_k = self.top_k.min(next.num_experts);
            }
            Setting::TopK => {
                let k = self.top_k.saturating_add_signed(if up { 1 } else { -1 });
                next.top_k =
                    Some(k).filter(|k| (1..=self.num_experts).contains(k)).ok_or_else(|| end(setting))?;
                if k == self.top_k {
                    return Err(end(setting));
                }
            }
            Setting::Capacity => {
                next.capacity_factor = match self.capacity_factor {
                    // From "never drops" down to the largest factor.
                    None if !up => FACTORS.last().copied(),
                    None => return Err(end(setting)),
                    Some(factor) => match next_factor(factor, up) {
                        Some(factor) => Some(factor),
                        None if up && self.model.is_uncapped() => None,
                        None => return Err(end(setting)),
                    },
                };
            }
        }
        Ok(next)
    }
}

fn end(setting: Setting) -> String {
    format!("{} goes no further", setting.name())
}

/// The offered factor above or below one that may come from a checkpoint.
fn next_factor(now: f64, up: bool) -> Option<f64> {
    let mut factors = FACTORS.into_iter();
    if up { factors.find(|f| *f > now) } else { factors.rfind(|f| *f < now) }
}

/// The entry `by` further, around the ends.
fn around<T: Clone + PartialEq>(all: &[T], now: &T, by: isize) -> T {
    let at = all.iter().position(|v| v == now).unwrap_or(0);
    let len = all.len().max(1);
    let next = (at + len).saturating_add_signed(by) % len;
    all.get(next).unwrap_or(now).clone()
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
    fn settings_change_both_ways_and_stop_at_their_ends() {
        let bytes = ExpertsSettings::default();
        let low = bytes.changed(Setting::Capacity, false).unwrap();
        assert_eq!(low.capacity_factor, Some(4.0));
        assert_eq!(low.changed(Setting::Capacity, true).unwrap(), bytes);
        assert!(bytes.changed(Setting::Capacity, true).is_err());
        assert!(bytes.changed(Setting::Experts, true).unwrap_err().contains("trained"));
        assert_eq!(bytes.changed(Setting::TopK, false).unwrap().top_k, 1);
        assert!(bytes.changed(Setting::TopK, false).unwrap().changed(Setting::TopK, false).is_err());

        let phi = bytes.for_model(ModelChoice::default().step(1));
        assert_eq!((&phi.model.source, phi.num_experts), (&ModelSource::Seeded("phi"), 4));
        let fewer = phi.changed(Setting::Experts, false).unwrap().changed(Setting::Experts, false).unwrap();
        assert_eq!((fewer.num_experts, fewer.top_k), (2, 2));
        assert!(fewer.changed(Setting::TopK, true).is_err());
        assert_eq!(phi.changed(Setting::Mode, true).unwrap().mode, "dense");
        assert_eq!(phi.changed(Setting::Mode, false).unwrap().mode, "second_half");
        let mut factor = phi.clone();
        while let Ok(less) = factor.changed(Setting::Capacity, false) {
            factor = less;
        }
        assert_eq!(factor.capacity_factor, Some(0.25));
        assert_eq!(ModelChoice::default().step(-1).source, ModelSource::Seeded("minicpm"));
    }

    #[test]
    fn a_model_of_ones_own_is_typed_and_its_settings_wait_for_it() {
        assert_eq!(ModelChoice::typed(" seeded:phi "), ModelChoice::of(ModelSource::Seeded("phi")));
        let own = |text: &str| match ModelChoice::typed(text) {
            ModelChoice { source: ModelSource::Named(spec), layers, kind: None } => {
                (spec.to_string(), layers)
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(own("org/name@main"), ("org/name@main".to_string(), None));
        assert_eq!(own("/a folder/x 0..4"), ("/a folder/x".to_string(), Some(4)));
        assert_eq!(own("/a 0..x"), ("/a 0..x".to_string(), None));

        let device = DeviceChoice::Cpu;
        let start =
            ExpertsSettings { device, ..ExpertsSettings::default() }.for_model(ModelChoice::typed("/a"));
        assert_eq!(start.device, device);
        assert!(start.changed(Setting::TopK, false).unwrap_err().contains("loaded"));
        let of = |kind| {
            let model = ModelChoice { kind: Some(kind), ..ModelChoice::typed("/a") };
            ExpertsSettings { model, capacity_factor: Some(1.7), ..start.clone() }
        };
        assert!(of(ModelKind::Moe).changed(Setting::Experts, true).unwrap_err().contains("/a"));
        assert!(of(ModelKind::Dense).changed(Setting::Experts, true).is_ok());
        assert_eq!(
            of(ModelKind::MoeLlava).changed(Setting::Capacity, true).unwrap().capacity_factor,
            Some(2.0)
        );
        assert_eq!(
            of(ModelKind::MoeLlava).changed(Setting::Capacity, false).unwrap().capacity_factor,
            Some(1.5)
        );
        let end = |kind| {
            ExpertsSettings { capacity_factor: Some(4.0), ..of(kind) }.changed(Setting::Capacity, true)
        };
        assert_eq!(end(ModelKind::Moe).unwrap().capacity_factor, None);
        assert!(end(ModelKind::MoeLlava).is_err());
    }
}
