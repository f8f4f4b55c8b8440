//! Executors of partitions: how their tasks are started.

use std::num::NonZeroUsize;

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::batch::{Batch, Blocks, one};
use super::site::Slots;
use crate::scheduler::SchedulerKind;

/// How a partition starts its work.
///
/// Every executor has its own settings, which stand beside `executor` in the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "executor", rename_all = "snake_case")]
#[schemars(transform = one_variant_per_scheduler)]
pub enum Executor {
    /// Processes on the host that the engine runs on.
    Local {
        /// Tasks that run at once: a number, or `cores` for one a core (or each `cores_per_task` of
        /// them).
        slots: Slots,
        /// Whether each slot has `cores_per_task` cores of its own, to which its tasks are
        /// confined.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        pin: bool,
    },
    /// Nodes of the batch job that the engine runs in.
    Allocation {
        /// Nodes of the job that it takes; those that no other partition takes if not given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(range(min = 1, max = 1_000_000))]
        nodes: Option<NonZeroUsize>,
        #[serde(default = "one")]
        #[schemars(range(min = 1, max = 1_000_000))]
        nodes_per_task: NonZeroUsize,
        #[serde(default = "one")]
        #[schemars(range(min = 1, max = 1_000_000))]
        tasks_per_node: NonZeroUsize,
    },
    /// Jobs of a scheduler.
    #[serde(untagged)]
    Batch(BatchExecutor),
}

/// Jobs of a scheduler, one a task, or steps in `blocks`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct BatchExecutor {
    #[serde(rename = "executor")]
    pub scheduler: SchedulerKind,
    /// Tasks that are handed to it at once; as many as there may be jobs if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub slots: Option<NonZeroUsize>,
    #[serde(flatten)]
    pub batch: Batch,
    /// Blocks of nodes that are held for a while, tasks being steps in them; without it each task
    /// is a job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks: Option<Blocks>,
}

impl Executor {
    /// Returns the word that profiles use.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Local { .. } => "local",
            Self::Allocation { .. } => "allocation",
            Self::Batch(jobs) => jobs.scheduler.dialect().key,
        }
    }

    /// Returns the nodes that it holds at most; `None` if only the allocation tells.
    pub fn nodes(&self) -> Option<usize> {
        match self {
            Self::Local { .. } => Some(1),
            Self::Allocation { nodes, .. } => nodes.map(NonZeroUsize::get),
            Self::Batch(BatchExecutor { batch, .. }) => {
                Some(batch.max_jobs.get() * batch.nodes_per_task.get())
            }
        }
    }

    /// Returns the nodes of a task.
    pub fn nodes_per_task(&self) -> NonZeroUsize {
        match self {
            Self::Local { .. } => NonZeroUsize::MIN,
            Self::Allocation { nodes_per_task, .. } => *nodes_per_task,
            Self::Batch(jobs) => jobs.batch.nodes_per_task,
        }
    }

    /// Returns the scheduler, if it makes jobs of its own.
    pub fn scheduler(&self) -> Option<SchedulerKind> {
        match self {
            Self::Local { .. } | Self::Allocation { .. } => None,
            Self::Batch(jobs) => Some(jobs.scheduler),
        }
    }

    /// Returns the parameters of its jobs, if it makes jobs of its own.
    pub fn batch(&self) -> Option<&Batch> {
        match self {
            Self::Local { .. } | Self::Allocation { .. } => None,
            Self::Batch(jobs) => Some(&jobs.batch),
        }
    }

    /// Returns its blocks, if it holds some.
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
