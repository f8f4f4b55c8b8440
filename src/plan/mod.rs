//! The plan of a campaign: its stages, the properties that they compute, and each method joined
//! with its partition.
//!
//! `moldflow plan` prints it, the engine runs it, `moldflow simulate` forecasts it.

mod cores;
mod diagram;
mod edges;
mod environment;
mod launch;
mod method;
mod objective;
mod property;
mod property_check;
mod retries;
mod stage;
mod stage_check;
mod stage_order;
mod stage_whole;

pub use cores::crowded;
pub use diagram::{dot, mermaid};
pub use edges::{Edge, EdgeKind};
pub use environment::{HostEnvironment, TaskEnvironment, passed_variables};
pub use launch::launch_on_node;
pub use method::PlannedMethod;
pub use objective::{Direction, Objective};
pub use property::{PlannedProperty, RecipeNode};
pub use stage::{MoleculeSource, PlannedStage, StageKind};

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::config::campaign::{
    LoadedCampaign, Loop, MethodKind, Overrides, Schedule, SearchSpace, Stop,
};
use crate::config::diagnostic::Diagnostics;

/// All that is needed to run a campaign, but its molecules.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// Seed of the random streams.
    #[serde(skip)]
    pub seed: u64,
    /// Synchronisation of the two loops.
    #[serde(skip)]
    pub schedule: Schedule,
    /// The molecules that may be proposed.
    #[serde(skip)]
    pub search_space: SearchSpace,
    /// Stop conditions.
    #[serde(skip)]
    pub stop: Stop,
    /// Property that is optimised.
    pub objective: Objective,
    /// Properties by their names, each with the calculations that it needs.
    pub properties: BTreeMap<String, PlannedProperty>,
    /// Methods by their names, each joined with its partition.
    pub methods: BTreeMap<String, PlannedMethod>,
    /// The stages; each comes behind those that it names in `after`.
    pub stages: Vec<PlannedStage>,
    /// Every edge of the task graph, by stage name.
    pub edges: Vec<Edge>,
}

impl Plan {
    /// Returns the property that the search optimises.
    pub fn objective_property(&self) -> &PlannedProperty {
        &self.properties[&self.objective.property]
    }

    /// Returns the stages of a loop, with their places in `stages`.
    pub fn stages_in(&self, in_loop: Loop) -> impl Iterator<Item = (usize, &PlannedStage)> {
        let stages = self.stages.iter().enumerate();
        stages.filter(move |(_, stage)| stage.in_loop == Some(in_loop))
    }

    /// Returns true if another method begins with the geometries of this one.
    pub fn gives_geometries(&self, method: &str) -> bool {
        let mut others = self.methods.values();
        others.any(|other| other.geometry() == Some(method))
    }

    /// Returns true if two stages may compute properties of the same molecule.
    pub fn revisits_molecules(&self) -> bool {
        let sources = self.stages.iter().filter_map(|stage| match &stage.kind {
            StageKind::Compute { molecules, .. } => Some(molecules),
            _ => None,
        });
        // A queue has new molecules only.
        let lists = sources.filter(|molecules| !matches!(molecules, MoleculeSource::Queue(_)));
        lists.count() > 1
    }

    /// Returns true if the campaign has a generator loop and a consumer loop.
    pub fn has_loops(&self) -> bool {
        self.stages.iter().any(|stage| stage.in_loop.is_some())
    }

    /// Returns the number of molecules that a new run draws from its source for each stage, in the
    /// order of the stages; none for all of them.
    pub fn draws(&self) -> impl Iterator<Item = (&str, Option<usize>)> {
        self.stages.iter().filter_map(|stage| match &stage.kind {
            StageKind::Compute { molecules, .. } => match molecules {
                MoleculeSource::Random(count) => Some((stage.name.as_str(), Some(*count))),
                MoleculeSource::All => Some((stage.name.as_str(), None)),
                _ => None,
            },
            _ => None,
        })
    }

    /// Returns true if a generator proposes the molecules of the source.
    pub fn needs_pool(&self) -> bool {
        self.methods.values().any(|method| match &method.kind {
            MethodKind::Generate { engine } => engine.implementation().needs_pool(),
            _ => false,
        })
    }

    /// Returns the methods that a stage runs.
    pub fn methods_of(&self, stage: &PlannedStage) -> Vec<&PlannedMethod> {
        match &stage.kind {
            StageKind::Compute { property, .. } => {
                let recipe = self.properties[property].recipe.iter();
                recipe.map(|node| &self.methods[&node.method]).collect()
            }
            StageKind::Train { method }
            | StageKind::Generate { method, .. }
            | StageKind::Screen { method, .. } => vec![&self.methods[method]],
        }
    }

    /// Returns the level of theory of the objective: those of its methods.
    pub fn level_of_theory(&self) -> String {
        let property = self.objective_property();
        let leaves = property.methods();
        let levels: Vec<String> = leaves.iter().map(|method| self.level_of(method)).collect();
        let mut distinct: Vec<String> = Vec::new();
        for level in levels {
            if !distinct.contains(&level) {
                distinct.push(level);
            }
        }
        distinct.join(", ")
    }

    /// Returns the level of theory of a method's results, its geometry's included.
    pub fn level_of(&self, method: &str) -> String {
        let method = &self.methods[method];
        let geometry = method.geometry().map(|first| self.level_of(first));
        method.level(geometry.as_deref())
    }
}

/// Reads a campaign with its site and plans it for tasks that `host` starts.
///
/// # Errors
///
/// The diagnostics of the files, the properties and the stages, all of them at once.
pub fn load(
    path: &Path,
    overrides: &Overrides,
    host: &HostEnvironment,
) -> Result<(LoadedCampaign, Plan), Diagnostics> {
    let (loaded, mut diagnostics) = crate::config::campaign::read(path, overrides)?;
    let sections = ["stages", "methods", "properties", "objective", "stop"];
    let sound = sections.iter().all(|section| loaded.is_sound(section));
    let plan = sound
        .then(|| plan(&loaded, host, &mut diagnostics))
        .flatten();
    // Without diagnostics there is a plan: what is not sound has diagnostics.
    match plan.filter(|_| diagnostics.is_empty()) {
        Some(plan) => Ok((loaded, plan)),
        None => diagnostics.or(()).and(Err(Diagnostics::default())),
    }
}

fn plan(
    loaded: &LoadedCampaign,
    host: &HostEnvironment,
    diagnostics: &mut Diagnostics,
) -> Option<Plan> {
    let properties = property_check::properties(loaded, diagnostics);
    let stages = stage_check::stages(loaded, diagnostics);
    property_check::unused(loaded, &properties, &stages, diagnostics);
    if !diagnostics.is_empty() {
        return None;
    }
    let campaign = &loaded.campaign;
    let methods = campaign.methods.keys();
    let methods = methods.map(|name| (name.clone(), PlannedMethod::new(name, loaded, host)));
    let objective = Objective::new(&campaign.objective)?;
    Some(Plan {
        seed: campaign.seed,
        schedule: campaign.schedule,
        search_space: campaign.search_space.clone(),
        stop: campaign.stop.clone(),
        methods: methods.collect(),
        edges: edges::edges(&stages, &objective.property),
        objective,
        properties,
        stages,
    })
}
