//! Parameters of a scheduler's jobs, and transports to partitions on other hosts.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::duration::Duration;
use super::site::{PartitionConfig, Site};
use crate::scheduler::{BatchParams, Resources, SchedulerKind, SubmissionParams};
use crate::text::memory::Amount;

/// Parameters of the jobs of a partition's tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Batch {
    /// The scheduler's queue; its default one if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub queue: Option<String>,
    /// Project that is charged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub account: Option<String>,
    /// Longest time of a job.
    #[serde(default = "an_hour")]
    pub walltime: Duration,
    /// Nodes of a task.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub nodes_per_task: NonZeroUsize,
    /// Jobs that are queued or running at once.
    #[serde(default = "a_hundred")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_jobs: NonZeroUsize,
    /// Further options of the submit command, one per entry: `--qos=shared`, `-l filesystems=home`.
    #[serde(default)]
    pub options: Vec<String>,
}

impl From<&Batch> for BatchParams {
    fn from(batch: &Batch) -> Self {
        Self {
            queue: batch.queue.clone(),
            account: batch.account.clone(),
            walltime: batch.walltime.get(),
            nodes_per_task: batch.nodes_per_task,
            max_jobs: batch.max_jobs,
            options: batch.options.clone(),
        }
    }
}

/// Job in which `moldflow submit` runs a campaign.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Submit {
    /// Scheduler to which the job is submitted.
    pub system: SchedulerKind,
    /// The scheduler's queue; its default one if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub queue: Option<String>,
    /// Project that is charged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub account: Option<String>,
    /// Time of a job. Before it is over the next one is submitted, until the campaign is done.
    #[serde(default = "an_hour")]
    pub walltime: Duration,
    /// Nodes of a job.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub nodes: NonZeroUsize,
    /// Memory of each node; the scheduler's default if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_per_node: Option<Amount>,
    /// GPUs of each node; those of `node` if tasks in the job use some, and none otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1024))]
    pub gpus_per_node: Option<usize>,
    /// Constraint on the nodes, in the scheduler's syntax.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub constraint: Option<String>,
    /// Jobs that are submitted at once, each starting when the one before has ended, for sites
    /// where jobs may not submit jobs. If not given, each job submits the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub chain: Option<NonZeroUsize>,
    /// Further options of the submit command, one per entry.
    #[serde(default)]
    pub options: Vec<String>,
}

impl Submit {
    /// Returns the GPUs of each node of a job.
    pub fn gpus(&self, site: &Site) -> usize {
        let used = if site.uses_gpus_here() {
            site.node.gpus
        } else {
            0
        };
        self.gpus_per_node.unwrap_or(used)
    }

    /// Returns the parameters of the jobs in which a campaign runs.
    pub fn params(&self, site: &Site) -> SubmissionParams {
        let own = self.system.chain.script_options.iter();
        let own = own.map(|option| (*option).to_owned());
        SubmissionParams {
            scheduler: self.system,
            batch: BatchParams {
                queue: self.queue.clone(),
                account: self.account.clone(),
                walltime: self.walltime.get(),
                nodes_per_task: self.nodes,
                max_jobs: NonZeroUsize::MIN,
                options: own.chain(self.options.iter().cloned()).collect(),
            },
            cores_per_task: NonZeroUsize::new(site.node.cores.count()).unwrap_or(NonZeroUsize::MIN),
            resources: Resources {
                memory: self.memory_per_node.map(|memory| memory.mebibytes()),
                gpus: self.gpus(site),
                constraint: self.constraint.clone(),
            },
            setup: site.setup.clone(),
        }
    }
}

impl PartitionConfig {
    /// Returns the parameters of the jobs of its tasks, if it makes some.
    pub fn submission_params(&self, site: &Site) -> Option<SubmissionParams> {
        Some(SubmissionParams {
            scheduler: self.executor.scheduler()?,
            batch: self.executor.batch()?.into(),
            cores_per_task: self.cores_per_task,
            resources: Resources {
                memory: self.memory_per_task.map(|memory| memory.mebibytes()),
                gpus: self.gpus_per_task,
                constraint: self.constraint.clone(),
            },
            setup: self.setup.as_ref().unwrap_or(&site.setup).clone(),
        })
    }
}

/// Allocations (blocks) that moldflow holds and fills with tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Blocks {
    /// Blocks that are kept even when there is nothing to do.
    #[schemars(range(max = 10_000))]
    pub min: usize,
    /// Blocks that are requested when the first task arrives.
    #[schemars(range(max = 10_000))]
    pub init: usize,
    /// Largest number of blocks at once.
    #[schemars(range(min = 1, max = 10_000))]
    pub max: NonZeroUsize,
    /// Nodes of a block.
    #[schemars(range(min = 1, max = 100_000))]
    pub nodes: NonZeroUsize,
    /// Walltime of a block. No task starts that may not end before its block does.
    pub walltime: Duration,
    /// Longest idle time of a block before it is released.
    pub idle: Duration,
}

impl Default for Blocks {
    fn default() -> Self {
        Self {
            min: 0,
            init: 1,
            max: one(),
            nodes: one(),
            walltime: an_hour(),
            idle: Duration::from_secs(60),
        }
    }
}

/// Transport to a partition on another host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TransportConfig {
    /// The `ssh` of this host, with the user's configuration.
    Ssh(Ssh),
}

/// A host that is reached over SSH.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ssh {
    /// Name in the user's ssh configuration, or `user@host`.
    #[schemars(length(min = 1))]
    pub host: String,
    /// The program on that host; copied there if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moldflow: Option<PathBuf>,
    /// Folder on that host for the directories of tasks.
    pub work_dir: PathBuf,
}

fn an_hour() -> Duration {
    Duration::from_secs(3600)
}

fn a_hundred() -> NonZeroUsize {
    NonZeroUsize::new(100).unwrap_or(NonZeroUsize::MIN)
}

pub(super) fn one() -> NonZeroUsize {
    NonZeroUsize::MIN
}
