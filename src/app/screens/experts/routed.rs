//! A routed sample, ready to be looked at: every row of the forward with what it is in the label view, and every
//! token with the routing of its rows.
//!
//! A row is a byte of the prompt (the byte model), a token, or a patch of an image. A token's routing is that of its
//! rows: one for a token, its bytes for the byte model, its patches for an image.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

pub use super::position::{ForwardRow, ImagePatch};
use super::settings::Settings;
use super::subset::Subset;
use crate::app::view::{Fate, SampleView};
use crate::labels::IMAGE_TOKEN_INDEX;
use crate::moe::backbone::LayerRouting;
use crate::moe::gating::{Logits, argmax, softmax_rows};
use crate::moe::image::Origin;
use crate::moe::router::load_balancing_loss;
use crate::moe::statistics::layer_balance;

/// How a token is routed in one layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TokenRoute {
    /// Its first choice; for several rows the expert with the largest mean weight.
    pub expert: usize,
    /// Weight of that expert, mean over the rows; 0 where it was dropped everywhere.
    pub weight: f32,
    /// Share of the token's choices that were dropped.
    pub dropped: f32,
}

/// One MoE layer.
#[derive(Debug, Clone)]
pub struct Layer {
    pub routing: LayerRouting,
    /// Softmax of the logits `[T, E]`.
    pub gates: Vec<f32>,
    /// Place of each choice in its expert's queue `[T, k]`; `None` without capacity.
    pub queue: Option<Vec<usize>>,
    /// Balance loss of this layer over all rows: 1 is balance, E collapse.
    pub balance: Option<f32>,
    /// `None` for a token without rows.
    pub tokens: Vec<Option<TokenRoute>>,
}

/// Where and how fast it ran.
#[derive(Debug, Clone, Default)]
pub struct ForwardRun {
    pub backbone: &'static str,
    pub device: String,
    /// Why it is not the device that was asked for.
    pub fallback: Option<String>,
    /// Bytes of the weights in memory.
    pub weight_bytes: usize,
    pub load: Duration,
    pub forward: Duration,
}

/// A routed sample.
#[derive(Debug, Clone)]
pub struct Routed {
    pub view: Arc<SampleView>,
    pub settings: Settings,
    pub run: ForwardRun,
    pub rows: Vec<ForwardRow>,
    /// Rows of each token.
    pub token_rows: Vec<Range<usize>>,
    pub layers: Vec<Layer>,
    /// Rows cut off by model_max_length.
    pub truncated: usize,
    /// The kinds of rows there are.
    pub subsets: Vec<(Subset, usize)>,
    /// The loss of transformers over all layers at once (balance is k), for its routers.
    pub pooled: Option<f32>,
}

impl Routed {
    /// Joins a forward's routing with the label view.
    pub fn new(
        view: Arc<SampleView>,
        settings: Settings,
        (rows, token_rows, truncated): (Vec<ForwardRow>, Vec<Range<usize>>, usize),
        routings: Vec<LayerRouting>,
        run: ForwardRun,
    ) -> Self {
        let pooled = pooled(&routings);
        let layers = routings.into_iter().map(|routing| layer(routing, &token_rows)).collect();
        let subsets = Subset::of(&rows);
        Self { view, settings, run, rows, token_rows, layers, truncated, subsets, pooled }
    }

    /// Whether rows are bytes.
    pub fn is_bytes(&self) -> bool {
        self.settings.model == super::settings::ModelPick::Bytes
    }

    /// `412 bytes`.
    pub fn count_text(&self, rows: usize) -> String {
        let what = if self.is_bytes() { "byte" } else { "position" };
        let plural = if rows == 1 { "" } else { "s" };
        format!("{rows} {what}{plural}")
    }

    /// The patches of image `image` as rows, in reading order.
    pub fn image_rows(&self, image: usize) -> Vec<(usize, ImagePatch)> {
        let patches = self.rows.iter().enumerate().filter_map(|(at, row)| Some((at, row.patch?)));
        patches.filter(|(_, p)| p.image == image).collect()
    }

    /// Number of images with rows.
    pub fn images(&self) -> usize {
        self.rows.iter().filter_map(|r| r.patch).map(|p| p.image + 1).max().unwrap_or(0)
    }
}

/// The bytes of the prompt that training sees: up to the last token, where the rest is cut off.
pub fn seen_bytes(view: &SampleView) -> &[u8] {
    let prompt = view.inspection.prompt.as_deref().unwrap_or("");
    let seen = view.labelled().map_or(prompt.len(), |labelled| view.setup.seen_bytes(prompt, labelled));
    prompt.as_bytes().get(..seen).unwrap_or_default()
}

