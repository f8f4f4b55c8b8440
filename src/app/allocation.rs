//! Partitions of a site that take nodes of the batch job in which this program runs.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use tokio::sync::mpsc::UnboundedSender;

use super::error::{CommandError, Topic, causes};
use super::node_shares::{ShareError, needed, share};
use crate::config::site::{ExecutorConfig, PartitionConfig, Site};
use crate::exec::allocation::{AllocationExecutor, AllocationParams};
use crate::exec::gpus::{VISIBLE, of_slots};
use crate::exec::{self, Report};
use crate::plan::launch_on_node;
use crate::scheduler::NodesError;
use crate::text::template::names;

/// Names of the nodes of each partition that takes some of this job.
pub type Shares = BTreeMap<String, Vec<String>>;

/// Divides the nodes of this job among the partitions; empty where no partition takes any.
///
/// # Errors
///
/// Fails if this process runs in no batch job, or if its nodes do not suffice.
pub fn shares(site: &Site) -> Result<Shares, CommandError> {
    if needed(site) == 0 {
        return Ok(Shares::new());
    }
    let nodes = exec::own_nodes().map_err(|error| match error {
        NodesError::NoJob => {
            let message = format!(
                "the partitions of site `{}` take their nodes from a batch job, but this process \
                 does not run in one",
                site.name
            );
            let hint = format!(
                "`moldflow submit CAMPAIGN --site {}` runs the campaign in batch jobs; or start \
                 an interactive job first",
                site.name
            );
            CommandError::with_hint(message, hint).about(Topic::Allocation)
        }
        error => CommandError::new(causes(&error)).about(Topic::Allocation),
    })?;
    share(site, &nodes).map_err(|error| unfit(&error))
}

/// Returns the error of a job whose nodes do not suffice, with a hint.
pub fn unfit(error: &ShareError) -> CommandError {
    let hint = match error {
        ShareError::TooFew { needed, .. } => {
            format!(
                "ask for {needed} or more, or lower `nodes` and `nodes_per_task` in the profile"
            )
        }
        ShareError::NoLauncher { .. } => {
            "add an `mpiexec_command` to the profile, or ask for one node".to_owned()
        }
        ShareError::NoNames { variable, .. } => {
            format!("use a launcher that needs no `{{{{{variable}}}}}`")
        }
    };
    CommandError::with_hint(error.to_string(), hint).about(Topic::Allocation)
}

/// Returns the GPUs of each of the tasks that share a node; empty where the launcher divides them,
/// or where tasks ask for none.
fn gpus(site: &Site, each: usize, tasks_per_node: usize) -> io::Result<Vec<String>> {
    let launcher = site.mpiexec_command.as_deref();
    if each == 0 || launcher.is_some_and(|launcher| names(launcher, "gpus_per_task")) {
        return Ok(Vec::new());
    }
    // This process's own variables name this node only.
    let visible = std::env::var(VISIBLE).ok().filter(|_| launcher.is_none());
    of_slots(tasks_per_node, each, 0, visible.as_deref()).map_err(io::Error::other)
}

/// Starts the executor of a partition on its share of the nodes.
///
/// # Errors
///
/// Fails if the host refuses its thread, or if the node has too few GPUs.
pub fn executor(
    site: &Site,
    name: &str,
    partition: &PartitionConfig,
    shares: &Shares,
    executable: &Path,
    reports: UnboundedSender<Report>,
) -> io::Result<AllocationExecutor> {
    let (nodes_per_task, tasks_per_node) = match partition.executor {
        ExecutorConfig::Allocation {
            nodes_per_task,
            tasks_per_node,
            ..
        } => (nodes_per_task.get(), tasks_per_node.get()),
        _ => (1, 1),
    };
    let params = AllocationParams {
        nodes: shares.get(name).cloned().unwrap_or_default(),
        nodes_per_task,
        tasks_per_node,
        gpus: gpus(site, partition.gpus_per_task, tasks_per_node)?,
        launch: launch_on_node(site, partition),
        setup: partition.setup.as_ref().unwrap_or(&site.setup).clone(),
        executable: executable.to_owned(),
    };
    AllocationExecutor::new(params, reports)
}
