//! Executors on this machine.

#[path = "../support/mod.rs"]
mod support;

mod adopted;
mod batch;
mod local;
mod python;
mod workers;
