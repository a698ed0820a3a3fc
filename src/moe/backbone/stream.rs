//! A dense model with one layer in memory at a time, for what needs the inputs of every layer and no output.

use std::collections::BTreeMap;

use super::array::Array;
use super::device::{Device, DeviceChoice};
use super::forward_context::{ForwardContext, NoiseSource};
use super::model::{InputRow, Model, ModelLoadOptions};
use crate::moe::checkpoint::Checkpoint;
use crate::moe::config::Config;
use crate::moe::error::MoeResult;

/// Runs `sequences` through the first `layers` layers and hands the inputs of each layer's feed-forward part (what a
/// gate would see) to `visit`: rows of all sequences one after another, `[T, H]`.
///
/// In memory are the residual streams of all sequences and one layer.
///
/// # Errors
/// Those of [`Model::load`] and [`Model::forward`], and what `visit` returns.
pub fn for_each_feed_input(
    config: &Config,
    checkpoint: &Checkpoint,
    sequences: &[Vec<InputRow>],
    layers: usize,
    visit: &mut dyn FnMut(usize, Vec<f32>) -> MoeResult<()>,
) -> MoeResult<()> {
    let options = ModelLoadOptions { device: DeviceChoice::Cpu, ..ModelLoadOptions::default() };
    let model = Model::without_layers(Device::cpu(None), config, checkpoint, &options)?;
    let mut streams: Vec<Array> = sequences
        .iter()
        .filter(|rows| !rows.is_empty())
        .map(|rows| model.embed(std::slice::from_ref(rows), rows.len(), 0))
        .collect::<MoeResult<_>>()?;
    for layer in 0..layers.min(model.num_layers()) {
        let block = model.block(layer)?;
        let mut seen = Vec::new();
        for x in &mut streams {
            let lens = [x.rows];
            let mut ctx = ForwardContext::new(model.compute(), x.rows, &lens, &NoiseSource::Off);
            ctx.feed_inputs = Some(BTreeMap::new());
            *x = block.forward(layer, x, &mut ctx)?;
            seen.extend(ctx.feed_inputs.into_iter().flat_map(BTreeMap::into_values).flatten());
        }
        visit(layer, seen)?;
    }
    Ok(())
}
