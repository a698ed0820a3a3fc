//! The arrays of `moe route --dump`, as one safetensors file.

use std::path::Path;

use super::backbone::Forward;
use super::checkpoint::{TensorSource, write_safetensors};
use super::error::MoeResult;

/// The arrays of `--dump`: positions of all calls one after another, padding included.
#[derive(Debug, Clone, Default)]
pub struct Dump {
    hidden_size: usize,
    hidden: Vec<f32>,
    sequences: usize,
    last_logits: Vec<f32>,
    layers: Vec<DumpLayer>,
}

#[derive(Debug, Clone, Default)]
struct DumpLayer {
    layer: usize,
    num_experts: usize,
    top_k: usize,
    logits: Vec<f32>,
    idx: Vec<i64>,
    w: Vec<f32>,
    slot: Option<Vec<i64>>,
}

impl Dump {
    /// Takes the arrays of one more call.
    pub(super) fn add(&mut self, run: Forward) {
        self.hidden_size = run.hidden_size;
        self.hidden.extend(run.hidden);
        self.sequences += run.batch;
        self.last_logits.extend(run.logits.unwrap_or_default());
        for (at, routing) in run.routings.into_iter().enumerate() {
            let d = routing.decision;
            if self.layers.len() <= at {
                self.layers.push(DumpLayer {
                    layer: routing.layer,
                    num_experts: d.num_experts,
                    top_k: d.top_k,
                    slot: d.slots.as_ref().map(|_| Vec::new()),
                    ..DumpLayer::default()
                });
            }
            let Some(layer) = self.layers.get_mut(at) else { continue };
            layer.logits.extend(routing.logits);
            layer.idx.extend(d.idx.iter().map(|&e| e as i64));
            layer.w.extend(d.weights);
            if let (Some(all), Some(slots)) = (&mut layer.slot, d.slots) {
                all.extend(slots.into_iter().map(|s| s.map_or(-1, |s| s as i64)));
            }
        }
    }

    /// Writes the arrays of spec cli.md: `hidden`, `last_logits` (absent where only some layers were
    /// loaded), and `L<l>/{logits,idx,w,slot}` (`slot` only where the router has a capacity).
    pub fn write(self, path: &Path) -> MoeResult<()> {
        let rows = self.hidden.len() / self.hidden_size.max(1);
        let mut tensors = vec![(
            "hidden".to_owned(),
            TensorSource::F32 { shape: vec![rows, self.hidden_size], values: self.hidden },
        )];
        if !self.last_logits.is_empty() {
            let shape = vec![self.sequences, self.last_logits.len() / self.sequences.max(1)];
            tensors.push(("last_logits".into(), TensorSource::F32 { shape, values: self.last_logits }));
        }
        for layer in self.layers {
            let name = |part: &str| format!("L{}/{part}", layer.layer);
            let choices = vec![rows, layer.top_k];
            let logits = TensorSource::F32 { shape: vec![rows, layer.num_experts], values: layer.logits };
            tensors.push((name("logits"), logits));
            tensors.push((name("idx"), TensorSource::I64 { shape: choices.clone(), values: layer.idx }));
            tensors.push((name("w"), TensorSource::F32 { shape: choices.clone(), values: layer.w }));
            if let Some(values) = layer.slot {
                tensors.push((name("slot"), TensorSource::I64 { shape: choices, values }));
            }
        }
        write_safetensors(path, &tensors)
    }
}
