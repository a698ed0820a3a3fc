//! Where the forward pass runs: chosen at run time, falling back to the CPU with the reason.

use std::sync::Arc;

use candle_core::Device as CandleDevice;

use super::candle::{Composed, Host};
use super::compute::Compute;
use super::gpu;
use crate::moe::error::{MoeError, MoeResult};

/// `--device`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// CUDA 0 or Metal where they are built in, then a real GPU of the system, then the CPU.
    #[default]
    Auto,
    Cpu,
    /// A GPU of the system, through Vulkan, Metal or DX12.
    Gpu(usize),
    Cuda(usize),
    Metal,
}

impl DeviceChoice {
    /// Parses `auto|cpu|gpu[:N]|cuda[:N]|metal`.
    pub fn parse(text: &str) -> MoeResult<Self> {
        let (kind, ordinal) = match text.split_once(':') {
            Some((kind, n)) => (kind, n.parse().ok()),
            None => (text, Some(0)),
        };
        Ok(match (kind, ordinal) {
            _ if text == "auto" => Self::Auto,
            _ if text == "cpu" => Self::Cpu,
            _ if text == "metal" => Self::Metal,
            ("gpu", Some(n)) => Self::Gpu(n),
            ("cuda", Some(n)) => Self::Cuda(n),
            _ => {
                return Err(MoeError::Request(format!(
                    "unknown device {text:?}; known are auto, cpu, cuda[:N], metal, gpu[:N]"
                )));
            }
        })
    }
}

/// The device in use.
#[derive(Debug, Clone)]
pub struct Device {
    compute: Arc<dyn Compute>,
    name: String,
    fallback: Option<String>,
    /// For the tests: a device that is no CPU and fails in every forward.
    #[cfg(test)]
    fails: bool,
}

impl Device {
    /// Opens the chosen device; a missing or failing one becomes the CPU, and [`Device::fallback`] says
    /// why. Nothing is ever taken silently: `auto` where there is no GPU has no reason to give.
    pub fn open(choice: DeviceChoice) -> Self {
        let opened = match choice {
            DeviceChoice::Cpu => Ok(Self::cpu(None)),
            DeviceChoice::Gpu(n) => gpu_device(n),
            DeviceChoice::Cuda(n) => cuda(n),
            DeviceChoice::Metal => metal(),
            DeviceChoice::Auto => auto(),
        };
        opened.unwrap_or_else(|reason| Self::cpu(Some(reason)))
    }

    /// The CPU, with the reason why it is not what was asked for.
    pub(super) fn cpu(fallback: Option<String>) -> Self {
        Self::of(Arc::new(Host), "cpu".into(), fallback)
    }

    pub(super) fn of(compute: Arc<dyn Compute>, name: String, fallback: Option<String>) -> Self {
        Self {
            compute,
            name,
            fallback,
            #[cfg(test)]
            fails: false,
        }
    }

    /// A device that loads a model and then fails.
    #[cfg(test)]
    pub(super) fn failing() -> Self {
        Self { fails: true, ..Self::of(Arc::new(Host), "test:0".into(), None) }
    }

    /// candle's other devices, on the CPU.
    #[cfg(test)]
    pub(super) fn composed() -> Self {
        Self::of(Arc::new(Composed { device: CandleDevice::Cpu }), "composed".into(), None)
    }

    pub fn is_cpu(&self) -> bool {
        self.name == "cpu"
    }

    /// Waits for the device; fails where it did.
    pub(super) fn check(&self) -> MoeResult<()> {
        #[cfg(test)]
        if self.fails {
            let message = "out of memory".to_owned();
            return Err(MoeError::Compute { while_doing: "layer 0".into(), message });
        }
        self.compute.finish()
    }

    /// What it can do for a model.
    pub(super) fn compute(&self) -> &dyn Compute {
        self.compute.as_ref()
    }

    /// `cpu`, `gpu:0`, `cuda:0`, `metal`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What a GPU calls itself and how much of its memory is taken: `NVIDIA H200, 3.1 of 139.8 GiB used`. `None` where
    /// there is nothing to ask.
    pub fn hardware(&self) -> Option<String> {
        self.compute.hardware()
    }

