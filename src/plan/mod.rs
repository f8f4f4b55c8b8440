//! The task graph of a campaign: the roles and the order of its stages, each joined with its method
//! and its partition.

mod cores;
mod diagram;
mod environment;
mod graph;
mod launch;
mod order_check;
mod role;
mod stage;
mod stage_check;

pub use cores::crowded;
pub use diagram::{dot, mermaid};
pub use environment::{HostEnvironment, TaskEnvironment, passed_variables};
pub use launch::launch_on_node;
pub use stage::PlannedStage;

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use graph::Roles;

use crate::config::campaign::{LoadedCampaign, Overrides};
use crate::config::diagnostic::Diagnostics;

/// Stages of a campaign by their roles.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// Energies of the free atoms.
    pub references: PlannedStage,
    /// First step that relaxes the molecules of `initial`, where its level of theory has two steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_geometry: Option<PlannedStage>,
    /// Random molecules, for the first model.
    pub initial: PlannedStage,
    /// Molecules of `initial`.
    pub initial_count: usize,
    /// Fits the surrogate.
    pub train: PlannedStage,
    /// Proposes molecules.
    pub generate: PlannedStage,
    /// Ranks the proposed molecules.
    pub screen: PlannedStage,
    /// The best of a batch, pushed into the queue.
    pub select: usize,
    /// First step that relaxes the molecules of `evaluate`, where its level of theory has two
    /// steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evaluate_geometry: Option<PlannedStage>,
    /// Takes from the queue.
    pub evaluate: PlannedStage,
    /// Tasks of `evaluate` kept submitted at once.
    pub parallel: usize,
    /// Edges of the task graph, the declared ones first, in the order of their stages.
    pub edges: Vec<Edge>,
}

/// An edge of the task graph.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Edge {
    /// Name of the stage that it leaves.
    pub from: String,
    /// Name of the stage that it enters.
    pub to: String,
    /// Meaning of the edge.
    pub kind: EdgeKind,
}

/// Meaning of an edge.
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
    /// Returns the stages in the order in which they first run, with the first steps of two-step
    /// levels.
    pub fn stages(&self) -> Vec<&PlannedStage> {
        let mut stages = vec![&self.references];
        stages.extend(&self.initial_geometry);
        stages.extend([&self.initial, &self.train, &self.generate, &self.screen]);
        stages.extend(&self.evaluate_geometry);
        stages.push(&self.evaluate);
        stages
    }

    /// Returns the stages by their names.
    pub fn stages_by_name(&self) -> BTreeMap<String, PlannedStage> {
        let stages = self.stages().into_iter();
        stages
            .map(|stage| (stage.stage.clone(), stage.clone()))
            .collect()
    }

    fn new(loaded: &LoadedCampaign, roles: &Roles, host: &HostEnvironment) -> Self {
        let planned = |stage: &str| {
            let method = &loaded.campaign.stages[stage].method;
            PlannedStage::new(stage, method, loaded, host)
        };
        let geometry = |stage: &str| {
            let method = graph::geometry(&loaded.campaign, stage)?;
            let name = geometry_stage(stage, method);
            Some(PlannedStage::new(&name, method, loaded, host))
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

/// Reads a campaign with its site and plans it for tasks that `host` starts.
///
/// # Errors
///
/// Fails with all errors of the files and of the stages.
pub fn load(
    path: &Path,
    overrides: &Overrides,
    host: &HostEnvironment,
) -> Result<(LoadedCampaign, Plan), Diagnostics> {
    let (loaded, mut diagnostics) = crate::config::campaign::read(path, overrides)?;
    let sound = loaded.is_sound("stages") && loaded.is_sound("methods");
    let roles = match sound.then(|| graph::roles(&loaded)) {
        Some(Ok(roles)) => Some(roles),
        Some(Err(found)) => {
            diagnostics.extend(found);
            None
        }
        None => None,
    };
    // Without errors there are roles: a section that is not sound has errors.
    let plan = roles
        .filter(|_| diagnostics.is_empty())
        .map(|roles| Plan::new(&loaded, &roles, host));
    match plan {
        Some(plan) => Ok((loaded, plan)),
        None => diagnostics.or(()).and(Err(Diagnostics::default())),
    }
}

/// Returns the name of the first step of the stage `stage`, whose geometries are those of `method`.
fn geometry_stage(stage: &str, method: &str) -> String {
    format!("{stage}.{method}")
}
