//! Opening a GPU: once a process, and only one that computes what the CPU computes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::GpuCompute;
use super::adapters::adapters;
use super::machine::{Faults, Machine};
use crate::guard::{contain, without_stderr};
use crate::moe::backbone::agreement::{SMALL, disagreement};
use crate::moe::backbone::candle::Host;

/// Largest difference from the CPU, relative above 1, that a kernel may show at the start.
const TOLERANCE: f32 = 1e-4;

/// GPUs that are open. They stay so, because their kernels are compiled; one that failed is opened anew.
static OPEN: Mutex<BTreeMap<usize, Arc<GpuCompute>>> = Mutex::new(BTreeMap::new());

/// GPU number `ordinal`.
///
/// # Errors
/// In words: none with this number, what its driver says, a kernel that does not compile or gives wrong results.
pub(in crate::moe::backbone) fn open(ordinal: usize) -> Result<Arc<GpuCompute>, String> {
    let mut known = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(gpu) = known.get(&ordinal).filter(|gpu| gpu.machine.check().is_ok()) {
        return Ok(Arc::clone(gpu));
    }
    let gpu = Arc::new(open_with(ordinal, Faults::default())?);
    known.insert(ordinal, Arc::clone(&gpu));
    Ok(gpu)
}

/// The same with what goes wrong on purpose.
pub(super) fn open_with(ordinal: usize, faults: Faults) -> Result<GpuCompute, String> {
    let all = adapters()?;
    let Some(adapter) = all.get(ordinal) else {
        let count = all.len();
        return Err(format!(
            "there is no GPU {ordinal}: {count} found, counted from 0 (maskscope moe devices)"
        ));
    };
    // A driver of the system runs in here.
    let opened = without_stderr(|| {
        contain(|| {
            let gpu = GpuCompute { machine: Machine::open(adapter, faults)? };
            match disagreement(&gpu, &Host, &SMALL, TOLERANCE) {
                Ok(None) => Ok(gpu),
                Ok(Some(wrong)) => Err(format!("{}: wrong results: {wrong}", gpu.machine.title)),
                Err(error) => Err(error.to_string()),
            }
        })
    });
    opened.map_err(|panic| format!("its driver failed: {panic}"))?
}
