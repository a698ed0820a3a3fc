//! Routing, hidden states and losses against the real MoE-LLaVA, DeepSpeed and transformers classes.
//!
//! Works on any folder with the layout of `golden/moe` (`gating/`, `moellava/*`, `hfmoe/*`); prints
//! counts a file.

mod broken;
mod command;
mod gating;
mod golden;
mod hfmoe;
mod moellava;
