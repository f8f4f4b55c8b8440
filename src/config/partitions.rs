//! Checks of the partitions of a profile beyond its JSON Schema.

use super::diagnostic::{Diagnostic, Diagnostics};
use super::site::{
    BatchExecutorConfig, Cores, ExecutorConfig, PartitionConfig, Site, TransportConfig,
};
use super::tree::TreeNode;
use crate::text::path::in_home;
use crate::text::template;

/// Smallest number of nodes of the engine's own job that an executor can use.
pub fn nodes_of_job(executor: &ExecutorConfig) -> usize {
    match executor {
        ExecutorConfig::Allocation {
            nodes,
            nodes_per_task,
            ..
        } => nodes.unwrap_or(*nodes_per_task).get(),
        ExecutorConfig::Local { .. } | ExecutorConfig::Batch(_) => 0,
    }
}

/// Collects the errors of the partitions of a well-formed profile.
pub fn check(site: &Site, tree: &TreeNode, diagnostics: &mut Diagnostics) {
    launcher_is_given(site, tree, diagnostics);
    variables_have_names(site, tree, diagnostics);
    let mut takes_the_rest: Option<&str> = None;
    for (name, partition) in &site.partitions {
        let mut report = |key: &str, message: String, hint: &str| {
            let place = tree.find(&["partitions", name, key]).clone();
            diagnostics.push(Diagnostic::new(message).at(place).hint(hint));
        };
        can_be_reached(name, partition, &mut report);
        jobs_fit(site, name, partition, &mut report);
        nodes_fit(site, name, partition, &mut report);
        let ExecutorConfig::Allocation { nodes: None, .. } = &partition.executor else {
            continue;
        };
        match takes_the_rest {
            Some(other) => {
                let message =
                    format!("the partitions `{other}` and `{name}` both take the remaining nodes");
                report("executor", message, "set `nodes` of one of them");
            }
            None => takes_the_rest = Some(name),
        }
    }
}

/// Checks that a program can be started on each of several nodes.
fn launcher_is_given(site: &Site, tree: &TreeNode, diagnostics: &mut Diagnostics) {
    let nodes = site
        .partitions
        .values()
        .map(|partition| nodes_of_job(&partition.executor));
    let nodes: usize = nodes.sum();
    if nodes > 1 && site.mpiexec_command.is_none() {
        let message = format!(
            "the partitions take {nodes} nodes of a job, but the profile has no `mpiexec_command`, which starts a program on one of them"
        );
        let hint = "add one, such as `srun --nodes={{nodes}} --ntasks={{total_ranks}} --nodelist={{hosts}}`";
        let place = tree.find(&["partitions"]).clone();
        diagnostics.push(Diagnostic::new(message).at(place).hint(hint));
    }
}

/// Checks the names of the variables that are passed on.
fn variables_have_names(site: &Site, tree: &TreeNode, diagnostics: &mut Diagnostics) {
    for (index, word) in site.pass_environment.iter().enumerate() {
        let name = word.strip_suffix('*').unwrap_or(word);
        if !template::is_name(name) {
            let place = tree.find(&["pass_environment", &index.to_string()]).clone();
            let message = format!(
                "`{word}` is neither the name of a variable nor the beginning of one followed by `*`"
            );
            let hint = "names look like `OMP_STACKSIZE` or `GAUSS_*`".to_owned();
            diagnostics.push(Diagnostic::new(message).at(place).hint(hint));
        }
    }
}

/// Checks that the nodes of the job that the engine runs in suit the tasks of a partition.
fn nodes_fit(
    site: &Site,
    name: &str,
    partition: &PartitionConfig,
    report: &mut impl FnMut(&str, String, &str),
) {
    let ExecutorConfig::Allocation {
        nodes,
        nodes_per_task,
        tasks_per_node,
    } = &partition.executor
    else {
        return;
    };
    if partition.transport.is_some() {
        let message = format!("`{name}` takes nodes of this job and cannot be on another host");
        report(
            "transport",
            message,
            "remove `transport`, or choose another executor",
        );
    }
    if nodes.is_some_and(|nodes| nodes < *nodes_per_task) {
        let message =
            format!("a task of `{name}` needs {nodes_per_task} nodes, but the partition has fewer");
        report("nodes", message, "raise `nodes`, or lower `nodes_per_task`");
    }
    if nodes_per_task.get() > 1 && tasks_per_node.get() > 1 {
        let message = format!("tasks of `{name}` have several nodes each, and share nodes as well");
        report(
            "tasks_per_node",
            message,
            "one of `nodes_per_task` and `tasks_per_node` must be 1",
        );
    }
    let asked = tasks_per_node
        .get()
        .saturating_mul(partition.cores_per_task.get());
    if let Cores::Count(count) = site.node.cores
        && asked > count.get()
    {
        let message = format!("`{name}` asks for {asked} cores of a node that has {count}");
        report(
            "cores_per_task",
            message,
            "lower `cores_per_task` or `tasks_per_node`",
        );
    }
}

/// Checks that a partition can be on another host.
fn can_be_reached(
    name: &str,
    partition: &PartitionConfig,
    report: &mut impl FnMut(&str, String, &str),
) {
    let Some(TransportConfig::Ssh(place)) = &partition.transport else {
        return;
    };
    let in_home = place.work_dir.to_str().and_then(in_home);
    if !place.work_dir.is_absolute() && in_home.is_none() {
        let message = format!(
            "`work_dir` of `{name}` is `{}`, which is not an absolute path",
            place.work_dir.display()
        );
        let hint = "begin it with `/` or `~/`: a path on that host";
        report("transport", message, hint);
    }
    if let ExecutorConfig::Local { pin: true, .. } = &partition.executor {
        let message =
            format!("`{name}` is on another host, whose cores moldflow cannot assign to slots");
        report("pin", message, "remove `pin`");
    }
    if partition.executor.blocks().is_some() {
        let message = format!("`{name}` holds blocks of nodes, which cannot be filled over SSH");
        let hint = "remove `blocks`, so that each task is a job; or run moldflow on that cluster's login node, without `transport`";
        report("blocks", message, hint);
    }
}

/// Checks that the jobs of a partition can be requested.
fn jobs_fit(
    site: &Site,
    name: &str,
    partition: &PartitionConfig,
    report: &mut impl FnMut(&str, String, &str),
) {
    let ExecutorConfig::Batch(BatchExecutorConfig {
        slots,
        batch,
        blocks,
        ..
    }) = &partition.executor
    else {
        return;
    };
    let cores = partition.cores_per_task;
    if let Cores::Count(count) = site.node.cores
        && cores > count
    {
        let message =
            format!("a task of `{name}` asks for {cores} cores of a node that has {count}");
        report(
            "cores_per_task",
            message,
            "lower it, or correct `node.cores`",
        );
    }
    match blocks {
        Some(blocks) if batch.nodes_per_task > blocks.nodes => {
            let message = format!(
                "a task of `{name}` needs {} nodes, but its blocks have {}",
                batch.nodes_per_task, blocks.nodes
            );
            report(
                "nodes_per_task",
                message,
                "lower it, or raise `nodes` of `blocks`",
            );
        }
        None if slots.is_some_and(|slots| slots > batch.max_jobs) => {
            let message = format!(
                "`{name}` has more slots than `max_jobs`, {}",
                batch.max_jobs
            );
            report("slots", message, "lower it, or raise `max_jobs`");
        }
        _ => {}
    }
}
