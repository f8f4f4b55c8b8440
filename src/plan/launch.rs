//! Launchers of tasks: how the MPI program of a method is started, and how one process is started
//! on a node.

use std::num::NonZeroUsize;

use crate::config::campaign::MethodKind;
use crate::config::site::{PartitionConfig, Site};
use crate::simulate::Ranks;
use crate::task::{Launch, Shape};

/// Returns the processes of the MPI program that a method starts; none if it starts no such
/// program.
pub(super) fn ranks(kind: &MethodKind) -> Option<Ranks> {
    match kind {
        MethodKind::Simulate { engine, .. } => engine.simulator().ranks(),
        MethodKind::Train { .. } | MethodKind::Generate { .. } | MethodKind::Screen { .. } => None,
    }
}

/// Returns how the MPI program of a method is started on a partition of a site by the host of this
/// name.
pub(super) fn launch(
    kind: &MethodKind,
    site: &Site,
    partition: &PartitionConfig,
    host_name: &str,
) -> Option<Launch> {
    let ranks = ranks(kind)?;
    let hosts = partition
        .runs_on_this_host()
        .then(|| host_name.to_owned())
        .into_iter()
        .collect();
    let shape = Shape::new(ranks.nodes, ranks.ranks_per_node, ranks.cores_per_rank);
    with_resources(Shape { hosts, ..shape }, site, partition)
}

/// Returns how a task that is one process is started on its node of an allocation.
pub fn launch_on_node(site: &Site, partition: &PartitionConfig) -> Option<Launch> {
    let one = NonZeroUsize::MIN;
    with_resources(
        Shape::new(one, one, partition.cores_per_task),
        site,
        partition,
    )
}

/// Returns none where the site has no launcher.
fn with_resources(shape: Shape, site: &Site, partition: &PartitionConfig) -> Option<Launch> {
    Some(Launch {
        template: site.mpiexec_command.clone()?,
        shape: Shape {
            memory: site.node.memory_mib(),
            memory_per_task: partition.memory_per_task.map(|memory| memory.mebibytes()),
            gpus_per_task: partition.gpus_per_task,
            ..shape
        },
    })
}
