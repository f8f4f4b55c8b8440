//! The `allocation` executor: tasks on the nodes of the batch job that the engine runs in.

mod executor;
mod pool;
mod probe;
mod share;

pub use crate::scheduler::{Nodes, NodesError};
pub use executor::{AllocationExecutor, Settings};
pub use share::{ShareError, needed, share};

/// Returns the nodes of the job that this process is in.
///
/// # Errors
///
/// Returns an error outside a job, and where its nodes cannot be read.
pub fn nodes_here() -> Result<Nodes, NodesError> {
    super::job_wrapper::nodes_here(|name| std::env::var(name).ok())
}
