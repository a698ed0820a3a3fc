//! One GPU: buffers, compiled kernels, work that waits to be handed over, and what went wrong.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::time::Duration;

use wgpu::{
    Adapter, BindGroupLayout, BufferUsages, CommandEncoder, ComputePipeline, Device, ErrorFilter, MapMode,
    PollType, Queue,
};

use super::adapters::{ready, title};
use super::buffer::GpuBuffer;
use super::kernel::{Constants, Kernel};
use crate::moe::error::{MoeError, MoeResult};

/// Kernels that are handed over together.
const BATCH: usize = 256;
/// Bytes that each has for its parameters: the largest alignment that a device may ask for.
const PARAMETERS: usize = 256;
/// Bytes that wait before they are handed over: what is uploaded is held twice until then.
const WAITING: usize = 64 << 20;
/// After so long without an answer a GPU is given up.
const PATIENCE: Duration = Duration::from_secs(600);

/// What goes wrong on purpose, for the tests.
#[derive(Debug, Clone, Default)]
pub(super) struct Faults {
    /// A kernel, a piece of its text and what stands there instead.
    pub text: Option<(&'static str, &'static str, &'static str)>,
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Kernels until the device is lost.
    pub lost_after: Option<usize>,
}

/// An open GPU.
pub(super) struct Machine {
    device: Device,
    queue: Queue,
    pub title: String,
    /// Bytes that one binding may have.
    pub largest: usize,
    /// Groups of a dispatch in one direction.
    pub groups: u32,
    pipelines: Mutex<HashMap<(&'static str, Constants), Arc<Pipeline>>>,
    work: Mutex<Work>,
    parameters: wgpu::Buffer,
    /// Bound where a kernel has nothing to read.
    nothing: wgpu::Buffer,
    total: Arc<AtomicU64>,
    started: AtomicUsize,
    failure: Arc<OnceLock<String>>,
    /// That the device is gone, which other failures follow from.
    lost: Arc<OnceLock<String>>,
    faults: Faults,
}

struct Pipeline {
    pipeline: ComputePipeline,
    layout: BindGroupLayout,
}

#[derive(Default)]
struct Work {
    encoder: Option<CommandEncoder>,
    parameters: Vec<u8>,
    kernels: usize,
    uploaded: usize,
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine").field("title", &self.title).finish_non_exhaustive()
    }
}

impl Machine {
    /// # Errors
    /// What the driver says.
    pub fn open(adapter: &Adapter, faults: Faults) -> Result<Self, String> {
        let limits = adapter.limits();
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("maskscope"),
            required_limits: limits.clone(),
            ..wgpu::DeviceDescriptor::default()
        };
        let (device, queue) = ready(adapter.request_device(&descriptor)).map_err(|e| e.to_string())?;
        let (failure, lost) = (Arc::new(OnceLock::new()), Arc::new(OnceLock::new()));
        let (of_error, of_loss) = (Arc::clone(&failure), Arc::clone(&lost));
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            let _ = of_error.set(one_line(&error.to_string()));
        }));
        device.set_device_lost_callback(move |reason, message| {
            let _ = of_loss.set(one_line(&format!("the device was lost ({reason:?}): {message}")));
        });
        let buffer = |size: usize, usage| {
            let descriptor =
                wgpu::BufferDescriptor { label: None, size: size as u64, usage, mapped_at_creation: false };
            device.create_buffer(&descriptor)
        };
        let parameters = buffer(BATCH * PARAMETERS, BufferUsages::UNIFORM | BufferUsages::COPY_DST);
        let nothing = buffer(PARAMETERS, BufferUsages::STORAGE);
        let largest = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size).min(1 << 31);
        Ok(Self {
            title: title(adapter),
            largest: usize::try_from(largest).unwrap_or(1 << 31),
            groups: limits.max_compute_workgroups_per_dimension,
            pipelines: Mutex::default(),
            work: Mutex::default(),
            parameters,
            nothing,
            total: Arc::default(),
            started: AtomicUsize::new(0),
            failure,
            lost,
            faults,
            device,
            queue,
        })
    }

    /// Kernels that were started so far.
    #[cfg(test)]
    pub fn started(&self) -> usize {
        self.started.load(Ordering::Relaxed)
    }

    /// Bytes that all buffers take together.
    pub fn used(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// # Errors
    /// What went wrong first.
    pub fn check(&self) -> MoeResult<()> {
        if self.failure.get().is_some() {
            // Only a device that is asked says that it is gone.
            let _ = self.device.poll(PollType::Poll);
        }
        match self.lost.get().or(self.failure.get()) {
            Some(message) => Err(self.failed(message)),
            None => Ok(()),
        }
    }

    fn failed(&self, message: &str) -> MoeError {
        MoeError::Compute { while_doing: self.title.clone(), message: message.into() }
    }

    /// A buffer of so many words, its values undefined to a reader of Rust and zero to a kernel.
    pub fn buffer(&self, words: usize) -> MoeResult<GpuBuffer> {
        let bytes = words.max(4) * 4;
        if bytes > self.largest {
            return Err(self.failed(&format!("an array of {bytes} bytes, it takes at most {}", self.largest)));
        }
        let refused =
            |message: String| MoeError::DeviceMemory { device: self.title.clone(), wanted: bytes, message };
        if self.faults.memory.is_some_and(|most| self.used() + bytes as u64 > most) {
            return Err(refused("out of memory".into()));
        }
        let scope = self.device.push_error_scope(ErrorFilter::OutOfMemory);
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: bytes as u64,
            usage: BufferUsages::STORAGE | BufferUsages::COPY_DST | BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        });
        if let Some(error) = ready(scope.pop()) {
            return Err(refused(one_line(&error.to_string())));
        }
        self.check()?;
        Ok(GpuBuffer::new(buffer, &self.total))
    }

    /// A buffer with these bytes, a whole number of words.
    pub fn upload(&self, bytes: &[u8]) -> MoeResult<GpuBuffer> {
        let buffer = self.buffer(bytes.len().div_ceil(4))?;
        self.queue.write_buffer(buffer.raw(), 0, bytes);
        let waiting = {
            let mut work = self.lock_work();
            work.uploaded += bytes.len();
            work.uploaded
        };
        if waiting > WAITING {
            self.wait()?;
        }
        Ok(buffer)
    }

    pub fn upload_f32(&self, values: &[f32]) -> MoeResult<GpuBuffer> {
        self.upload(&values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>())
    }

    pub fn upload_u32(&self, values: &[u32]) -> MoeResult<GpuBuffer> {
        self.upload(&values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>())
    }

    /// Puts a kernel behind those that wait. `arrays` are those it reads (`None`: nothing), then the one it writes.
    pub fn run(
        &self,
        kernel: &Kernel,
        constants: Constants,
        parameters: &[u32],
        arrays: &[Option<&GpuBuffer>],
        groups: [u32; 3],
    ) -> MoeResult<()> {
        if groups.iter().any(|&n| n > self.groups) {
            return Err(self.failed(&format!("{}: {groups:?} groups are too many", kernel.name)));
        }
        let pipeline = self.pipeline(kernel, constants)?;
        let buffers = arrays.iter().map(|array| array.map_or(&self.nothing, GpuBuffer::raw));
        let parameters_at = wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer: &self.parameters,
            offset: 0,
            size: NonZeroU64::new(PARAMETERS as u64),
        });
        let entries: Vec<wgpu::BindGroupEntry<'_>> = std::iter::once(parameters_at)
            .chain(buffers.map(wgpu::Buffer::as_entire_binding))
            .enumerate()
            .map(|(at, resource)| wgpu::BindGroupEntry { binding: at as u32, resource })
            .collect();
        let group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(kernel.name),
            layout: &pipeline.layout,
            entries: &entries,
        });
        let mut work = self.lock_work();
        let offset = work.kernels * PARAMETERS;
        work.kernels += 1;
        work.parameters.resize(offset, 0);
        work.parameters.extend(parameters.iter().flat_map(|p| p.to_le_bytes()));
        work.parameters.resize(offset + PARAMETERS, 0);
        let encoder =
            work.encoder.get_or_insert_with(|| self.device.create_command_encoder(&Default::default()));
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&pipeline.pipeline);
        pass.set_bind_group(0, &group, &[offset as u32]);
        pass.dispatch_workgroups(groups[0], groups[1], groups[2]);
        drop(pass);
        if work.kernels == BATCH {
            self.hand_over(&mut work);
        }
        drop(work);
        let started = self.started.fetch_add(1, Ordering::Relaxed);
        if self.faults.lost_after == Some(started) {
            self.device.destroy();
        }
        self.check()
    }

    /// The first `words` of an array on the host.
    pub fn download(&self, from: &GpuBuffer, words: usize) -> MoeResult<Vec<f32>> {
        let bytes = (words * 4) as u64;
        let staging = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: bytes,
            usage: BufferUsages::COPY_DST | BufferUsages::MAP_READ,
            mapped_at_creation: false,
        });
        let mut work = self.lock_work();
        let encoder =
            work.encoder.get_or_insert_with(|| self.device.create_command_encoder(&Default::default()));
        encoder.copy_buffer_to_buffer(from.raw(), 0, &staging, 0, bytes);
        self.hand_over(&mut work);
        drop(work);
        let (tell, told) = mpsc::channel();
        staging.slice(..).map_async(MapMode::Read, move |result| {
            let _ = tell.send(result);
        });
        self.wait()?;
        match told.try_recv() {
            Ok(Ok(())) => {}
            _ => return Err(self.failed("it gives no results")),
        }
        let view = staging.slice(..).get_mapped_range().map_err(|e| self.failed(&e.to_string()))?;
        Ok(view.as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect())
    }

    /// Waits until everything that was started is done.
    ///
    /// # Errors
    /// What went wrong first.
    pub fn wait(&self) -> MoeResult<()> {
        let mut work = self.lock_work();
        self.hand_over(&mut work);
        work.uploaded = 0;
        drop(work);
        let poll = self.device.poll(PollType::Wait { submission_index: None, timeout: Some(PATIENCE) });
        self.check()?;
        poll.map(|_| ()).map_err(|e| self.failed(&e.to_string()))
    }

    fn lock_work(&self) -> std::sync::MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hand_over(&self, work: &mut Work) {
        if !work.parameters.is_empty() {
            self.queue.write_buffer(&self.parameters, 0, &work.parameters);
        }
        work.parameters.clear();
        work.kernels = 0;
        self.queue.submit(work.encoder.take().map(CommandEncoder::finish));
    }

    fn pipeline(&self, kernel: &Kernel, constants: Constants) -> MoeResult<Arc<Pipeline>> {
        let mut known = self.pipelines.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (kernel.name, constants);
        if let Some(pipeline) = known.get(&key) {
            return Ok(Arc::clone(pipeline));
        }
        let pipeline = Arc::new(self.compile(kernel, constants)?);
        known.insert(key, Arc::clone(&pipeline));
        Ok(pipeline)
    }

    fn compile(&self, kernel: &Kernel, constants: Constants) -> MoeResult<Pipeline> {
        let mut source = kernel.source(constants);
        if let Some((_, from, to)) = self.faults.text.filter(|(name, ..)| *name == kernel.name) {
            source = source.replace(from, to);
        }
        let scope = self.device.push_error_scope(ErrorFilter::Validation);
        let inner = self.device.push_error_scope(ErrorFilter::Internal);
        let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(kernel.name),
            source: wgpu::ShaderSource::Wgsl(source.into()),
        });
        let entry = |binding: u32| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty: match binding {
                    0 => wgpu::BufferBindingType::Uniform,
                    _ => wgpu::BufferBindingType::Storage { read_only: binding <= kernel.reads },
                },
                has_dynamic_offset: binding == 0,
                min_binding_size: None,
            },
            count: None,
        };
        let entries: Vec<_> = (0..kernel.reads + 2).map(entry).collect();
        let layout = self
            .device
            .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: None, entries: &entries });
        let pipeline_layout = self.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: None,
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(kernel.name),
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                // Every kernel writes what it reads there.
                zero_initialize_workgroup_memory: false,
                ..Default::default()
            },
            cache: None,
        });
        let refused = ready(inner.pop()).or(ready(scope.pop()));
        match refused {
            Some(error) => {
                let error = one_line(&error.to_string());
                Err(self.failed(&format!("kernel {} does not compile: {error}", kernel.name)))
            }
            None => Ok(Pipeline { pipeline, layout }),
        }
    }
}

/// A message of a driver as one line of bounded length.
fn one_line(message: &str) -> String {
    let words: Vec<&str> = message.split_whitespace().collect();
    words.join(" ").chars().take(300).collect()
}
