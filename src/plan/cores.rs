//! Whether the tasks that run on this host at once have cores for all their processes.

use crate::config::campaign::{Campaign, Loaded, MethodKind};
use crate::config::site::Executor;
use crate::simulate::Ranks;

/// What each partition of this host takes, where all together take more cores than there are.
pub fn crowded(Loaded { campaign, site, .. }: &Loaded) -> Option<String> {
    let here = site.partitions.iter().filter(|(_, partition)| {
        partition.transport.is_none() && matches!(partition.executor, Executor::Local { .. })
    });
    let mut wanted = 0;
    let mut parts = Vec::new();
    for (name, partition) in here {
        let slots = partition.slot_count(&site.node).unwrap_or(0);
        let Some(cores) = widest(campaign, name) else {
            continue;
        };
        let cores = cores.max(partition.cores_per_task.get());
        wanted += slots.saturating_mul(cores);
        parts.push(format!("{slots} x {cores} in `{name}`"));
    }
    let all = site.node.cores.count();
    (wanted > all).then(|| {
        format!(
            "tasks that run at once want {wanted} cores ({}), and this host has {all}: they will share them",
            parts.join(", ")
        )
    })
}

/// Cores that the widest task on a partition takes; none if no method uses it.
fn widest(campaign: &Campaign, partition: &str) -> Option<usize> {
    let methods = campaign.methods.values();
    let methods = methods.filter(|method| method.partition == partition);
    methods.map(|method| of_node(&method.kind)).max()
}

fn of_node(kind: &MethodKind) -> usize {
    let ranks = match kind {
        MethodKind::Simulate { engine, .. } => engine.simulator().ranks(),
        MethodKind::Train { .. } | MethodKind::Generate { .. } | MethodKind::Screen { .. } => None,
    };
    ranks.map_or(1, |ranks: Ranks| {
        let (ranks, cores) = (ranks.ranks_per_node.get(), ranks.cores_per_rank.get());
        ranks.saturating_mul(cores)
    })
}
