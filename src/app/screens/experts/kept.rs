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
