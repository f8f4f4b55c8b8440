//! The `allocation` executor: tasks on the nodes of the batch job that the engine runs in.

mod nodes;

pub use nodes::{Nodes, NodesError, nodes_of_job};
