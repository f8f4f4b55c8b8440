//! Executors of partitions, as a site profile writes them.

use std::num::NonZeroUsize;

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::batch::{Batch, Blocks, one};
use super::site::Slots;
use crate::scheduler::SchedulerKind;

/// Executor of a partition, which starts its tasks.
///
/// Every executor has its own settings, which stand beside `executor` in the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "executor", rename_all = "snake_case")]
#[schemars(transform = one_variant_per_scheduler)]
pub enum ExecutorConfig {
    /// Processes on the host that the engine runs on.
    Local {
        /// Tasks that run at once: a number, or `cores` for one per `cores_per_task` cores.
        slots: Slots,
        /// True to confine the tasks of each slot to `cores_per_task` cores of its own.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        pin: bool,
    },
    /// Nodes of the batch job that the engine runs in.
    Allocation {
        /// Nodes of the job that it takes; the nodes that no other partition takes, if not given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(range(min = 1, max = 1_000_000))]
        nodes: Option<NonZeroUsize>,
        /// Nodes of a task.
        #[serde(default = "one")]
        #[schemars(range(min = 1, max = 1_000_000))]
        nodes_per_task: NonZeroUsize,
        /// Tasks that share a node.
        #[serde(default = "one")]
        #[schemars(range(min = 1, max = 1_000_000))]
        tasks_per_node: NonZeroUsize,
    },
    /// Jobs of a scheduler.
    #[serde(untagged)]
    Batch(BatchExecutorConfig),
}

/// Jobs of a scheduler, one per task, or steps in `blocks`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct BatchExecutorConfig {
    /// Scheduler of the jobs.
    #[serde(rename = "executor")]
    pub scheduler: SchedulerKind,
    /// Tasks that are handed to it at once; `max_jobs` if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub slots: Option<NonZeroUsize>,
    /// Parameters of the jobs.
    #[serde(flatten)]
    pub batch: Batch,
    /// Blocks of nodes that are held for a while and run tasks as steps; if not given, each task
    /// is a job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks: Option<Blocks>,
}

impl ExecutorConfig {
    /// Returns its name in profiles.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Local { .. } => "local",
            Self::Allocation { .. } => "allocation",
            Self::Batch(jobs) => jobs.scheduler.dialect().key,
        }
    }

    /// Returns the largest number of nodes that it holds; none if the allocation determines it.
    pub fn nodes(&self) -> Option<usize> {
        match self {
            Self::Local { .. } => Some(1),
            Self::Allocation { nodes, .. } => nodes.map(NonZeroUsize::get),
            Self::Batch(BatchExecutorConfig { batch, .. }) => {
                Some(batch.max_jobs.get() * batch.nodes_per_task.get())
            }
        }
    }

    /// Returns the number of nodes of a task.
    pub fn nodes_per_task(&self) -> NonZeroUsize {
        match self {
            Self::Local { .. } => NonZeroUsize::MIN,
            Self::Allocation { nodes_per_task, .. } => *nodes_per_task,
            Self::Batch(jobs) => jobs.batch.nodes_per_task,
        }
    }

    /// Returns the scheduler; none if it submits no jobs.
    pub fn scheduler(&self) -> Option<SchedulerKind> {
        match self {
            Self::Local { .. } | Self::Allocation { .. } => None,
            Self::Batch(jobs) => Some(jobs.scheduler),
        }
    }

    /// Returns the parameters of its jobs; none if it submits no jobs.
    pub fn batch(&self) -> Option<&Batch> {
        match self {
            Self::Local { .. } | Self::Allocation { .. } => None,
            Self::Batch(jobs) => Some(&jobs.batch),
        }
    }

    /// Returns its blocks; none if it holds none.
    pub fn blocks(&self) -> Option<&Blocks> {
        match self {
            Self::Local { .. } | Self::Allocation { .. } => None,
            Self::Batch(jobs) => jobs.blocks.as_ref(),
        }
    }
}

/// Replaces the variant of batch jobs by one for each scheduler, such that the keys of each are
/// known.
fn one_variant_per_scheduler(schema: &mut Schema) {
    let Some(variants) = ["oneOf", "anyOf"]
        .into_iter()
        .find_map(|key| schema.remove(key))
    else {
        return;
    };
    let Value::Array(mut variants) = variants else {
        return;
    };
    let Some(batch) = variants.pop() else {
        return;
    };
    variants.extend(SchedulerKind::all().map(|scheduler| {
        let mut variant = batch.clone();
        variant["description"] = json!(scheduler.description);
        variant["properties"]["executor"] = json!({"type": "string", "const": scheduler.key});
        if let (false, Some(properties)) = (
            scheduler.holds_blocks,
            variant["properties"].as_object_mut(),
        ) {
            properties.shift_remove("slots");
            properties.shift_remove("blocks");
        }
        variant
    }));
    schema.insert("oneOf".into(), Value::Array(variants));
}
