//! A stage of the plan: its method, its partition, and how its tasks are started.

use serde::Serialize;

use super::environment::{HostEnvironment, TaskEnvironment};
use super::launch::{launch, ranks};
use crate::config::campaign::{LoadedCampaign, Method, MethodKind};
use crate::config::site::PartitionConfig;
use crate::task::{Launch, Limits};

/// A stage joined with its method and its partition: all that is needed to run its tasks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlannedStage {
    /// Name of the stage.
    pub stage: String,
    /// Name of the method.
    #[serde(rename = "method")]
    pub method_name: String,
    /// `simulate`, `train`, `generate` or `screen`.
    pub kind: &'static str,
    /// Engine of a simulating stage.
    pub engine: Option<String>,
    /// Name of the partition.
    #[serde(rename = "partition")]
    pub partition_name: String,
    /// Name of the executor in profiles.
    pub executor: &'static str,
    /// Tasks that the partition runs at once; none if the allocation determines it.
    pub slots: Option<usize>,
    /// Cores of a task on each of its nodes.
    pub cores: usize,
    /// Command that starts a task; `RUN_DIR`, `ID` and `ATTEMPT` stand for what a run fills in.
    pub argv: Vec<String>,
    /// The method itself.
    #[serde(skip)]
    pub method: Method,
    /// The partition itself.
    #[serde(skip)]
    pub partition: PartitionConfig,
    /// Time limits of a task.
    #[serde(skip)]
    pub limits: Limits,
    /// Environment variables of a task.
    #[serde(skip)]
    pub environment: TaskEnvironment,
    /// Launcher of the MPI program of a task; none if its tasks start no such program.
    #[serde(skip)]
    pub launch: Option<Launch>,
}

impl PlannedStage {
    /// Joins the stage with a method of the campaign and the partition that the method names.
    pub(super) fn new(
        stage: &str,
        method_name: &str,
        LoadedCampaign { campaign, site, .. }: &LoadedCampaign,
        host: &HostEnvironment,
    ) -> Self {
        let method = &campaign.methods[method_name];
        let partition = &site.partitions[&method.partition];
        Self {
            stage: stage.to_owned(),
            method_name: method_name.to_owned(),
            kind: method.kind.name(),
            engine: match &method.kind {
                MethodKind::Simulate { engine, .. } => Some(engine.name().to_owned()),
                MethodKind::Train { .. }
                | MethodKind::Generate { .. }
                | MethodKind::Screen { .. } => None,
            },
            partition_name: method.partition.clone(),
            executor: partition.executor.name(),
            slots: partition.slot_count(&site.node),
            cores: partition.cores_per_task.get(),
            argv: task_argv("RUN_DIR/tasks/ID/ATTEMPT/input.json"),
            limits: Limits::new(method.timeout.get()),
            environment: TaskEnvironment::new(&method.kind, site, partition, host),
            launch: launch(&method.kind, site, partition, &host.host_name),
            method: method.clone(),
            partition: partition.clone(),
        }
    }

    /// Returns the cores that a task takes on one node, those of its MPI program included.
    pub fn cores_per_node(&self) -> usize {
        let of_program = ranks(&self.method.kind).map_or(1, |ranks| {
            let (ranks, cores) = (ranks.ranks_per_node.get(), ranks.cores_per_rank.get());
            ranks.saturating_mul(cores)
        });
        of_program.max(self.cores)
    }
}

/// Returns the command that starts a task on the file of its input.
fn task_argv(input: &str) -> Vec<String> {
    ["moldflow", "task", "run", input]
        .map(str::to_owned)
        .to_vec()
}
