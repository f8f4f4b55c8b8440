//! Subjects on which moldflow has directives of its own, and the keys of a profile that stand for
//! them.

use super::options::{OwnRequests, Refusal};

const OVERRIDES: &str = "would override what moldflow asks for itself";

/// Subject of a directive of a batch script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Name or comment of the job.
    Name,
    /// Environment variables.
    Variables,
    /// Number of nodes.
    Nodes,
    /// Tasks and cores.
    Cores,
    /// Memory.
    Memory,
    /// GPUs and other generic resources.
    Gpus,
    /// Kind of node.
    Constraint,
    /// Time limit.
    Walltime,
    /// Queue or partition.
    Queue,
    /// Account, bank or project.
    Account,
    /// Output files and working directory.
    Files,
    /// Job arrays.
    Array,
    /// Requeueing after a failure.
    Requeue,
    /// Dependencies on other jobs.
    Order,
    /// Shell or command of the script.
    Shell,
    /// Another cluster.
    Cluster,
    /// Options under which the command submits no job or waits for it.
    Interactive,
    /// Placement of chunks on nodes.
    Place,
}

impl Subject {
    /// Returns true if moldflow asks for it itself.
    pub fn is_own(self, own: &OwnRequests) -> bool {
        match self {
            Self::Memory => own.memory || own.in_blocks,
            Self::Gpus => own.gpus || own.in_blocks,
            Self::Constraint => own.constraint,
            Self::Queue => own.queue,
            Self::Account => own.account,
            _ => true,
        }
    }

    /// Returns the refusal of an option on it.
    pub fn refusal(self) -> Refusal {
        let (why, hint) = match self {
            Self::Name => (
                OVERRIDES,
                "remove it: moldflow tells its jobs apart by their names",
            ),
            Self::Variables => (
                OVERRIDES,
                "write variables under `environment`: moldflow tells its jobs apart by one of its own",
            ),
            Self::Nodes => (
                OVERRIDES,
                "write `nodes_per_task`, or `nodes` under `submit` and `blocks`",
            ),
            Self::Cores => (
                OVERRIDES,
                "write `cores_per_task`; the processes of an MPI program are settings of its method",
            ),
            Self::Memory => (
                OVERRIDES,
                "write `memory_per_task: 4 GiB`, or `memory_per_node` under `submit`",
            ),
            Self::Gpus => (
                OVERRIDES,
                "write `gpus_per_task: 1`, or `gpus_per_node` under `submit`; the kind of GPU belongs under `constraint`",
            ),
            Self::Constraint => (OVERRIDES, "write all of it under `constraint`"),
            Self::Walltime => (OVERRIDES, "write `walltime`"),
            Self::Queue => (OVERRIDES, "write it under `queue`"),
            Self::Account => (OVERRIDES, "write it under `account`"),
            Self::Files => (
                OVERRIDES,
                "remove it: what a job prints is in the directory of its task or run",
            ),
            Self::Array => (OVERRIDES, "remove it: moldflow makes a job for each task"),
            Self::Requeue => (
                OVERRIDES,
                "remove it: moldflow tries a lost task again itself",
            ),
            Self::Order => (
                OVERRIDES,
                "remove it: moldflow says which job waits for which",
            ),
            Self::Shell => (OVERRIDES, "remove it: the scripts of moldflow are for bash"),
            Self::Cluster => (
                "would hide the jobs from moldflow",
                "set SLURM_CLUSTERS in the shell that starts moldflow",
            ),
            Self::Interactive => (
                "would keep the scheduler from taking the job and naming its id",
                "remove it",
            ),
            Self::Place => (
                OVERRIDES,
                "moldflow asks for `place=scatter`: add to it by `-l place=excl` or `-l place=group=RESOURCE`",
            ),
        };
        Refusal { why, hint }
    }
}
