//! A site profile: a machine, its partitions and their executors.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::batch::one;
pub use super::batch::{Batch, Blocks, Ssh, Submit, TransportConfig};
pub use super::executor::{BatchExecutorConfig, ExecutorConfig};
pub use crate::text::memory::{AMOUNT_FORMAT, Amount, MEMORY_FORMAT, Memory};

/// A site profile with every default filled in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// The name that campaigns and `--site` use.
    #[schemars(length(min = 1))]
    pub name: String,
    /// One line for `moldflow sites list`.
    #[serde(default)]
    pub description: String,
    /// Conditions by which the machine is recognised.
    #[serde(default)]
    pub recognise: Recognise,
    /// A compute node of the site.
    #[serde(default)]
    pub node: Node,
    /// Folder for temporary files of programs: `./scratch` is inside the run directory.
    ///
    /// It may start with a variable of the host where a task runs: `$SLURM_TMPDIR`,
    /// `${TMPDIR}/moldflow`.
    #[serde(default = "default_scratch")]
    pub scratch: PathBuf,
    /// Template of the command that starts an MPI program: `mpirun -n {{total_ranks}}`.
    ///
    /// Its variables: `total_ranks`, `ranks_per_node`, `cores_per_rank`, `nodes`, `hosts`
    /// (separated by commas), `hostfile` (a file with one host per line), `memory` (of a node, in
    /// MiB), `memory_per_task` (MiB, 0 if not given) and `gpus_per_task`.
    pub mpiexec_command: Option<String>,
    /// Shell lines that prepare the environment of tasks: `module load xtb`.
    #[serde(default)]
    pub setup: Vec<String>,
    /// The job in which `moldflow submit` runs a campaign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submit: Option<Submit>,
    /// Variables of the engine's environment that are passed to tasks besides the usual ones:
    /// `OPENMM_HOME`, or all that match `GAUSS_*`.
    #[serde(default)]
    #[schemars(inner(regex(pattern = r"^[A-Za-z_][A-Za-z0-9_]*\*?$")))]
    pub pass_environment: Vec<String>,
    /// Named shares of the site, each with its own executor.
    #[schemars(extend("minProperties" = 1))]
    pub partitions: BTreeMap<String, PartitionConfig>,
}

fn default_scratch() -> PathBuf {
    "./scratch".into()
}

/// Conditions by which the machine is recognised; a condition that is not given is not checked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Recognise {
    /// Patterns of host names, any of which will do: `*`, `thetalogin?`.
    pub hostname: Vec<String>,
    /// Environment variables, all of which must be set.
    pub environment: Vec<String>,
}

/// A compute node of the site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Node {
    /// Cores of the node.
    pub cores: Cores,
    /// Memory of the node.
    pub memory: Memory,
    /// GPUs of the node.
    #[schemars(range(max = 1024))]
    pub gpus: usize,
}

impl Node {
    /// Returns its memory in MiB, where the profile gives it.
    pub fn memory_mib(&self) -> Option<u64> {
        match self.memory {
            Memory::Bytes(bytes) => Some(bytes >> 20),
            Memory::Auto => None,
        }
    }
}

impl Default for Node {
    fn default() -> Self {
        Self {
            cores: Cores::Auto(Auto::Auto),
            memory: Memory::Auto,
            gpus: 0,
        }
    }
}

/// `auto`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Auto {
    /// Value read from this host.
    Auto,
}

/// Cores of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Cores {
    /// Cores that this host reports.
    Auto(Auto),
    /// Number of cores.
    Count(NonZeroUsize),
}

impl Cores {
    /// Returns the number of cores; for `auto` that of this host.
    pub fn count(self) -> usize {
        match self {
            Self::Auto(_) => std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
            Self::Count(count) => count.get(),
        }
    }
}

