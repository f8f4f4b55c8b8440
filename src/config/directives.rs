//! The options of `sbatch` and `qsub` by which moldflow asks for what it needs, and the keys of a
//! profile that stand for them.

use super::options::{Own, Refusal};

const OVERRIDES: &str = "would override what moldflow asks for itself";

/// A subject on which moldflow has directives of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    Name,
    Variables,
    Nodes,
    Cores,
    Memory,
    Gpus,
    Constraint,
    Walltime,
    Queue,
    Account,
    Files,
    Array,
    Requeue,
    Order,
    Shell,
    Cluster,
    Interactive,
    Place,
}

impl Subject {
    pub fn is_own(self, own: &Own) -> bool {
        match self {
            Self::Memory => own.memory || own.in_blocks,
            Self::Gpus => own.gpus || own.in_blocks,
            Self::Constraint => own.constraint,
            Self::Queue => own.queue,
            Self::Account => own.account,
            _ => true,
        }
    }

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
                "would keep the batch system from taking the job and naming its id",
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

pub type Long = &'static [(&'static str, Subject)];

/// Those of `sbatch` 22.05 (`man sbatch`).
pub const SLURM: Long = &[
    ("job-name", Subject::Name),
    ("comment", Subject::Name),
    ("nodes", Subject::Nodes),
    ("ntasks", Subject::Cores),
    ("ntasks-per-node", Subject::Cores),
    ("ntasks-per-core", Subject::Cores),
    ("ntasks-per-socket", Subject::Cores),
    ("ntasks-per-gpu", Subject::Cores),
    ("cpus-per-task", Subject::Cores),
    ("cpus-per-gpu", Subject::Cores),
    ("mem", Subject::Memory),
    ("mem-per-cpu", Subject::Memory),
    ("mem-per-gpu", Subject::Memory),
    ("gpus", Subject::Gpus),
    ("gpus-per-node", Subject::Gpus),
    ("gpus-per-task", Subject::Gpus),
    ("gpus-per-socket", Subject::Gpus),
    ("gres", Subject::Gpus),
    ("constraint", Subject::Constraint),
    ("time", Subject::Walltime),
    ("time-min", Subject::Walltime),
    ("partition", Subject::Queue),
    ("account", Subject::Account),
    ("output", Subject::Files),
    ("error", Subject::Files),
    ("chdir", Subject::Files),
    ("array", Subject::Array),
    ("requeue", Subject::Requeue),
    ("dependency", Subject::Order),
    ("wrap", Subject::Shell),
    ("clusters", Subject::Cluster),
    ("wait", Subject::Interactive),
    ("test-only", Subject::Interactive),
    ("help", Subject::Interactive),
    ("usage", Subject::Interactive),
    ("version", Subject::Interactive),
];
pub const SLURM_SHORT: &[(char, &str)] = &[
    ('J', "job-name"),
    ('N', "nodes"),
    ('n', "ntasks"),
    ('c', "cpus-per-task"),
    ('G', "gpus"),
    ('C', "constraint"),
    ('t', "time"),
    ('p', "partition"),
    ('A', "account"),
    ('o', "output"),
    ('e', "error"),
    ('D', "chdir"),
    ('a', "array"),
    ('d', "dependency"),
    ('M', "clusters"),
    ('W', "wait"),
    ('h', "help"),
    ('V', "version"),
];
/// Letters that have no value, behind which another letter may stand: `-kN2`.
pub const SLURM_ALONE: &str = "hHkOQsvVW";

/// Those of Cobalt's `qsub` (its manual page), which reads them as Python's optparse does.
pub const COBALT: Long = &[
    ("jobname", Subject::Name),
    ("nodecount", Subject::Nodes),
    ("proccount", Subject::Cores),
    ("attrs", Subject::Constraint),
    ("time", Subject::Walltime),
    ("queue", Subject::Queue),
    ("project", Subject::Account),
    ("output", Subject::Files),
    ("outputprefix", Subject::Files),
    ("error", Subject::Files),
    ("debuglog", Subject::Files),
    ("cwd", Subject::Files),
    ("dependencies", Subject::Order),
    ("interactive", Subject::Interactive),
];
pub const COBALT_SHORT: &[(char, &str)] = &[
    ('n', "nodecount"),
    ('t', "time"),
    ('q', "queue"),
    ('A', "project"),
    ('o', "output"),
    ('O', "outputprefix"),
    ('e', "error"),
    ('I', "interactive"),
];
pub const COBALT_ALONE: &str = "hI";

/// Those of PBS Pro's `qsub` (its manual page), which has letters only.
pub const PBS: &[(char, Subject)] = &[
    ('N', Subject::Name),
    ('v', Subject::Variables),
    ('q', Subject::Queue),
    ('A', Subject::Account),
    ('o', Subject::Files),
    ('e', Subject::Files),
    ('j', Subject::Files),
    ('k', Subject::Files),
    ('J', Subject::Array),
    ('r', Subject::Requeue),
    ('S', Subject::Shell),
    ('C', Subject::Shell),
    ('I', Subject::Interactive),
    ('X', Subject::Interactive),
    ('G', Subject::Interactive),
    ('f', Subject::Interactive),
    ('z', Subject::Interactive),
];
pub const PBS_ALONE: &str = "fGhIVXz";
/// What `-l` asks for; beside `select` the server refuses the resources of a chunk.
pub const RESOURCES: &[(&str, Subject)] = &[
    ("select", Subject::Nodes),
    ("nodes", Subject::Nodes),
    ("nodect", Subject::Nodes),
    ("ncpus", Subject::Cores),
    ("mpiprocs", Subject::Cores),
    ("ompthreads", Subject::Cores),
    ("procs", Subject::Cores),
    ("mem", Subject::Memory),
    ("pmem", Subject::Memory),
    ("vmem", Subject::Memory),
    ("pvmem", Subject::Memory),
    ("ngpus", Subject::Gpus),
    ("walltime", Subject::Walltime),
    ("min_walltime", Subject::Walltime),
    ("max_walltime", Subject::Walltime),
    ("place", Subject::Place),
];
