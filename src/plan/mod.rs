//! The task graph of a campaign: which stages play which part, in what order, where, and by what command.

mod diagram;
mod graph;
mod role;

pub use diagram::{dot, mermaid};

use std::path::Path;

use serde::Serialize;

use graph::Roles;

use crate::spec::campaign::{Campaign, Loaded, Method, MethodKind, Overrides};
use crate::spec::fault::Faults;
use crate::spec::site::Site;

/// A campaign's stages by the part they play.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// Energies of the free atoms.
    pub references: Planned,
    /// Random molecules, for the first model.
    pub initial: Planned,
    /// Molecules of `initial`.
    pub initial_count: usize,
    pub train: Planned,
    pub generate: Planned,
    pub screen: Planned,
    /// The best of a batch, pushed into the queue.
    pub select: usize,
    /// Takes from the queue.
    pub evaluate: Planned,
    /// Tasks of `evaluate` kept submitted at once.
    pub parallel: usize,
    /// Every edge of the task graph, what comes first first, by stage name.
    pub edges: Vec<Edge>,
}

/// A stage and where its tasks run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Planned {
    pub stage: String,
    pub method: String,
    /// `simulate`, `train`, `generate` or `screen`.
    pub kind: &'static str,
    /// Engine of a simulating stage.
    pub engine: Option<String>,
    pub partition: String,
    pub executor: &'static str,
    /// Tasks that the partition runs at once; none if only the allocation tells.
    pub slots: Option<usize>,
    /// Cores of a task.
    pub cores: usize,
    /// What starts a task; `RUN_DIR`, `ID` and `ATTEMPT` stand for what a run fills in.
    pub argv: Vec<String>,
}

/// An arrow of the task graph.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Edge {
    pub from: String,
    pub to: String,
    pub kind: EdgeKind,
}

/// What an arrow means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeKind {
    /// The second stage comes after the first.
    After,
    /// The loop begins again.
    Loop,
    /// Results of the consumer loop reach the generator loop.
    Results,
}

impl Plan {
    /// The stages in the order in which they first run.
    pub fn stages(&self) -> [&Planned; 6] {
        [
            &self.references,
            &self.initial,
            &self.train,
            &self.generate,
            &self.screen,
            &self.evaluate,
        ]
    }

    fn new(loaded: &Loaded, roles: &Roles) -> Self {
        let planned = |stage: &str| planned(stage, &loaded.campaign, &loaded.site);
        let stage = |name: &str| &loaded.campaign.stages[name];
        Self {
            initial_count: stage(roles.initial).count.unwrap_or(1),
            select: stage(roles.screen).select.unwrap_or(1),
            parallel: stage(roles.evaluate).parallel.unwrap_or(1),
            references: planned(roles.references),
            initial: planned(roles.initial),
            train: planned(roles.train),
            generate: planned(roles.generate),
            screen: planned(roles.screen),
            evaluate: planned(roles.evaluate),
            edges: graph::edges(&loaded.campaign, roles),
        }
    }
}

/// Reads a campaign with its site and plans it; the faults of the files and of the stages come together.
pub fn load(path: &Path, overrides: &Overrides) -> Result<(Loaded, Plan), Faults> {
    let (loaded, mut faults) = crate::spec::campaign::read(path, overrides)?;
    let sound = loaded.is_sound("stages") && loaded.is_sound("methods");
    let roles = match sound.then(|| graph::roles(&loaded)) {
        Some(Ok(roles)) => Some(roles),
        Some(Err(found)) => {
            faults.extend(found);
            None
        }
        None => None,
    };
    // Without faults there are roles: what is not sound has faults.
    let plan = roles
        .filter(|_| faults.is_empty())
        .map(|roles| Plan::new(&loaded, &roles));
    match plan {
        Some(plan) => Ok((loaded, plan)),
        None => faults.or(()).and(Err(Faults::default())),
    }
}

/// The command that starts a task on the file of its input.
pub fn task_argv(input: &str) -> Vec<String> {
    ["moldflow", "task", "run", input]
        .map(str::to_owned)
        .to_vec()
}

fn planned(stage: &str, campaign: &Campaign, site: &Site) -> Planned {
    let name = &campaign.stages[stage].method;
    let method: &Method = &campaign.methods[name];
    let partition = &site.partitions[&method.partition];
    Planned {
        stage: stage.to_owned(),
        method: name.clone(),
        kind: method.kind.name(),
        engine: match &method.kind {
            MethodKind::Simulate { engine } => Some(engine.name().to_owned()),
            MethodKind::Train { .. } | MethodKind::Generate { .. } | MethodKind::Screen { .. } => {
                None
            }
        },
        partition: method.partition.clone(),
        executor: partition.executor.name(),
        slots: partition.slot_count(&site.node),
        cores: partition.cores_per_task.get(),
        argv: task_argv("RUN_DIR/tasks/ID/ATTEMPT/input.json"),
    }
}