/// The rows of the byte model: every byte that training sees, and how many it does not.
pub fn byte_rows(view: &SampleView) -> (Vec<ForwardRow>, Vec<Range<usize>>, usize) {
    let all = view.inspection.prompt.as_deref().unwrap_or("").len();
    let bytes = seen_bytes(view).len();
    let spans: Vec<Range<usize>> = view.labelled().map(|l| l.spans.clone()).unwrap_or_default();
    let mut rows = vec![row(view, None, None); bytes];
    for (token, span) in spans.iter().enumerate() {
        let own = row(view, Some(token), None);
        for row in rows.get_mut(span.clone()).into_iter().flatten() {
            // Several tokens of one character share its bytes: the first names them, one learned is enough.
            let learned = row.supervised || own.supervised;
            if row.token.is_none() {
                *row = own;
            }
            row.supervised = learned;
        }
    }
    (rows, spans, all - bytes)
}

/// The rows of a model that reads tokens, with each image expanded.
pub fn token_rows(
    view: &SampleView,
    origins: &[Origin],
    truncated: usize,
) -> (Vec<ForwardRow>, Vec<Range<usize>>, usize) {
    let ids = view.labelled().map(|l| l.input_ids.as_slice()).unwrap_or_default();
    let places: Vec<usize> =
        ids.iter().enumerate().filter(|(_, id)| **id == IMAGE_TOKEN_INDEX).map(|(at, _)| at).collect();
    let mut spans = vec![0..0; ids.len()];
    let mut rows = Vec::with_capacity(origins.len());
    for (at, origin) in origins.iter().enumerate() {
        let (token, patch) = match *origin {
            Origin::Token { index, .. } => (Some(index), None),
            Origin::Image { image, row, column, .. } => {
                (places.get(image).copied(), Some(ImagePatch { image, row, column }))
            }
        };
        if let Some(span) = token.and_then(|t| spans.get_mut(t)) {
            *span = if span.start == span.end { at..at + 1 } else { span.start..at + 1 };
        }
        rows.push(row(view, token, patch));
    }
    (rows, spans, truncated)
}

fn row(view: &SampleView, token: Option<usize>, patch: Option<ImagePatch>) -> ForwardRow {
    let state = token.and_then(|t| view.token(t)).filter(|_| patch.is_none());
    let section = token.and_then(|t| view.section_at(t)).map(|(_, s)| s);
    ForwardRow {
        token,
        supervised: state.is_some_and(|t| t.fate == Fate::Supervised),
        lost: state.is_some_and(|t| matches!(t.fate, Fate::Lost | Fate::Cut)),
        speaker: section.map(|s| s.speaker),
        round: section.and_then(|s| s.round),
        patch,
    }
}

fn layer(routing: LayerRouting, spans: &[Range<usize>]) -> Layer {
    let d = &routing.decision;
    let gates = Logits::new(&routing.logits, d.num_experts).map(|l| softmax_rows(&l)).unwrap_or_default();
    let tokens = spans.iter().map(|span| token_route(&routing, span)).collect();
    Layer { queue: d.queue(&gates), balance: layer_balance(&routing), tokens, gates, routing }
}

fn token_route(routing: &LayerRouting, span: &Range<usize>) -> Option<TokenRoute> {
    let d = &routing.decision;
    let k = d.top_k.max(1);
    let rows = span.start.min(d.tokens())..span.end.min(d.tokens());
    if rows.is_empty() {
        return None;
    }
    let choices = rows.start * k..rows.end * k;
    let dropped = choices.clone().filter(|at| d.is_dropped(at / k, at % k)).count();
    let dropped = dropped as f32 / choices.len() as f32;
    let mut weights = vec![0f32; d.num_experts];
    for (expert, weight) in d.idx.get(choices.clone())?.iter().zip(d.weights.get(choices.clone())?) {
        if let Some(sum) = weights.get_mut(*expert) {
            *sum += weight / rows.len() as f32;
        }
    }
    let first = d.idx.get(choices.start).copied()?;
    // One row shows its first choice even where that was dropped.
    let several = argmax(weights.iter().copied()).filter(|e| weights.get(*e).is_some_and(|w| *w > 0.0));
    let expert = if rows.len() == 1 { first } else { several.unwrap_or(first) };
    Some(TokenRoute { expert, weight: weights.get(expert).copied().unwrap_or(0.0), dropped })
}

fn pooled(routings: &[LayerRouting]) -> Option<f32> {
    let first = routings.first().filter(|r| r.decision.capacity.is_none())?;
    let logits: Option<Vec<Logits<'_>>> =
        routings.iter().map(|r| Logits::new(&r.logits, r.decision.num_experts).ok()).collect();
    load_balancing_loss(&logits?, first.decision.top_k, None)
}
