//! A site profile: a machine, its partitions, and how each starts its work.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, de};

use super::duration::Duration;

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
    #[serde(default)]
    pub recognise: Recognise,
    #[serde(default)]
    pub node: Node,
    /// Where tasks keep temporary files, relative to the run directory.
    #[serde(default = "default_scratch")]
    pub scratch: PathBuf,
    /// Template of the command that starts an MPI program: `mpirun -n {{total_ranks}}`.
    ///
    /// It knows `total_ranks`, `nodes`, `ranks_per_node` and `cores_per_rank`.
    pub mpiexec_command: Option<String>,
    /// Shell lines that a task's environment needs first: `module load xtb`.
    #[serde(default)]
    pub setup: Vec<String>,
    /// Named shares of the site, each with its own way to start work.
    #[schemars(extend("minProperties" = 1))]
    pub partitions: BTreeMap<String, Partition>,
}

fn default_scratch() -> PathBuf {
    "./scratch".into()
}

/// How to tell that this is the machine; what is not given is not asked.
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
    pub cores: Cores,
    pub memory: Memory,
    #[schemars(range(max = 1024))]
    pub gpus: usize,
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
    /// What this host has.
    Auto,
}

/// Cores of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Cores {
    Auto(Auto),
    Count(NonZeroUsize),
}

impl Cores {
    /// The number of cores; `auto` asks this host.
    pub fn count(self) -> usize {
        match self {
            Self::Auto(_) => std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
            Self::Count(count) => count.get(),
        }
    }
}

/// Memory of a node: `auto`, or a number of bytes with a unit, `192 GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    Auto,
    Bytes(u64),
}

/// Units of memory, largest first.
const UNITS: [(&str, u64); 8] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1_000),
];

/// The `format` by which the JSON Schema marks an amount of memory.
pub const MEMORY_FORMAT: &str = "memory";

impl FromStr for Memory {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let digits = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let unit = UNITS.iter().find(|(name, _)| *name == unit.trim_start());
        match (number.parse::<u64>(), unit) {
            (Ok(number @ 1..), Some((_, unit))) => {
                let bytes = number.checked_mul(*unit).ok_or("is too much memory")?;
                Ok(Self::Bytes(bytes))
            }
            _ => Err("is not an amount of memory".into()),
        }
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Bytes(bytes) => {
                let whole = UNITS.iter().find(|(_, unit)| bytes % unit == 0);
                match whole {
                    Some((name, unit)) => write!(f, "{} {name}", bytes / unit),
                    // What the system reports is not always a whole number of kilobytes.
                    None => write!(f, "{} kB", bytes.div_ceil(1_000)),
                }
            }
        }
    }
}

impl Serialize for Memory {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Memory {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

impl JsonSchema for Memory {
    fn schema_name() -> Cow<'static, str> {
        "Memory".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "`auto`, or a whole number with a unit: `192 GiB`.",
            "type": "string",
            "format": MEMORY_FORMAT,
            "pattern": r"^\s*(auto|[1-9][0-9]*\s*(TiB|TB|GiB|GB|MiB|MB|KiB|kB))\s*$",
        })
    }
}

/// A named share of a site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Partition {
    #[serde(flatten)]
    pub executor: Executor,
    /// Tasks that run at once: a number, or `cores` for one a core (or each `cores_per_task` of them).
    pub slots: Slots,
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub cores_per_task: NonZeroUsize,
    /// Set for every task.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
}

fn one() -> NonZeroUsize {
    NonZeroUsize::MIN
}

impl Partition {
    /// Tasks that run at once.
    pub fn slot_count(&self, node: &Node) -> usize {
        match self.slots {
            Slots::PerCore(_) => (node.cores.count() / self.cores_per_task.get()).max(1),
            Slots::Count(count) => count.get(),
        }
    }
}

