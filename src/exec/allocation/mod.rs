//! The `allocation` executor: tasks on the nodes of the batch job that the engine runs in.

mod client;
mod core;
mod executor;
mod pool;
mod probe;

pub use executor::{AllocationExecutor, AllocationParams};