    /// Why this is the CPU although something else was asked for.
    pub fn fallback(&self) -> Option<&str> {
        self.fallback.as_deref()
    }
}

fn auto() -> Result<Device, String> {
    let built_in = match () {
        () if cfg!(feature = "cuda") => Some(cuda(0)),
        () if cfg!(feature = "metal") => Some(metal()),
        () => None,
    };
    match (built_in, gpu::preferred()) {
        (Some(Ok(device)), _) => Ok(device),
        (_, Some(n)) => gpu_device(n),
        (Some(Err(reason)), None) => Err(reason),
        (None, None) => Ok(Device::cpu(None)),
    }
}

fn gpu_device(ordinal: usize) -> Result<Device, String> {
    let gpu = gpu::open(ordinal).map_err(|reason| format!("gpu:{ordinal}: {reason}"))?;
    Ok(Device::of(gpu, format!("gpu:{ordinal}"), None))
}

fn cuda(ordinal: usize) -> Result<Device, String> {
    if !cfg!(feature = "cuda") {
        return Err("this build has no CUDA: build with --features cuda, or take --device gpu".into());
    }
    let device = CandleDevice::new_cuda(ordinal).map_err(|e| format!("CUDA device {ordinal}: {e}"))?;
    Ok(Device::of(Arc::new(Composed { device }), format!("cuda:{ordinal}"), None))
}

fn metal() -> Result<Device, String> {
    if !cfg!(feature = "metal") {
        return Err(
            "this build has no Metal: build with --features metal (macOS), or take --device gpu".into()
        );
    }
    let device = CandleDevice::new_metal(0).map_err(|e| format!("Metal: {e}"))?;
    Ok(Device::of(Arc::new(Composed { device }), "metal".into(), None))
}

/// A device that this program knows of.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct DeviceState {
    pub name: String,
    /// Whether this build has the code for it.
    pub compiled_in: bool,
    /// Why it cannot be used; `None` when it can.
    pub problem: Option<String>,
    /// What it calls itself; `None` where there is nothing to ask.
    pub hardware: Option<String>,
}

/// Every device that this program knows of, tried now.
pub fn device_list() -> Vec<DeviceState> {
    let state = |name: &str, compiled_in: bool, tried: Result<Device, String>| DeviceState {
        name: name.to_owned(),
        compiled_in,
        hardware: tried.as_ref().ok().and_then(Device::hardware),
        problem: tried.err(),
    };
    let gpus = gpu::adapters().map_or(1, <[_]>::len);
    let mut all = vec![state("cpu", true, Ok(Device::cpu(None)))];
    all.extend((0..gpus).map(|n| state(&format!("gpu:{n}"), true, gpu_device(n))));
    all.push(state("cuda:0", cfg!(feature = "cuda"), cuda(0)));
    all.push(state("metal", cfg!(feature = "metal"), metal()));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_parse_and_unknown_ones_do_not() {
        assert_eq!(DeviceChoice::parse("cuda:3").unwrap(), DeviceChoice::Cuda(3));
        assert_eq!(DeviceChoice::parse("gpu").unwrap(), DeviceChoice::Gpu(0));
        assert_eq!(DeviceChoice::parse("gpu:2").unwrap(), DeviceChoice::Gpu(2));
        for word in ["cuda:", "cuda:x", "gpu:", "gpu:-1", "cpu:0", "tpu", ""] {
            assert!(DeviceChoice::parse(word).is_err(), "{word}");
        }
    }

    #[cfg(not(any(feature = "cuda", feature = "metal")))]
    #[test]
    fn a_missing_device_is_the_cpu_with_a_reason() {
        let device = Device::open(DeviceChoice::Cuda(0));
        assert_eq!(device.name(), "cpu");
        assert!(device.fallback().unwrap().contains("--features cuda"));
        assert_eq!(Device::open(DeviceChoice::Auto).fallback(), None);
    }
}
