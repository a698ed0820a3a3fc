//! The model of the last run: a dial that is turned, or another sample, does not load it again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::settings::ExpertsSettings;
use crate::moe::MoeResult;
use crate::moe::backbone::{DeviceChoice, Gates, Model};
use crate::setup::{ModelKind, ModelSource};

/// At most one model, shared by the jobs of the screen, of which one at a time works with it.
#[derive(Debug, Clone, Default)]
pub struct KeptModel(Arc<Mutex<Option<LoadedModel>>>);

impl KeptModel {
    /// Waits for the job before to be done with it: it was cancelled, and looks for that before each layer.
    pub fn lock(&self) -> MutexGuard<'_, Option<LoadedModel>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the weights of a model depend on; the gates' k and capacity are no part of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelKey {
    pub source: ModelSource,
    pub layers: Option<usize>,
    pub device: DeviceChoice,
    /// Embeddings, where the model is made up.
    pub vocab_size: Option<usize>,
    /// Experts and mode of a conversion.
    pub conversion: (usize, &'static str),
}

/// A model, what it was loaded for and what it was before any dial was turned.
#[derive(Debug)]
pub struct LoadedModel {
    pub model: Model,
    pub kind: ModelKind,
    pub key: ModelKey,
    /// Experts and k of its own gates.
    own: Option<(usize, usize)>,
}

impl LoadedModel {
    pub fn new(model: Model, kind: ModelKind, key: ModelKey) -> Self {
        Self { own: model.gate_sizes(), model, kind, key }
    }

    /// Whether it is what another run needs, but for its gates.
    pub fn serves(&self, key: &ModelKey) -> bool {
        let conversion = if self.kind == ModelKind::Dense { key.conversion } else { self.key.conversion };
        self.key == ModelKey { conversion, ..key.clone() } && conversion == self.key.conversion
    }

    /// The settings with the gates that it came with.
    pub fn own_gates(&self, settings: &ExpertsSettings) -> ExpertsSettings {
        let (num_experts, top_k) = self.own.unwrap_or((settings.num_experts, settings.top_k));
        let capacity_factor = self.model.moe().map(|moe| moe.eval_capacity_factor);
        ExpertsSettings { num_experts, top_k, capacity_factor, ..settings.clone() }
    }

    /// Gives it the gates of these settings, its own where they are those.
    pub fn set_gates(&mut self, settings: &ExpertsSettings) -> MoeResult<()> {
        let min_capacity = self.model.moe().map_or(0, |moe| moe.min_capacity);
        let factor = match self.kind {
            ModelKind::Dense => Some(settings.capacity_factor.unwrap_or(settings.num_experts as f64)),
            _ if *settings == self.own_gates(settings) => None,
            _ => settings.capacity_factor,
        };
        let capacity = factor.map(|factor| (factor, min_capacity));
        self.model.regate(Gates { top_k: settings.top_k, capacity })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::moe::backbone::{ForwardOptions, InputRow, ModelLoadOptions};
    use crate::moe::sample;

    fn loaded(kind: ModelKind) -> LoadedModel {
        let key = ModelKey {
            source: ModelSource::Bytes,
            layers: None,
            device: DeviceChoice::Cpu,
            vocab_size: None,
            conversion: (8, "sparse"),
        };
        LoadedModel::new(sample::load("byte-moe", &ModelLoadOptions::default()).unwrap(), kind, key)
    }

    #[test]
    fn a_dial_that_is_turned_back_gives_what_the_model_gave_at_first() {
        let mut kept = loaded(ModelKind::Moe);
        let rows = [(0..40).map(InputRow::Token).collect::<Vec<_>>()];
        let run = |kept: &LoadedModel| kept.model.forward(&rows, &ForwardOptions::default()).unwrap();
        let first = run(&kept);
        let own = kept.own_gates(&ExpertsSettings::default());
        for (top_k, capacity_factor) in [(3, None), (1, Some(0.5)), (own.top_k, Some(1.0))] {
            kept.set_gates(&ExpertsSettings { top_k, capacity_factor, ..own.clone() }).unwrap();
            let decision = &run(&kept).routings[0].decision;
            assert_eq!((decision.top_k, decision.capacity.is_some()), (top_k, capacity_factor.is_some()));
        }
        kept.set_gates(&own).unwrap();
        assert_eq!(run(&kept), first);
    }

    #[test]
    fn a_model_serves_what_its_weights_are_the_same_for() {
        for (kind, of_another_conversion) in [(ModelKind::Moe, true), (ModelKind::Dense, false)] {
            let kept = loaded(kind);
            let same = kept.key.clone();
            assert!(kept.serves(&same));
            let other = ModelKey { conversion: (4, "dense"), ..same.clone() };
            assert_eq!(kept.serves(&other), of_another_conversion, "{kind:?}");
            for other in [
                ModelKey { layers: Some(1), ..same.clone() },
                ModelKey { device: DeviceChoice::Gpu(0), ..same.clone() },
                ModelKey { vocab_size: Some(9), ..same.clone() },
                ModelKey { source: ModelSource::Seeded("phi"), ..same.clone() },
            ] {
                assert!(!kept.serves(&other), "{other:?}");
            }
        }
    }
}
