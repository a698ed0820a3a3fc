//! Which GPUs the system has.

use std::pin::pin;
use std::sync::OnceLock;
use std::task::{Context, Poll, Waker};

use wgpu::{Adapter, Backends, DeviceType, Instance, InstanceDescriptor, InstanceFlags};

use crate::guard::{contain, without_stderr};

/// Percent of a GPU's memory from which on a new buffer is refused: a driver that has none left may end the device.
const MEMORY_PERCENT: u8 = 90;

/// All GPUs, real ones first, in an order that stays: `gpu:N` counts through them.
///
/// # Errors
/// Why there is none to ask for.
pub(in crate::moe::backbone) fn adapters() -> Result<&'static [Adapter], &'static str> {
    static FOUND: OnceLock<Result<Vec<Adapter>, String>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        // A driver of the system runs in here.
        let all = without_stderr(|| {
            contain(|| {
                let mut descriptor = InstanceDescriptor::new_without_display_handle();
                descriptor.backends = Backends::VULKAN | Backends::METAL | Backends::DX12;
                descriptor.flags = InstanceFlags::empty();
                descriptor.memory_budget_thresholds.for_resource_creation = Some(MEMORY_PERCENT);
                let instance = Instance::new(descriptor);
                ready(instance.enumerate_adapters(Backends::all()))
            })
        });
        let mut all = all.map_err(|panic| format!("looking for GPUs failed: {panic}"))?;
        all.sort_by_key(|adapter| rank(adapter.get_info().device_type));
        if all.is_empty() {
            return Err(
                "no GPU was found: neither Vulkan nor Metal nor DX12 has one (a driver brings it)".into()
            );
        }
        Ok(all)
    });
    match found {
        Ok(all) => Ok(all),
        Err(reason) => Err(reason),
    }
}

/// The GPU that `auto` takes: the first that is no processor in disguise, as Mesa's llvmpipe is.
pub(in crate::moe::backbone) fn preferred() -> Option<usize> {
    adapters().ok()?.iter().position(|adapter| adapter.get_info().device_type != DeviceType::Cpu)
}

/// What an adapter calls itself: `NVIDIA H200, Vulkan`.
pub(super) fn title(adapter: &Adapter) -> String {
    let info = adapter.get_info();
    format!("{}, {:?}", info.name, info.backend)
}

fn rank(kind: DeviceType) -> u8 {
    match kind {
        DeviceType::DiscreteGpu => 0,
        DeviceType::IntegratedGpu => 1,
        DeviceType::VirtualGpu => 2,
        DeviceType::Other => 3,
        DeviceType::Cpu => 4,
    }
}

/// Waits for a future of wgpu, which outside a browser is ready at once.
pub(super) fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        std::thread::yield_now();
    }
}