/// How a partition starts its work.
///
/// Every further executor is a variant with its own settings, which stand beside `executor` in the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "executor", rename_all = "snake_case")]
pub enum Executor {
    /// Processes on the host that the engine runs on.
    Local {},
    /// Jobs of Slurm, one a task, or steps in `blocks`. The run directory must be on a file system that the nodes share.
    Slurm {
        /// Slurm's partition; without it Slurm's default.
        #[serde(default)]
        queue: Option<String>,
        /// The account that pays; without it the user's default.
        #[serde(default)]
        account: Option<String>,
        /// The longest that a job may take. A task is given its method's timeout, and no more than this.
        #[serde(default = "an_hour")]
        walltime: Duration,
        /// Nodes of each task.
        #[serde(default = "one")]
        #[schemars(range(min = 1, max = 100_000))]
        nodes_per_task: NonZeroUsize,
        /// Jobs in the batch system at once, running or waiting, at the most.
        #[serde(default = "a_hundred")]
        #[schemars(range(min = 1, max = 100_000))]
        max_jobs: NonZeroUsize,
        /// Further options of `sbatch`: `[--constraint=knl, --qos=debug]`.
        #[serde(default)]
        options: Vec<String>,
        /// Blocks of nodes that are held for a while, tasks being steps in them; without it each task is a job.
        #[serde(default)]
        blocks: Option<Blocks>,
    },
}

/// Allocations that are held for a while.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Blocks {
    /// Blocks that are kept even when there is nothing to do.
    #[schemars(range(max = 10_000))]
    pub min: usize,
    /// Blocks that are asked for when the first task comes.
    #[schemars(range(max = 10_000))]
    pub init: usize,
    /// Blocks at once, at the most.
    #[schemars(range(min = 1, max = 10_000))]
    pub max: NonZeroUsize,
    /// Nodes of a block.
    #[schemars(range(min = 1, max = 100_000))]
    pub nodes: NonZeroUsize,
    /// How long a block is asked for. No task is started that may not end before its block does.
    pub walltime: Duration,
    /// How long a block may idle before it is released.
    pub idle: Duration,
}

impl Default for Blocks {
    fn default() -> Self {
        Self {
            min: 0,
            init: 1,
            max: one(),
            nodes: one(),
            walltime: an_hour(),
            idle: Duration::from_secs(60),
        }
    }
}

fn an_hour() -> Duration {
    Duration::from_secs(3600)
}

fn a_hundred() -> NonZeroUsize {
    NonZeroUsize::new(100).unwrap_or(NonZeroUsize::MIN)
}

impl Executor {
    /// The word profiles use.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Local {} => "local",
            Self::Slurm { .. } => "slurm",
        }
    }

    /// Nodes of each of its tasks.
    pub fn nodes(&self) -> usize {
        match self {
            Self::Local {} => 1,
            Self::Slurm { nodes_per_task, .. } => nodes_per_task.get(),
        }
    }
}

/// Tasks that a partition runs at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Slots {
    PerCore(PerCore),
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
    /// The site with `auto` and `cores` replaced by what this host has: what a run directory keeps.
    pub fn resolved(mut self) -> Self {
        let cores = NonZeroUsize::new(self.node.cores.count()).unwrap_or(NonZeroUsize::MIN);
        self.node.cores = Cores::Count(cores);
        for partition in self.partitions.values_mut() {
            let slots =
                NonZeroUsize::new(partition.slot_count(&self.node)).unwrap_or(NonZeroUsize::MIN);
            partition.slots = Slots::Count(slots);
        }
        self
    }

    /// Whether this host is the site; one that asks nothing is never recognised.
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

/// Whether a name fits a pattern of letters, `*` (anything) and `?` (one letter).
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

    #[test]
    fn memory_is_written_as_it_is_read() {
        for text in ["auto", "192 GiB", "3 TB", "7 kB"] {
            assert_eq!(text.parse::<Memory>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "GiB",
            "0 GiB",
            "-1 GiB",
            "1.5 GiB",
            "12 parsec",
            "99999999999 TiB",
        ] {
            assert!(text.parse::<Memory>().is_err(), "{text}");
        }
    }
}
