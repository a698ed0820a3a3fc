//! The binary: everything is in the library, but the allocator, which is a program's own choice.

/// Labelling makes many small values; see `docs/benchmarks.md`, section Scanning.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    maskscope::main()
}
