//! moldflow: molecular design campaigns, quantum chemistry and reinforcement learning side by side.
//!
//! Data flows down this list; `ARCHITECTURE.md` draws it, `tests/architecture.rs` enforces it.

#[macro_use]
mod registry;

mod host;

pub mod chem;
pub mod learn;
pub mod task;
mod text;

pub mod property;
pub mod python;
pub mod scheduler;
pub mod simulate;

pub mod config;
pub mod design;

pub mod plan;

pub mod exec;
pub mod store;

pub mod engine;

pub mod driver;
pub mod forecast;
pub mod report;

pub mod compare;

mod app;

pub mod cli;

/// Engine, groups and edits make many small allocations: with it they take half the time of the C
/// library's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
