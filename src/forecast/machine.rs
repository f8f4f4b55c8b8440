//! Partitions of a site profile as a forecast sees them: slots, nodes, walltimes.

use std::collections::BTreeMap;
use std::time::Duration;

use super::times::Millis;
use crate::config::site::{BatchExecutorConfig, Blocks, ExecutorConfig, PartitionConfig, Site};

/// The partitions of a site.
#[derive(Clone, Debug, PartialEq)]
pub struct Machine {
    pub partitions: BTreeMap<String, Supply>,
    /// Nodes held from beginning to end: those of an allocation, or this host if there is nothing
    /// else.
    pub nodes: usize,
}

/// Origin of the slots of a partition.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Supply {
    /// Always there.
    Held { slots: usize },
    /// Each task waits for a job of its own.
    Jobs {
        slots: usize,
        nodes_per_task: usize,
        walltime: Millis,
    },
    /// Tasks wait for room in blocks.
    Blocks { slots: usize, rules: BlockRules },
}

/// Rules for blocks of nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockRules {
    pub min: usize,
    pub init: usize,
    pub max: usize,
    /// Nodes of a block.
    pub nodes: usize,
    /// Tasks of a block at once.
    pub capacity: usize,
    pub walltime: Millis,
    pub idle: Millis,
}

/// Reason for which a site cannot be forecast.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MachineError {
    #[error("`{partition}` takes its nodes from an allocation of unknown size")]
    NodesMissing { partition: String },
    #[error(
        "{nodes} nodes were asked for, but no partition of this site takes nodes of an allocation"
    )]
    NodesUnused { nodes: usize },
    #[error(
        "an allocation of {nodes} nodes leaves `{partition}` {left}, and a task of it takes {needed}"
    )]
    TooFewNodes {
        nodes: usize,
        partition: String,
        left: usize,
        needed: usize,
    },
}

impl Machine {
    /// The partitions of `site`, `nodes` being those of its allocation.
    pub fn new(site: &Site, nodes: Option<usize>) -> Result<Self, MachineError> {
        let taken = site.partitions.values().filter_map(taken).sum::<usize>();
        let mut partitions = BTreeMap::new();
        for (name, partition) in &site.partitions {
            partitions.insert(name.clone(), supply(site, name, partition, nodes, taken)?);
        }
        let is = |wanted: fn(&ExecutorConfig) -> bool| {
            let mut executors = site.partitions.values().map(|p| &p.executor);
            move || executors.any(wanted)
        };
        let allocation = is(|executor| matches!(executor, ExecutorConfig::Allocation { .. }))();
        let batch = is(|executor| executor.batch().is_some())();
        match nodes {
            Some(nodes) if !allocation => Err(MachineError::NodesUnused { nodes }),
            _ => Ok(Self {
                partitions,
                nodes: match (allocation, batch) {
                    (true, _) => nodes.unwrap_or(taken),
                    (false, true) => 0,
                    (false, false) => 1,
                },
            }),
        }
    }
}

impl Supply {
    /// Tasks that run at once, at the most.
    pub fn slots(&self) -> usize {
        match self {
            Self::Held { slots } | Self::Jobs { slots, .. } | Self::Blocks { slots, .. } => *slots,
        }
    }
}

/// Nodes that a partition takes of the allocation, if it says so.
fn taken(partition: &PartitionConfig) -> Option<usize> {
    match &partition.executor {
        ExecutorConfig::Allocation { nodes, .. } => nodes.map(|nodes| nodes.get()),
        ExecutorConfig::Local { .. } | ExecutorConfig::Batch(_) => None,
    }
}

fn supply(
    site: &Site,
    name: &str,
    partition: &PartitionConfig,
    nodes: Option<usize>,
    taken: usize,
) -> Result<Supply, MachineError> {
    let slots = partition.slot_count(&site.node);
    Ok(match &partition.executor {
        ExecutorConfig::Local { .. } => Supply::Held {
            slots: slots.unwrap_or(1),
        },
        ExecutorConfig::Allocation {
            nodes: own,
            nodes_per_task,
            tasks_per_node,
        } => {
            let own = own.map(|own| own.get());
            let all = match (nodes, own) {
                (Some(nodes), _) => nodes,
                (None, Some(_)) => taken,
                (None, None) => {
                    let partition = name.to_owned();
                    return Err(MachineError::NodesMissing { partition });
                }
            };
            let left = own.unwrap_or(all.saturating_sub(taken));
            let needed = nodes_per_task.get();
            if left < needed || taken > all {
                return Err(MachineError::TooFewNodes {
                    nodes: all,
                    partition: name.to_owned(),
                    left: left.min(all),
                    needed,
                });
            }
            Supply::Held {
                slots: left / needed * tasks_per_node.get(),
            }
        }
        ExecutorConfig::Batch(BatchExecutorConfig {
            batch,
            blocks: Some(blocks),
            ..
        }) => {
            let per_node = partition.tasks_per_node(&site.node);
            let rules = rules(blocks, per_node);
            let most = slots.unwrap_or(batch.max_jobs.get());
            Supply::Blocks {
                slots: (rules.max * rules.capacity).min(most),
                rules,
            }
        }
        ExecutorConfig::Batch(BatchExecutorConfig { batch, .. }) => Supply::Jobs {
            slots: slots.map_or(batch.max_jobs.get(), |s| s.min(batch.max_jobs.get())),
            nodes_per_task: batch.nodes_per_task.get(),
            walltime: millis(batch.walltime.get()),
        },
    })
}

fn rules(blocks: &Blocks, tasks_per_node: usize) -> BlockRules {
    BlockRules {
        min: blocks.min,
        init: blocks.init,
        max: blocks.max.get(),
        nodes: blocks.nodes.get(),
        capacity: blocks.nodes.get() * tasks_per_node,
        walltime: millis(blocks.walltime.get()),
        idle: millis(blocks.idle.get()),
    }
}

pub(super) fn millis(duration: Duration) -> Millis {
    duration.as_millis() as Millis
}
