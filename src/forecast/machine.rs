//! Machine of a forecast: slots, nodes and walltimes of the partitions of a site profile.

use std::collections::BTreeMap;
use std::time::Duration;

use super::times::Millis;
use crate::config::site::{BatchExecutorConfig, Blocks, ExecutorConfig, PartitionConfig, Site};

/// Partitions and nodes of a site.
#[derive(Clone, Debug, PartialEq)]
pub struct Machine {
    /// Partitions by name.
    pub partitions: BTreeMap<String, Supply>,
    /// Nodes held from begin to end: those of the allocation, this host without any scheduler, or
    /// 0.
    pub nodes: usize,
}

/// Origin of the slots of a partition.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Supply {
    /// Slots on nodes that are held throughout.
    Held {
        /// Tasks at once.
        slots: usize,
    },
    /// A job for each task.
    Jobs {
        /// Most jobs at once.
        slots: usize,
        /// Nodes of a job.
        nodes_per_task: usize,
        /// Walltime of a job, milliseconds.
        walltime: Millis,
    },
    /// Slots in blocks of nodes.
    Blocks {
        /// Most tasks at once, in all blocks.
        slots: usize,
        /// Size and number of the blocks.
        rules: BlockRules,
    },
}

/// Size and number of the blocks of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockRules {
    /// Number of blocks that are kept although they idle.
    pub min: usize,
    /// Number of blocks that are submitted first.
    pub init: usize,
    /// Most blocks at once.
    pub max: usize,
    /// Nodes of a block.
    pub nodes: usize,
    /// Most tasks of a block at once.
    pub capacity: usize,
    /// Walltime of a block, milliseconds.
    pub walltime: Millis,
    /// Time after which an idle block is released, milliseconds.
    pub idle: Millis,
}

/// Reason for which a site cannot be forecast.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MachineError {
    /// The size of the allocation is needed and not given.
    #[error("`{partition}` takes its nodes from an allocation of unknown size")]
    NodesMissing {
        /// Name of the partition.
        partition: String,
    },
    /// The size of an allocation is given, and the site has none.
    #[error(
        "{nodes} nodes were asked for, but no partition of this site takes nodes of an allocation"
    )]
    NodesUnused {
        /// Size given.
        nodes: usize,
    },
    /// The allocation is too small for a partition.
    #[error(
        "an allocation of {nodes} nodes leaves `{partition}` {left}, and a task of it takes {needed}"
    )]
    TooFewNodes {
        /// Nodes of the allocation.
        nodes: usize,
        /// Name of the partition.
        partition: String,
        /// Nodes left to the partition.
        left: usize,
        /// Nodes that one of its tasks takes.
        needed: usize,
    },
}

impl Machine {
    /// Returns the machine of `site`. `nodes`: size of its allocation, if it is given.
    ///
    /// # Errors
    ///
    /// Fails if `nodes` is missing, unused, or too few for a partition.
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
    /// Returns the most tasks that run at once.
    pub fn slots(&self) -> usize {
        match self {
            Self::Held { slots } | Self::Jobs { slots, .. } | Self::Blocks { slots, .. } => *slots,
        }
    }
}

/// Nodes that the profile gives a partition of the allocation.
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

/// Whole milliseconds of a duration.
pub(super) fn millis(duration: Duration) -> Millis {
    duration.as_millis() as Millis
}
