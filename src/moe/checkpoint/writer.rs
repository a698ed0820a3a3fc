//! Writing safetensors tensor by tensor. By hand, because the safetensors crate's writer wants the bytes of every tensor
//! at once and cannot be stopped: here a checkpoint larger than memory is copied piece by piece.

use std::io::Write;
use std::path::Path;

use safetensors::Dtype;
use serde_json::{Map, Value, json};

use super::Checkpoint;
use super::header::byte_count;
use crate::moe::error::{MoeError, MoeResult};

/// Where the bytes of a tensor to be written come from.
#[derive(Debug, Clone)]
pub enum TensorSource<'a> {
    /// Copied as it is from a checkpoint, dtype included.
    Copy { from: &'a Checkpoint, name: String },
    /// Computed values.
    F32 { shape: Vec<usize>, values: Vec<f32> },
    /// Computed integers.
    I64 { shape: Vec<usize>, values: Vec<i64> },
}

impl TensorSource<'_> {
    /// How many bytes the tensor takes in the file.
    pub fn bytes(&self) -> MoeResult<usize> {
        Ok(self.layout()?.2)
    }

    fn layout(&self) -> MoeResult<(Dtype, Vec<usize>, usize)> {
        Ok(match self {
            Self::Copy { from, name } => {
                let info = from.info(name)?;
                (info.dtype, info.shape.clone(), info.bytes.len())
            }
            Self::F32 { shape, values } => (Dtype::F32, shape.clone(), values.len() * 4),
            Self::I64 { shape, values } => (Dtype::I64, shape.clone(), values.len() * 8),
        })
    }

    /// Hands the bytes to `take`, piece by piece.
    fn pieces(&self, take: &mut dyn FnMut(&[u8]) -> MoeResult<()>) -> MoeResult<()> {
        match self {
            Self::Copy { from, name } => from.pieces(name, take),
            Self::F32 { values, .. } => values.iter().try_for_each(|v| take(&v.to_le_bytes())),
            Self::I64 { values, .. } => values.iter().try_for_each(|v| take(&v.to_le_bytes())),
        }
    }
}

/// Called with the number of bytes written since the last call; its `false` ends the writing.
pub type WriteWatch<'a> = &'a mut dyn FnMut(usize) -> bool;

/// Writes one safetensors file with the tensors in the given order.
///
/// # Errors
/// A source that is missing, a shape that does not fit its values, and what the file system refuses.
pub fn write_safetensors(path: &Path, tensors: &[(String, TensorSource<'_>)]) -> MoeResult<()> {
    write_watched(path, tensors, &mut |_| true)
}

/// The same, watched: [`MoeError::Cancelled`] leaves an unfinished file behind.
pub fn write_watched(
    path: &Path,
    tensors: &[(String, TensorSource<'_>)],
    watch: WriteWatch<'_>,
) -> MoeResult<()> {
    let mut header = Map::new();
    header.insert("__metadata__".into(), json!({"format": "pt"}));
    let mut at = 0usize;
    for (name, source) in tensors {
        let (dtype, shape, bytes) = source.layout()?;
        if byte_count(dtype, &shape) != Some(bytes) {
            return Err(MoeError::tensor(path, name, format!("shape {shape:?} does not fit {bytes} bytes")));
        }
        let entry = json!({"dtype": dtype.to_string(), "shape": shape, "data_offsets": [at, at + bytes]});
        if header.insert(name.clone(), entry).is_some() {
            return Err(MoeError::tensor(path, name, "would be written twice"));
        }
        at += bytes;
    }
    let mut header = Value::Object(header).to_string().into_bytes();
    // Data starts at a multiple of 8, as the format's own writer has it.
    header.resize(header.len().next_multiple_of(8), b' ');

    let io = |e| MoeError::write(path, e);
    let mut out = std::io::BufWriter::new(std::fs::File::create(path).map_err(io)?);
    out.write_all(&(header.len() as u64).to_le_bytes()).map_err(io)?;
    out.write_all(&header).map_err(io)?;
    for (_, source) in tensors {
        source.pieces(&mut |piece| {
            out.write_all(piece).map_err(io)?;
            if watch(piece.len()) { Ok(()) } else { Err(MoeError::Cancelled) }
        })?;
    }
    out.into_inner().map_err(|e| io(e.into_error()))?.sync_all().map_err(io)
}
