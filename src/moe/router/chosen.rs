//! What the routers share: the form of their choices, groups of experts, the sigmoid.

/// Groups of experts of which only some may be chosen from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Groups {
    /// How many equal groups the experts form.
    pub n_group: usize,
    /// How many of them stay eligible.
    pub topk_group: usize,
}

/// `(expert, weight)` of every choice, `[T, k]` flattened.
pub(super) type Chosen = Vec<(usize, f32)>;

pub(super) fn sigmoid(z: f32) -> f32 {
    1.0 / (1.0 + (-z).exp())
}
