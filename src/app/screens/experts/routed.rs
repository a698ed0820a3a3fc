//! A routed sample, ready to be looked at: every position of the forward with what it is in the label view, and every
//! token with the routing of its positions.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

pub use super::position::PositionInfo;
use super::settings::ExpertsSettings;
use super::subset::Subset;
use crate::app::view::SampleView;
use crate::moe::backbone::LayerRouting;
use crate::moe::gating::{Logits, softmax_rows};
use crate::moe::positions::{ImagePatch, Positions};
use crate::moe::route::RoutedCall;
use crate::moe::statistics::layer_balance;
use crate::moe::token_route::{TokenRoute, token_route};

/// One MoE layer.
#[derive(Debug, Clone)]
pub struct Layer {
    pub routing: LayerRouting,
    /// Softmax of the logits `[T, E]`.
    pub gates: Vec<f32>,
    /// Position of each choice in its expert's queue `[T, k]`; `None` without capacity.
    pub queue: Option<Vec<usize>>,
    /// Load-balancing loss of this layer over all positions: 1 = uniform, E = collapsed.
    pub balance: Option<f32>,
    /// `None` for a token without positions.
    pub tokens: Vec<Option<TokenRoute>>,
}

/// Where and how fast the model ran.
#[derive(Debug, Clone, Default)]
pub struct ForwardRun {
    pub backbone: &'static str,
    pub device: String,
    /// What the device calls itself, and how much of its memory is taken.
    pub hardware: Option<String>,
    /// Why it is not the device that was asked for.
    pub fallback: Option<String>,
    /// Bytes of the weights in memory.
    pub weight_bytes: usize,
    #[cfg_attr(not(feature = "internals"), allow(dead_code))]
    pub load: Duration,
    pub forward: Duration,
}

/// A routed sample.
#[derive(Debug, Clone)]
pub struct Routed {
    pub view: Arc<SampleView>,
    pub settings: ExpertsSettings,
    pub run: ForwardRun,
    pub positions: Vec<PositionInfo>,
    /// Positions of each token.
    pub token_positions: Vec<Range<usize>>,
    pub layers: Vec<Layer>,
    /// Positions cut off by model_max_length.
    pub truncated: usize,
    /// The subsets of positions that there are, with their sizes.
    pub subsets: Vec<(Subset, usize)>,
    /// See [`RoutedCall::pooled_loss`].
    pub pooled: Option<f32>,
}

impl Routed {
    /// Joins a call's routing with the label view.
    pub fn new(
        view: Arc<SampleView>,
        settings: ExpertsSettings,
        positions: Positions,
        call: RoutedCall,
        run: ForwardRun,
    ) -> Self {
        let Positions { all, of_token, truncated } = positions;
        let positions: Vec<PositionInfo> = all.iter().map(|p| PositionInfo::of(&view, p)).collect();
        let layers = call.forward.routings.into_iter().map(|routing| layer(routing, &of_token)).collect();
        let (subsets, pooled) = (Subset::of(&positions), call.pooled_loss);
        Self { view, settings, run, positions, token_positions: of_token, layers, truncated, subsets, pooled }
    }

    /// Whether positions are bytes.
    pub fn is_bytes(&self) -> bool {
        self.settings.model.source.reads_bytes()
    }

    /// `412 bytes`.
    pub fn count_text(&self, positions: usize) -> String {
        let what = if self.is_bytes() { "byte" } else { "position" };
        let plural = if positions == 1 { "" } else { "s" };
        format!("{positions} {what}{plural}")
    }

    /// The patches of image `image` with their positions, in reading order.
    pub fn image_positions(&self, image: usize) -> Vec<(usize, ImagePatch)> {
        let patches =
            self.positions.iter().enumerate().filter_map(|(at, position)| Some((at, position.patch?)));
        patches.filter(|(_, p)| p.image == image).collect()
    }

    /// Number of images with positions.
    pub fn images(&self) -> usize {
        self.positions.iter().filter_map(|p| p.patch).map(|p| p.image + 1).max().unwrap_or(0)
    }
}

fn layer(routing: LayerRouting, spans: &[Range<usize>]) -> Layer {
    let d = &routing.decision;
    let gates = Logits::new(&routing.logits, d.num_experts).map(|l| softmax_rows(&l)).unwrap_or_default();
    let tokens = spans.iter().map(|span| token_route(&routing, span)).collect();
    Layer { queue: d.queue(&gates), balance: layer_balance(&routing), tokens, gates, routing }
}
