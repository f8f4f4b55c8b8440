//! The `allocation` executor: tasks on the nodes of the batch job that the engine runs in.

mod executor;
mod nodes;
mod pool;
mod probe;
mod share;

pub use executor::{AllocationExecutor, Settings};
pub use nodes::{Nodes, NodesError, nodes_of_job};
pub use share::{ShareError, needed, share};

/// The nodes of the job that this process is in.
pub fn nodes_here() -> Result<Nodes, NodesError> {
    nodes_of_job(
        |name| std::env::var(name).ok(),
        |path| std::fs::read_to_string(path),
    )
}
