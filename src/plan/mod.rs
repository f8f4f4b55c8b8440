//! The task graph of a campaign: which stages play which part, in what order, where, and by what command.

mod cores;
mod diagram;
mod graph;
mod role;

pub use cores::crowded;
pub use diagram::{dot, mermaid};

use std::path::Path;

use serde::Serialize;

use graph::Roles;

use crate::config::campaign::{Campaign, Loaded, Method, MethodKind, Overrides};
use crate::config::fault::Faults;
use crate::config::site::Site;

/// A campaign's stages by the part they play.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// Energies of the free atoms.
    pub references: Planned,
    /// What relaxes the molecules of `initial` first, where its level of theory has two steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_geometry: Option<Planned>,
    /// Random molecules, for the first model.
    pub initial: Planned,
    /// Molecules of `initial`.
    pub initial_count: usize,
    pub train: Planned,
    pub generate: Planned,
    pub screen: Planned,
    /// The best of a batch, pushed into the queue.
    pub select: usize,
    /// What relaxes the molecules of `evaluate` first, where its level of theory has two steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evaluate_geometry: Option<Planned>,
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
    /// The first stage relaxes each molecule for the second.
    Geometry,
    /// The loop begins again.
    Loop,
    /// Results of the consumer loop reach the generator loop.
    Results,
}

impl Plan {
    /// The stages in the order in which they first run, with the first steps of two-step levels.
    pub fn stages(&self) -> Vec<&Planned> {
        let mut stages = vec![&self.references];
        stages.extend(&self.initial_geometry);
        stages.extend([&self.initial, &self.train, &self.generate, &self.screen]);
        stages.extend(&self.evaluate_geometry);
        stages.push(&self.evaluate);
        stages
    }

    fn new(loaded: &Loaded, roles: &Roles) -> Self {
        let planned = |stage: &str| {
            let method = &loaded.campaign.stages[stage].method;
            planned(stage, method, &loaded.campaign, &loaded.site)
        };
        let geometry = |stage: &str| {
            let method = graph::geometry(&loaded.campaign, stage)?;
            let name = geometry_stage(stage, method);
            Some(self::planned(&name, method, &loaded.campaign, &loaded.site))
        };
        let stage = |name: &str| &loaded.campaign.stages[name];
        Self {
            initial_count: stage(roles.initial).count.unwrap_or(1),
            select: stage(roles.screen).select.unwrap_or(1),
            parallel: stage(roles.evaluate).parallel.unwrap_or(1),
            references: planned(roles.references),
            initial_geometry: geometry(roles.initial),
            initial: planned(roles.initial),
            train: planned(roles.train),
            generate: planned(roles.generate),
            screen: planned(roles.screen),
            evaluate_geometry: geometry(roles.evaluate),
            evaluate: planned(roles.evaluate),
            edges: graph::edges(&loaded.campaign, roles),
        }
    }
}

/// Reads a campaign with its site and plans it; the faults of the files and of the stages come together.
pub fn load(path: &Path, overrides: &Overrides) -> Result<(Loaded, Plan), Faults> {
    let (loaded, mut faults) = crate::config::campaign::read(path, overrides)?;
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

/// The name of the first step of the stage `stage`, whose geometries are those of `method`.
fn geometry_stage(stage: &str, method: &str) -> String {
    format!("{stage}.{method}")
}

fn planned(stage: &str, name: &str, campaign: &Campaign, site: &Site) -> Planned {
    let method: &Method = &campaign.methods[name];
    let partition = &site.partitions[&method.partition];
    Planned {
        stage: stage.to_owned(),
        method: name.to_owned(),
        kind: method.kind.name(),
        engine: match &method.kind {
            MethodKind::Simulate { engine, .. } => Some(engine.name().to_owned()),
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
