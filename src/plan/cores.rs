//! Cores that the tasks on this host take together.

use super::Plan;
use crate::config::site::Site;

/// Returns the cores that each partition of this host takes, where all together take more than the
/// host has.
pub fn crowded(site: &Site, plan: &Plan) -> Option<String> {
    let mut wanted = 0;
    let mut parts = Vec::new();
    for (name, partition) in &site.partitions {
        let methods = plan.methods.values();
        let methods = methods.filter(|method| method.partition_name == *name);
        let widest = methods.map(|method| method.cores_per_node()).max();
        let Some(cores) = widest.filter(|_| partition.runs_on_this_host()) else {
            continue;
        };
        let slots = partition.slot_count(&site.node).unwrap_or(0);
        wanted += slots.saturating_mul(cores);
        parts.push(format!("{slots} x {cores} in `{name}`"));
    }
    let all = site.node.cores.count();
    (wanted > all).then(|| {
        format!(
            "tasks that run at once need {wanted} cores ({}), but this host has {all}: they will share cores",
            parts.join(", ")
        )
    })
}
