//! The `slurm` executor: tasks as jobs of their own, or as steps in blocks of nodes that are held for a while.

mod commands;
mod jobs;
mod pool;
#[cfg(test)]
mod pool_laws;
mod queue;
#[cfg(test)]
mod queue_laws;
mod state;
mod steps;

use std::path::PathBuf;
use std::time::Duration;

pub use self::commands::{Slurm, listed, shown};
pub use self::jobs::SlurmExecutor;
pub use self::pool::Rules;
pub use self::state::Listed;
pub use self::steps::BlockExecutor;

use self::commands::minutes;
pub(super) use self::commands::time;

/// What a site says of its Slurm jobs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Slurm's partition; None for its default.
    pub queue: Option<String>,
    pub account: Option<String>,
    /// The longest that a job may take.
    pub walltime: Duration,
    pub nodes_per_task: usize,
    pub cores_per_task: usize,
    /// Tasks of one node that a node has the cores for.
    pub tasks_per_node: usize,
    /// Jobs in the batch system at once, at the most.
    pub max_jobs: usize,
    /// Further options of `sbatch`.
    pub options: Vec<String>,
    /// Shell lines before a task.
    pub setup: Vec<String>,
    /// This program, as the nodes see it.
    pub executable: PathBuf,
    pub slurm: Slurm,
}

impl Settings {
    /// Options of `sbatch` for this many nodes and this much time.
    fn options_for(&self, nodes: usize, time: Duration) -> Vec<String> {
        let mut options = vec![
            format!("--time={}", minutes(time)),
            format!("--nodes={nodes}"),
            format!("--cpus-per-task={}", self.cores_per_task),
        ];
        options.extend(
            self.queue
                .iter()
                .map(|queue| format!("--partition={queue}")),
        );
        let account = self.account.iter();
        options.extend(account.map(|account| format!("--account={account}")));
        options.extend(self.options.iter().cloned());
        options
    }
}
