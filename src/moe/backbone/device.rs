//! Where the forward pass runs: chosen at run time, falling back to the CPU with the reason.

use candle_core::Device as CandleDevice;

use crate::moe::error::{MoeError, MoeResult};

/// `--device`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// CUDA 0, then Metal, then the CPU.
    #[default]
    Auto,
    Cpu,
    Cuda(usize),
    Metal,
}

impl DeviceChoice {
    /// Parses `auto|cpu|cuda[:N]|metal`.
    pub fn parse(text: &str) -> MoeResult<Self> {
        Ok(match text {
            "auto" => Self::Auto,
            "cpu" => Self::Cpu,
            "cuda" => Self::Cuda(0),
            "metal" => Self::Metal,
            other => {
                let ordinal = other.strip_prefix("cuda:").and_then(|n| n.parse().ok());
                Self::Cuda(ordinal.ok_or_else(|| {
                    MoeError::Request(format!(
                        "unknown device {other:?}; known are auto, cpu, cuda[:N], metal"
                    ))
                })?)
            }
        })
    }
}

/// The device in use.
#[derive(Debug, Clone)]
pub struct Device {
    pub(super) inner: CandleDevice,
    name: String,
    fallback: Option<String>,
    /// For the tests: a device that is no CPU and fails in every forward.
    #[cfg(test)]
    fails: bool,
}

impl Device {
    /// Opens the chosen device; a missing or failing one becomes the CPU, and [`Device::fallback`] says
    /// why. Nothing is ever taken silently: `auto` on a build without GPU features has no reason to give.
    pub fn open(choice: DeviceChoice) -> Self {
        match choice {
            DeviceChoice::Cpu => Self::cpu(None),
            DeviceChoice::Cuda(n) => cuda(n).unwrap_or_else(|reason| Self::cpu(Some(reason))),
            DeviceChoice::Metal => metal().unwrap_or_else(|reason| Self::cpu(Some(reason))),
            DeviceChoice::Auto if cfg!(feature = "cuda") => {
                cuda(0).unwrap_or_else(|reason| Self::cpu(Some(reason)))
            }
            DeviceChoice::Auto if cfg!(feature = "metal") => {
                metal().unwrap_or_else(|reason| Self::cpu(Some(reason)))
            }
            DeviceChoice::Auto => Self::cpu(None),
        }
    }

    /// The CPU, with the reason why it is not what was asked for.
    pub(super) fn cpu(fallback: Option<String>) -> Self {
        Self::of(CandleDevice::Cpu, "cpu".into(), fallback)
    }

    fn of(inner: CandleDevice, name: String, fallback: Option<String>) -> Self {
        Self {
            inner,
            name,
            fallback,
            #[cfg(test)]
            fails: false,
        }
    }

    /// A device that loads a model and then fails.
    #[cfg(test)]
    pub(super) fn failing() -> Self {
        Self { fails: true, ..Self::of(CandleDevice::Cpu, "test:0".into(), None) }
    }

    pub fn is_cpu(&self) -> bool {
        self.name == "cpu"
    }

    /// Fails where the device is known to.
    #[cfg(test)]
    pub(super) fn check(&self) -> MoeResult<()> {
        let message = "out of memory".to_owned();
        if self.fails { Err(MoeError::Compute { while_doing: "layer 0".into(), message }) } else { Ok(()) }
    }

    /// Fails where the device is known to: never outside the tests.
    #[cfg(not(test))]
    #[allow(clippy::unused_self)]
    pub(super) fn check(&self) -> MoeResult<()> {
        Ok(())
    }

    /// `cpu`, `cuda:0`, `metal`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What a GPU calls itself and how much of its memory is taken: `NVIDIA H200, 3.1 of 139.8 GiB used`. `None` where
    /// there is nothing to ask.
    #[cfg(feature = "cuda")]
    pub fn hardware(&self) -> Option<String> {
        let stream = self.inner.as_cuda_device().ok()?.cuda_stream();
        let context = stream.context();
        let gibibytes = |bytes: usize| bytes as f64 / f64::from(1 << 30);
        let memory = context.mem_get_info().map_or(String::new(), |(free, total)| {
            format!(", {:.1} of {:.1} GiB used", gibibytes(total.saturating_sub(free)), gibibytes(total))
        });
        Some(format!("{}{memory}", context.name().ok()?))
    }

    /// What a GPU calls itself: this build knows none.
    #[cfg(not(feature = "cuda"))]
    pub fn hardware(&self) -> Option<String> {
        None
    }

    /// Why this is the CPU although something else was asked for.
    pub fn fallback(&self) -> Option<&str> {
        self.fallback.as_deref()
    }
}

fn cuda(ordinal: usize) -> Result<Device, String> {
    if !cfg!(feature = "cuda") {
        return Err("this build has no CUDA: build with --features cuda".into());
    }
    let inner = CandleDevice::new_cuda(ordinal).map_err(|e| format!("CUDA device {ordinal}: {e}"))?;
    Ok(Device::of(inner, format!("cuda:{ordinal}"), None))
}

fn metal() -> Result<Device, String> {
    if !cfg!(feature = "metal") {
        return Err("this build has no Metal: build with --features metal (macOS)".into());
    }
    let inner = CandleDevice::new_metal(0).map_err(|e| format!("Metal: {e}"))?;
    Ok(Device::of(inner, "metal".into(), None))
}

/// A device that this program knows of.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct DeviceState {
    pub name: &'static str,
    /// Whether this build has the code for it.
    pub compiled_in: bool,
    /// Why it cannot be used; `None` when it can.
    pub problem: Option<String>,
}

/// Every device that this program knows of, tried now.
pub fn device_list() -> Vec<DeviceState> {
    vec![
        DeviceState { name: "cpu", compiled_in: true, problem: None },
        DeviceState { name: "cuda:0", compiled_in: cfg!(feature = "cuda"), problem: cuda(0).err() },
        DeviceState { name: "metal", compiled_in: cfg!(feature = "metal"), problem: metal().err() },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_parse_and_unknown_ones_do_not() {
        assert_eq!(DeviceChoice::parse("cuda:3").unwrap(), DeviceChoice::Cuda(3));
        for word in ["cuda:", "cuda:x", "gpu", ""] {
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
