//! The `allocation` executor: tasks on the nodes of the batch job that the engine runs in.

mod executor;
mod pool;
mod probe;
mod share;

pub use executor::{AllocationExecutor, Settings};
pub use share::{ShareError, needed, share};
