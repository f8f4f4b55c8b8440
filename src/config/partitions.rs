//! Checks of the partitions of a profile beyond its JSON Schema.

use super::fault::{Fault, Faults};
use super::paths::in_home;
use super::site::{BatchExecutor, Cores, Executor, Partition, Site, Transport};
use super::tree::TreeNode;
use crate::text::template;

/// Smallest number of nodes of the engine's own job that an executor can use.
pub fn nodes_of_job(executor: &Executor) -> usize {
    match executor {
        Executor::Allocation {
            nodes,
            nodes_per_task,
            ..
        } => nodes.unwrap_or(*nodes_per_task).get(),
        Executor::Local { .. } | Executor::Batch(_) => 0,
    }
}

/// Collects the faults of the partitions of a well-formed profile.
pub fn check(site: &Site, tree: &TreeNode, faults: &mut Faults) {
    launcher_is_given(site, tree, faults);
    variables_have_names(site, tree, faults);
    let mut takes_the_rest: Option<&str> = None;
    for (name, partition) in &site.partitions {
        let mut fault = |key: &str, message: String, hint: &str| {
            let place = tree.find(&["partitions", name, key]).clone();
            faults.push(Fault::new(message).at(place).hint(Some(hint.to_owned())));
        };
        can_be_reached(name, partition, &mut fault);
        jobs_fit(site, name, partition, &mut fault);
        nodes_fit(site, name, partition, &mut fault);
        let Executor::Allocation { nodes: None, .. } = &partition.executor else {
            continue;
        };
        match takes_the_rest {
            Some(other) => {
                let message = format!("both `{other}` and `{name}` take the nodes that are left");
                fault("executor", message, "give one of them a number of `nodes`");
            }
            None => takes_the_rest = Some(name),
        }
    }
}

/// Checks that a program can be started on each of several nodes.
fn launcher_is_given(site: &Site, tree: &TreeNode, faults: &mut Faults) {
    let nodes = site
        .partitions
        .values()
        .map(|partition| nodes_of_job(&partition.executor));
    let nodes: usize = nodes.sum();
    if nodes > 1 && site.mpiexec_command.is_none() {
        let message = format!(
            "the partitions take {nodes} nodes of a job, but nothing says how a program is started on one of them"
        );
        let hint = "give it an `mpiexec_command`, such as `srun --nodes={{nodes}} --ntasks={{total_ranks}} --nodelist={{hosts}}`";
        let place = tree.find(&["partitions"]).clone();
        faults.push(Fault::new(message).at(place).hint(Some(hint.to_owned())));
    }
}

/// Checks the names of the variables that are passed on.
fn variables_have_names(site: &Site, tree: &TreeNode, faults: &mut Faults) {
    for (index, word) in site.pass_environment.iter().enumerate() {
        let name = word.strip_suffix('*').unwrap_or(word);
        if !template::is_name(name) {
            let place = tree.find(&["pass_environment", &index.to_string()]).clone();
            let message = format!(
                "`{word}` is neither the name of a variable nor the beginning of one with `*` behind it"
            );
            let hint = "names look like `OMP_STACKSIZE` or `GAUSS_*`".to_owned();
            faults.push(Fault::new(message).at(place).hint(Some(hint)));
        }
    }
}

/// Checks that the nodes of the job that the engine runs in suit the tasks of a partition.
fn nodes_fit(
    site: &Site,
    name: &str,
    partition: &Partition,
    fault: &mut impl FnMut(&str, String, &str),
) {
    let Executor::Allocation {
        nodes,
        nodes_per_task,
        tasks_per_node,
    } = &partition.executor
    else {
        return;
    };
    if partition.transport.is_some() {
        let message = format!("`{name}` takes nodes of this job and cannot be on another host");
        fault(
            "transport",
            message,
            "remove `transport`, or choose another executor",
        );
    }
    if nodes.is_some_and(|nodes| nodes < *nodes_per_task) {
        let message = format!("a task of `{name}` needs {nodes_per_task} nodes, but it has fewer");
        fault("nodes", message, "raise `nodes`, or lower `nodes_per_task`");
    }
    if nodes_per_task.get() > 1 && tasks_per_node.get() > 1 {
        let message = format!("tasks of `{name}` have several nodes and share them as well");
        fault(
            "tasks_per_node",
            message,
            "one of `nodes_per_task` and `tasks_per_node` is 1",
        );
    }
    let asked = tasks_per_node
        .get()
        .saturating_mul(partition.cores_per_task.get());
    if let Cores::Count(count) = site.node.cores
        && asked > count.get()
    {
        let message = format!("`{name}` asks for {asked} cores of a node that has {count}");
        fault(
            "cores_per_task",
            message,
            "lower `cores_per_task` or `tasks_per_node`",
        );
    }
}

/// Checks that a partition can be on another host.
fn can_be_reached(name: &str, partition: &Partition, fault: &mut impl FnMut(&str, String, &str)) {
    let Some(Transport::Ssh(place)) = &partition.transport else {
        return;
    };
    let in_home = place.work_dir.to_str().and_then(in_home);
    if !place.work_dir.is_absolute() && in_home.is_none() {
        let message = format!(
            "`work_dir` of `{name}` is `{}`, which is no path from the root",
            place.work_dir.display()
        );
        let hint = "write it with a `/` or `~/` at its beginning, as that host sees it";
        fault("transport", message, hint);
    }
    if let Executor::Local { pin: true, .. } = &partition.executor {
        let message =
            format!("`{name}` is on another host, whose cores cannot be divided from here");
        fault("pin", message, "remove `pin`");
    }
    if partition.executor.blocks().is_some() {
        let message = format!("`{name}` holds blocks of nodes, which cannot be filled over SSH");
        let hint = "remove `blocks`: each task is a job then; or run moldflow on that cluster's login node, without `transport`";
        fault("blocks", message, hint);
    }
}

/// Checks that the jobs of a partition can be requested.
fn jobs_fit(
    site: &Site,
    name: &str,
    partition: &Partition,
    fault: &mut impl FnMut(&str, String, &str),
) {
    let Executor::Batch(BatchExecutor {
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
        fault(
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
            fault(
                "nodes_per_task",
                message,
                "lower it, or raise `nodes` of `blocks`",
            );
        }
        None if slots.is_some_and(|slots| slots > batch.max_jobs) => {
            let message = format!(
                "`{name}` has more slots than the {} jobs that there may be at once",
                batch.max_jobs
            );
            fault("slots", message, "lower it, or raise `max_jobs`");
        }
        _ => {}
    }
}
