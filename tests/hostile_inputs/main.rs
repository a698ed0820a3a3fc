//! Inputs that once made the program panic, abort, run on without end or take all memory, each through the real binary.
//!
//! A case is a small folder, a command line and what must come of it. The binary runs with 2 GiB of address space and
//! 10 seconds of processor time, both held by the system, so a busy machine fails no case. Whatever the input, there is no
//! panic message, no signal and no byte that steers a terminal in what is printed.

#![cfg(unix)]

mod checkpoints;
mod files;
mod formats;
mod fuzz_seeds;
mod hunt;
mod records;
mod run;
mod templates;
mod tokenizers;
