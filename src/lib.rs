//! maskscope shows what a Hugging Face tokenizer really does to a conversation, and which tokens a
//! fine-tuning run supervises.
//!
//! # Architecture
//!
//! Pure cores, thin edges. A module may use those below it, never one above; `tests/architecture.rs` reads the
//! sources and fails otherwise. Outside libraries are named in one module each.
//!
//! ```text
//! main ─ commands ─ cli          arguments → a command → its output and exit status
//!           │
//!         scope                 the same for other programs: all that is public
//!           │
//!        runtime                 terminal, input thread, jobs, the loop: all I/O of the screen
//!           │
//!           ui                   theme, screens, widgets: pure functions of the state
//!           │
//!          app                   state, key table, update: no I/O, no drawing
//!           │
//!        report                  the same results without a screen: text, JSON
//!           │
//!         scan                  a whole data set: states and causes counted
//!           │
//!        dumps                  ids, labels and masks that were made elsewhere: opened, told apart, checked
//!           │
//!       diagnose                 why samples are lost: findings, fixes that were tried, the patch
//!           │
//!         setup ───────── hub    what a user asks for → tokenizer, labelling; downloads
//!           │
//!       labelling                how a sample gets its labels: LLaVA rule, chat strategy, a repository's function, or its own
//!           │
//!      repository ─ sandbox      a training repository, read and run · Python of others, where it can do no harm
//!           │
//!     labels    masks            the LLaVA family's label rules · the mask strategies of other trainers
//!           │
//!         chat ───────── data    layouts, conversations, LLaVA and Jinja templates · records, one after another
//!           │
//!       tokenizer ─────── moe    files → a tokenizer that behaves like its Python class · experts, routing
//!           │
//!   text · python · error        safe display · the bits of Python that results depend on · typed errors
//!   atomic_write                 files that appear whole or not at all
//!   config                       the file of settings, and TOML with lines
//!   guard                        panics contained, deadlines, watched steps: for work on files from strangers
//! ```
//!
//! One sample on its way: [`chat::Sample`] → [`labelling::Labelling::inspect`], which is [`labels::inspect`] (turns
//! rewritten for images, prompt, ids, rule) or [`masks::Method::inspect`] (chat template, strategy) →
//! [`labels::Inspection`] → [`report`] or the screen. Everything before the last step is plain data.
//!
//! Text that came from outside (tokens, data, file names, errors) meets a terminal only through [`text`].
#![deny(unsafe_code)]
// What a module hands on, the tests use.
#![cfg_attr(not(feature = "internals"), allow(unused_imports))]
#![warn(missing_debug_implementations)]
// The documentation is for whoever works on the program: it is built with private items.
#![allow(rustdoc::private_intra_doc_links)]
#![cfg_attr(
    not(test),
    warn(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::todo,
        clippy::unimplemented,
        clippy::unreachable,
        clippy::indexing_slicing
    )
)]

mod atomic_write;
mod guard;
mod scope;

// The modules are private, so that the compiler finds what nothing uses. This program's own tests, benches and fuzz targets
// look inside: they turn the feature on.
cfg_if::cfg_if! {
    if #[cfg(feature = "internals")] {
        pub mod app;
        pub mod chat;
        pub mod cli;
        pub mod commands;
        pub mod config;
        pub mod data;
        pub mod diagnose;
        pub mod dumps;
        pub mod error;
        pub mod hub;
        pub mod labelling;
        pub mod labels;
        pub mod masks;
        pub mod moe;
        pub mod python;
        pub mod report;
        pub mod repository;
        pub mod runtime;
        pub mod samples;
        pub mod sandbox;
        pub mod scan;
        pub mod setup;
        pub mod text;
        pub mod tokenizer;
        pub mod ui;
    } else {
        mod app;
        mod chat;
        mod cli;
        mod commands;
        mod config;
        mod data;
        mod diagnose;
        mod dumps;
        mod error;
        mod hub;
        mod labelling;
        mod labels;
        mod masks;
        mod moe;
        mod python;
        mod report;
        mod repository;
        mod runtime;
        mod samples;
        mod sandbox;
        mod scan;
        mod setup;
        mod text;
        mod tokenizer;
        mod ui;
    }
}

pub use chat::{Sample, Turn};
pub use diagnose::{DoctorReport, Evidence, Finding, Verdict};
pub use error::{Error, Result};
pub use labels::{Inspection, Labelled, SampleStatus, StatusCounts, StatusKind, TokenLabel};
pub use moe::route::{RouteLayer, RouteRow};
pub use scope::{Scope, ScopeOptions};
pub use tokenizer::{Encoding, Role, TokenId, Tokenizer};

#[doc(hidden)]
pub use commands::main;
