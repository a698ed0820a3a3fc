//! Memory of a GPU.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A buffer; the last holder gives the memory back.
#[derive(Debug, Clone)]
pub(in crate::moe::backbone) struct GpuBuffer(Arc<Held>);

#[derive(Debug)]
struct Held {
    buffer: wgpu::Buffer,
    /// Bytes that all buffers of the device take together.
    total: Arc<AtomicU64>,
}

impl GpuBuffer {
    pub fn new(buffer: wgpu::Buffer, total: &Arc<AtomicU64>) -> Self {
        total.fetch_add(buffer.size(), Ordering::Relaxed);
        Self(Arc::new(Held { buffer, total: Arc::clone(total) }))
    }

    pub fn raw(&self) -> &wgpu::Buffer {
        &self.0.buffer
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.total.fetch_sub(self.buffer.size(), Ordering::Relaxed);
    }
}
