//! The header of a safetensors file: an 8-byte length, then JSON with a shape, a dtype and a byte range a
//! tensor.
//!
//! The forms of an entry and of a dtype are those of the safetensors crate. The checks are our own, because most of the
//! crate's errors do not say which tensor of a stranger's file is wrong.

use std::ops::Range;
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::TensorInfo as Entry;
use serde::Deserialize;
use serde_json::Value;

use crate::guard;
use crate::moe::error::{MoeError, MoeResult};

/// Largest header parsed. The format allows 100 MB; the largest real ones (shards with thousands of
/// tensors) stay below 1 MB, and JSON takes many times its size in memory.
const MAX_HEADER: usize = 32 << 20;

/// JSON values of a header; a tensor has ten.
const MAX_VALUES: usize = 2_000_000;

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
    let values = guard::json_values(header);
    if values > MAX_VALUES {
        return Err(broken(format!("its header has {values} JSON values, more than {MAX_VALUES}")));
    }
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

/// Bytes of a tensor; `None` where they are no whole number, or too many to count.
pub(super) fn byte_count(dtype: Dtype, shape: &[usize]) -> Option<usize> {
    let bits = shape.iter().try_fold(dtype.bitsize(), |n, &d| n.checked_mul(d))?;
    (bits % 8 == 0).then_some(bits / 8)
}

/// One entry; `data_start` and `data_len` are where the data of the file lies.
fn tensor(entry: &Value, data_start: usize, data_len: usize) -> Result<TensorInfo, String> {
    let Entry { dtype, shape, data_offsets: (start, end) } =
        Entry::deserialize(entry).map_err(|e| format!("its header entry is malformed: {e}"))?;
    if start > end {
        return Err(format!("its data_offsets [{start}, {end}] run backwards"));
    }
    if end > data_len {
        return Err(format!("ends at byte {end} of {data_len}: the file is cut short or the header lies"));
    }
    if byte_count(dtype, &shape) != Some(end - start) {
        return Err(format!("shape {shape:?} of {dtype} does not fit its {} bytes", end - start));
    }
    Ok(TensorInfo { dtype, shape, bytes: data_start + start..data_start + end })
}
