//! maskscope shows what a Hugging Face tokenizer really does to a conversation, and which tokens a
//! fine-tuning run will learn from.
//!
//! # Architecture
//!
//! Pure cores, thin edges. A module may use those below it, never one above; `tests/architecture.rs` reads the
//! sources and fails otherwise. Outside libraries are named in one module each.
//!
//! ```text
//! main ─ commands ─ cli          arguments → a command → its output and exit status
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
//! ```
//!
//! One sample on its way: [`chat::Sample`] → [`labelling::Labelling::inspect`], which is [`labels::inspect`] (turns
//! rewritten for images, prompt, ids, rule) or [`masks::Method::inspect`] (chat template, strategy) →
//! [`labels::Inspection`] → [`report`] or the screen. Everything before the last step is plain data.
//!
//! Text that came from outside (tokens, data, file names, errors) meets a terminal only through [`text`].
#![deny(unsafe_code)]
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

pub mod app;
mod atomic_write;
pub mod chat;
pub mod cli;
pub mod commands;
pub mod data;
pub mod diagnose;
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

pub use error::{Error, Result};
