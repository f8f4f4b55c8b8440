//! Launch of an MPI program: the template of a launcher and the shape of the program.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Environment variable that names the GPUs which a program may use.
pub const VISIBLE_GPUS: &str = "CUDA_VISIBLE_DEVICES";

/// Launcher, and the shape of the program that it starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// `mpiexec_command` of the site.
    pub template: String,
    /// Shape of the program.
    pub shape: Shape,
}

/// An MPI program as its launcher sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Number of nodes.
    pub nodes: NonZeroUsize,
    /// MPI ranks on each node.
    pub ranks_per_node: NonZeroUsize,
    /// Cores, and threads, of each rank.
    pub cores_per_rank: NonZeroUsize,
    /// Names of its nodes, where they are known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// A file of those names, one a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostfile: Option<PathBuf>,
    /// Memory of a node in MiB, where it is limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Memory of a task on each of its nodes in MiB, where it is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_per_task: Option<u64>,
    /// GPUs of a task on each of its nodes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub gpus_per_task: usize,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Shape {
    /// Returns the shape of a program on nodes whose names are not known yet.
    pub fn new(
        nodes: NonZeroUsize,
        ranks_per_node: NonZeroUsize,
        cores_per_rank: NonZeroUsize,
    ) -> Self {
        Self {
            nodes,
            ranks_per_node,
            cores_per_rank,
            hosts: Vec::new(),
            hostfile: None,
            memory: None,
            memory_per_task: None,
            gpus_per_task: 0,
        }
    }
}
