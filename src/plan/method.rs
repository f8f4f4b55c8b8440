//! A method of the plan: its partition, and how its tasks are started.

use serde::Serialize;

use super::environment::{HostEnvironment, TaskEnvironment};
use super::launch::{launch, ranks};
use super::retries::retries;
use crate::config::campaign::{LoadedCampaign, MethodKind};
use crate::config::site::PartitionConfig;
use crate::property::Unit;
use crate::simulate::{MMFF94, QcEngine};
use crate::task::{Launch, Limits, Retries};

/// A method joined with its partition: all that is needed to run its tasks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlannedMethod {
    /// Its name in the campaign.
    pub name: String,
    /// `simulate`, `train`, `generate` or `screen`.
    #[serde(rename = "kind")]
    pub kind_name: &'static str,
    /// Its engine.
    #[serde(rename = "engine")]
    pub engine_name: &'static str,
    /// Name of the partition that runs its tasks.
    #[serde(rename = "partition")]
    pub partition_name: String,
    /// Name of the partition's executor.
    pub executor: &'static str,
    /// Tasks that the partition runs at once; none if only the allocation tells.
    pub slots: Option<usize>,
    /// Cores of a task on each of its nodes.
    pub cores: usize,
    /// Command that starts a task; `RUN_DIR`, `ID` and `ATTEMPT` stand for what a run fills in.
    pub argv: Vec<String>,
    /// Its function with the settings.
    #[serde(skip)]
    pub kind: MethodKind,
    /// Its partition.
    #[serde(skip)]
    pub partition: PartitionConfig,
    /// Further attempts after a failed one.
    #[serde(skip)]
    pub retries: Retries,
    /// Timeout of an attempt.
    #[serde(skip)]
    pub limits: Limits,
    /// Environment variables of its tasks.
    #[serde(skip)]
    pub environment: TaskEnvironment,
    /// Launcher of the MPI program of a task; none if its tasks start no such program.
    #[serde(skip)]
    pub launch: Option<Launch>,
}

impl PlannedMethod {
    /// Returns the atomic unit of a quantity that the method returns; None if it returns none of this
    /// name.
    pub fn atomic_unit(&self, quantity: &str) -> Option<Unit> {
        match &self.kind {
            MethodKind::Simulate { engine, .. } => {
                engine.quantities().get(quantity).copied().map(Unit::atomic)
            }
            MethodKind::Train { .. } | MethodKind::Generate { .. } | MethodKind::Screen { .. } => {
                None
            }
        }
    }

    /// Joins a method of the campaign with the partition that it names.
    pub(super) fn new(
        name: &str,
        LoadedCampaign { campaign, site, .. }: &LoadedCampaign,
        host: &HostEnvironment,
    ) -> Self {
        let method = &campaign.methods[name];
        let partition = &site.partitions[&method.partition];
        Self {
            name: name.to_owned(),
            kind_name: method.kind.name(),
            engine_name: method.kind.engine_name(),
            partition_name: method.partition.clone(),
            executor: partition.executor.name(),
            slots: partition.slot_count(&site.node),
            cores: partition.cores_per_task.get(),
            argv: task_argv("RUN_DIR/tasks/ID/ATTEMPT/input.json"),
            retries: retries(&method.retries),
            limits: Limits::new(method.timeout.get()),
            environment: TaskEnvironment::new(&method.kind, site, partition, host),
            launch: launch(&method.kind, site, partition, &host.host_name),
            kind: method.kind.clone(),
            partition: partition.clone(),
        }
    }

    /// Returns the cores that a task takes on one node, those of its MPI program included.
    pub fn cores_per_node(&self) -> usize {
        let of_program = ranks(&self.kind).map_or(1, |ranks| {
            let (ranks, cores) = (ranks.ranks_per_node.get(), ranks.cores_per_rank.get());
            ranks.saturating_mul(cores)
        });
        of_program.max(self.cores)
    }

    /// Returns the cores that a task takes on all of its nodes.
    pub fn cores_of_task(&self) -> usize {
        let nodes = self.partition.executor.nodes_per_task().get();
        self.cores_per_node().saturating_mul(nodes)
    }

    /// Returns the engine of a `simulate` method.
    pub fn qc_engine(&self) -> Option<&QcEngine> {
        self.kind.engine()
    }

    /// Returns true if its tasks share a worker that runs one after another.
    pub fn is_warm(&self) -> bool {
        self.kind.is_warm()
    }

    /// Returns the method whose geometries it begins with.
    pub fn geometry(&self) -> Option<&str> {
        match &self.kind {
            MethodKind::Simulate { geometry, .. } => geometry.as_deref(),
            MethodKind::Train { .. } | MethodKind::Generate { .. } | MethodKind::Screen { .. } => {
                None
            }
        }
    }

    /// Returns the level of theory of its results, which begin with geometries of the level
    /// `geometry`: MMFF94 unless another method relaxes them.
    pub fn level(&self, geometry: Option<&str>) -> String {
        let engine = self.qc_engine();
        engine.map_or_else(String::new, |engine| {
            engine.simulator().level(geometry.unwrap_or(MMFF94))
        })
    }
}

/// Returns the command that starts a task on the file of its input.
fn task_argv(input: &str) -> Vec<String> {
    ["moldflow", "task", "run", input]
        .map(str::to_owned)
        .to_vec()
}
