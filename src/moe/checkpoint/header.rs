//! The header of a safetensors file: an 8-byte length, then JSON with a shape, a dtype and a byte range a
//! tensor. Checked here, and not by the safetensors crate, so that every refusal names the tensor.

use std::ops::Range;
use std::path::Path;

use serde_json::Value;

use crate::moe::error::{MoeError, MoeResult};

/// Largest header parsed. The format allows 100 MB; the largest real ones (shards with thousands of
/// tensors) stay below 1 MB, and JSON takes many times its size in memory.
const MAX_HEADER: usize = 32 << 20;

/// Element types a checkpoint may hold; only the floating ones up to 64 bit can be read as weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dtype {
    F64,
    F32,
    F16,
    BF16,
    I64,
    I32,
    I16,
    I8,
    U64,
    U32,
    U16,
    U8,
    Bool,
    F8E4M3,
    F8E5M2,
}

impl Dtype {
    const ALL: [(Self, &'static str, usize); 15] = [
        (Self::F64, "F64", 8),
        (Self::F32, "F32", 4),
        (Self::F16, "F16", 2),
        (Self::BF16, "BF16", 2),
        (Self::I64, "I64", 8),
        (Self::I32, "I32", 4),
        (Self::I16, "I16", 2),
        (Self::I8, "I8", 1),
        (Self::U64, "U64", 8),
        (Self::U32, "U32", 4),
        (Self::U16, "U16", 2),
        (Self::U8, "U8", 1),
        (Self::Bool, "BOOL", 1),
        (Self::F8E4M3, "F8_E4M3", 1),
        (Self::F8E5M2, "F8_E5M2", 1),
    ];

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, n, _)| *n == name).map(|(dtype, ..)| *dtype)
    }

    /// The name in the file.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(d, ..)| *d == self).map_or("?", |(_, name, _)| name)
    }

    /// Bytes an element.
    pub fn size(self) -> usize {
        Self::ALL.iter().find(|(d, ..)| *d == self).map_or(1, |(.., size)| *size)
    }
}

/// One tensor of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    /// Byte range within the file.
    pub bytes: Range<usize>,
}

/// The tensors of a file, with ranges that lie in the file, fit their shapes and do not overlap.
pub(super) fn read(path: &Path, file: &[u8]) -> MoeResult<Vec<(String, TensorInfo)>> {
    let broken = |message: String| MoeError::checkpoint(path, message);
    let Some((length, rest)) = file.split_first_chunk::<8>() else {
        return Err(broken("is no safetensors file: shorter than its length field".into()));
    };
    let length = u64::from_le_bytes(*length);
    let length = usize::try_from(length)
        .ok()
        .filter(|&n| n <= MAX_HEADER && n <= rest.len())
        .ok_or_else(|| broken(format!("claims a header of {length} bytes, the file has {}", rest.len())))?;
    let (header, data) = rest.split_at_checked(length).unwrap_or_default();
    let json: Value =
        serde_json::from_slice(header).map_err(|e| broken(format!("its header is no JSON: {e}")))?;
    let Value::Object(entries) = json else {
        return Err(broken("its header is no JSON object".into()));
    };

    let mut tensors = Vec::with_capacity(entries.len());
    for (name, entry) in entries {
        if name == "__metadata__" {
            continue;
        }
        let info = tensor(&entry, 8 + length, data.len()).map_err(|m| MoeError::tensor(path, &name, m))?;
        tensors.push((name, info));
    }
    tensors.sort_by_key(|(_, info)| (info.bytes.start, info.bytes.end));
    for pair in tensors.windows(2) {
        if let [(before, a), (name, b)] = pair
            && b.bytes.start < a.bytes.end
        {
            return Err(MoeError::tensor(path, name, format!("overlaps tensor {before:?}")));
        }
    }
    Ok(tensors)
}

/// One entry; `data_start` and `data_len` are where the data of the file lies.
fn tensor(entry: &Value, data_start: usize, data_len: usize) -> Result<TensorInfo, String> {
    let dtype = entry.get("dtype").and_then(Value::as_str).ok_or("has no dtype")?;
    let dtype = Dtype::parse(dtype).ok_or_else(|| format!("has the unknown dtype {dtype:?}"))?;
    let shape = sizes(entry.get("shape")).ok_or("its shape is no list of sizes")?;
    let (start, end) = match sizes(entry.get("data_offsets")).as_deref() {
        Some(&[start, end]) if start <= end => (start, end),
        _ => return Err("its data_offsets are no [start, end]".into()),
    };
    if end > data_len {
        return Err(format!("ends at byte {end} of {data_len}: the file is cut short or the header lies"));
    }
    let wanted = shape.iter().try_fold(dtype.size(), |n, &d| n.checked_mul(d));
    if wanted != Some(end - start) {
        let (name, bytes) = (dtype.name(), end - start);
        return Err(format!("shape {shape:?} of {name} does not fit its {bytes} bytes"));
    }
    Ok(TensorInfo { dtype, shape, bytes: data_start + start..data_start + end })
}

fn sizes(value: Option<&Value>) -> Option<Vec<usize>> {
    value?.as_array()?.iter().map(|v| v.as_u64().and_then(|n| usize::try_from(n).ok())).collect()
}
