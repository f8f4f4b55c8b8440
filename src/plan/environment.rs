//! Environment variables of the tasks of a stage.

use std::collections::BTreeMap;

use super::launch::ranks;
use crate::config::campaign::MethodKind;
use crate::config::site::{ExecutorConfig, PartitionConfig, Site};
use crate::task::VISIBLE_GPUS;
use crate::text::path;

/// Host name and environment variables of the process that starts the tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostEnvironment {
    /// Name of the host, as other hosts of the site know it.
    pub host_name: String,
    /// Variables whose names and values are UTF-8.
    pub variables: Vec<(String, String)>,
}

/// Environment variables of a task, besides those that every task inherits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskEnvironment {
    /// Variables of the process that starts the tasks which the site profile passes on.
    pub passed: Vec<(String, String)>,
    /// Variables that the profile and the resources of the task define, sorted by name.
    pub defined: Vec<(String, String)>,
}

impl TaskEnvironment {
    pub(super) fn new(
        kind: &MethodKind,
        site: &Site,
        partition: &PartitionConfig,
        host: &HostEnvironment,
    ) -> Self {
        let mut passed = passed_variables(site, &host.variables);
        passed.extend(scratch_variable(site, partition, host));
        Self {
            passed,
            defined: defined_variables(kind, partition),
        }
    }

    /// Returns all variables. The later one of a name counts: a defined variable overrides one that
    /// is passed.
    pub fn variables(&self) -> impl Iterator<Item = (String, String)> {
        self.passed.iter().chain(&self.defined).cloned()
    }
}

/// Returns those of `variables` that the profile passes on (`pass_environment`).
pub fn passed_variables(site: &Site, variables: &[(String, String)]) -> Vec<(String, String)> {
    let is_passed = |name: &str| {
        site.pass_environment
            .iter()
            .any(|word| match word.strip_suffix('*') {
                Some(prefix) => name.starts_with(prefix),
                None => name == word,
            })
    };
    let passed = variables.iter().filter(|(name, _)| is_passed(name));
    passed.cloned().collect()
}

/// Returns the variable that the scratch directory begins with, for tasks that are started in the
/// environment of this host.
fn scratch_variable(
    site: &Site,
    partition: &PartitionConfig,
    host: &HostEnvironment,
) -> Option<(String, String)> {
    let (name, _) = path::variable(&site.scratch)?;
    let is_here = partition.transport.is_none() && partition.executor.batch().is_none();
    let is_defined = partition.environment.contains_key(name);
    let mut variables = host.variables.iter();
    let variable = variables.find(|(other, _)| other == name)?;
    (is_here && !is_defined).then(|| variable.clone())
}

fn defined_variables(kind: &MethodKind, partition: &PartitionConfig) -> Vec<(String, String)> {
    // Each process of an MPI program inherits the number of threads.
    let cores = ranks(kind).map_or(partition.cores_per_task, |ranks| ranks.cores_per_rank);
    let threads =
        ["OMP_NUM_THREADS", "RAYON_NUM_THREADS"].map(|name| (name.to_owned(), cores.to_string()));
    // Processes on another host have no executor there that sets them, and such a host has one
    // slot.
    let is_remote =
        partition.transport.is_some() && matches!(partition.executor, ExecutorConfig::Local { .. });
    let gpus = (is_remote && partition.gpus_per_task > 0).then(|| {
        let gpus = (0..partition.gpus_per_task).map(|gpu| gpu.to_string());
        let gpus: Vec<String> = gpus.collect();
        (VISIBLE_GPUS.to_owned(), gpus.join(","))
    });
    let given = partition.environment.clone();
    let all: BTreeMap<String, String> = threads.into_iter().chain(gpus).chain(given).collect();
    all.into_iter().collect()
}