/// A named share of a site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct PartitionConfig {
    /// Executor with its settings.
    #[serde(flatten)]
    pub executor: ExecutorConfig,
    /// Cores of a task on each of its nodes.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub cores_per_task: NonZeroUsize,
    /// Memory of a task on each of its nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_per_task: Option<Amount>,
    /// GPUs of a task on each of its nodes.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(range(max = 1024))]
    pub gpus_per_task: usize,
    /// Constraint on its nodes, in the scheduler's syntax: `cpu` for Slurm, `gpu_model=a100` for
    /// PBS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub constraint: Option<String>,
    /// Transport to its host; this host if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<TransportConfig>,
    /// Shell lines that prepare the environment of its tasks, instead of those of the site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setup: Option<Vec<String>>,
    /// Environment variables of its tasks.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl PartitionConfig {
    /// Returns true if its tasks are processes of the host that the engine runs on.
    pub fn runs_on_this_host(&self) -> bool {
        matches!(self.executor, ExecutorConfig::Local { .. }) && self.transport.is_none()
    }

    /// Returns the number of tasks for which a node has cores, memory and GPUs, as far as these are
    /// known; at least one.
    pub fn tasks_per_node(&self, node: &Node) -> usize {
        let by_cores = node.cores.count() / self.cores_per_task.get();
        let by_gpus = node.gpus.checked_div(self.gpus_per_task);
        let by_memory = match (node.memory, self.memory_per_task) {
            (Memory::Bytes(bytes), Some(each)) => usize::try_from(bytes / each.bytes()).ok(),
            _ => None,
        };
        let counts = [Some(by_cores), by_gpus, by_memory];
        counts.into_iter().flatten().min().unwrap_or(1).max(1)
    }

    /// Returns the number of tasks that run at once; none if only the allocation determines it.
    pub fn slot_count(&self, node: &Node) -> Option<usize> {
        match &self.executor {
            ExecutorConfig::Local {
                slots: Slots::PerCore(_),
                ..
            } => Some((node.cores.count() / self.cores_per_task.get()).max(1)),
            ExecutorConfig::Local {
                slots: Slots::Count(count),
                ..
            } => Some(count.get()),
            ExecutorConfig::Allocation {
                nodes,
                nodes_per_task,
                tasks_per_node,
            } => nodes.map(|nodes| nodes.get() / nodes_per_task.get() * tasks_per_node.get()),
            ExecutorConfig::Batch(jobs) => {
                let slots = jobs.slots.unwrap_or(jobs.batch.max_jobs);
                Some(slots.get())
            }
        }
    }
}

/// Tasks that a partition runs at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Slots {
    /// As many as there are cores for.
    PerCore(PerCore),
    /// Number of tasks.
    Count(NonZeroUsize),
}

/// `cores`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PerCore {
    /// As many as the node has cores for.
    Cores,
}

impl Site {
    /// Returns true if tasks in the engine's own job use GPUs.
    pub fn uses_gpus_here(&self) -> bool {
        let mut partitions = self.partitions.values();
        partitions.any(|partition| {
            let is_here = partition.executor.batch().is_none() && partition.transport.is_none();
            is_here && partition.gpus_per_task > 0
        })
    }

    /// Replaces `auto` and `cores` by the values of this host, as in the file of a run directory.
    pub fn resolved(mut self) -> Self {
        let cores = NonZeroUsize::new(self.node.cores.count()).unwrap_or(NonZeroUsize::MIN);
        self.node.cores = Cores::Count(cores);
        for partition in self.partitions.values_mut() {
            let count = partition.slot_count(&self.node).and_then(NonZeroUsize::new);
            if let (ExecutorConfig::Local { slots, .. }, Some(count)) =
                (&mut partition.executor, count)
            {
                *slots = Slots::Count(count);
            }
        }
        self
    }

    /// Returns true if this host is the site; a site without conditions is never recognised.
    pub fn is_here(&self, hostname: &str, is_set: impl Fn(&str) -> bool) -> bool {
        let Recognise {
            hostname: patterns,
            environment,
        } = &self.recognise;
        let named = patterns.is_empty() || patterns.iter().any(|pattern| glob(pattern, hostname));
        let asked = !patterns.is_empty() || !environment.is_empty();
        asked && named && environment.iter().all(|name| is_set(name))
    }
}

/// Returns true if a name matches a pattern with `*` (anything) and `?` (one character).
fn glob(pattern: &str, name: &str) -> bool {
    let mut chars = pattern.chars();
    match chars.next() {
        None => name.is_empty(),
        Some('*') => {
            let ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
            ends.into_iter().any(|at| glob(chars.as_str(), &name[at..]))
        }
        Some(wanted) => {
            let mut rest = name.chars();
            rest.next()
                .is_some_and(|found| wanted == '?' || wanted == found)
                && glob(chars.as_str(), rest.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_fits_the_names_it_describes() {
        assert!(glob("*", "anything"));
        assert!(glob("theta*login?", "thetalogin4"));
        assert!(!glob("theta", "thetalogin4"));
        assert!(!glob("theta?", "theta"));
    }
}
