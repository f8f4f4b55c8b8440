//! The plan of a campaign: its stages, the properties that they compute, and each method joined
//! with its partition.
//!
//! `moldflow plan` prints it, the engine runs it, `moldflow simulate` forecasts it.

mod constraint;
mod cores;
mod diagram;
mod edges;
mod environment;
mod equivalence;
mod launch;
mod method;
mod objective;
mod objective_check;
mod property;
mod property_check;
mod retries;
mod stage;
mod stage_check;
mod stage_compute;
mod stage_order;
mod stage_whole;
mod target;

pub use constraint::Constraint;
pub use cores::crowded;
pub use diagram::{dot, mermaid};
pub use edges::{Edge, EdgeKind};
pub use environment::{HostEnvironment, TaskEnvironment, passed_variables};
pub use launch::launch_on_node;
pub use method::PlannedMethod;
pub use objective::{Direction, Objective};
pub use property::{NeededQuantities, PlannedProperty, QuantitiesByMethod, RecipeNode};
pub use stage::{MoleculeSource, PlannedStage, RankedProperty, StageKind};
pub use target::TrainingTarget;

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
    /// Cores of a node of the site.
    #[serde(skip)]
    pub node_cores: usize,
    /// Properties that are optimised; several have a Pareto front.
    pub objectives: Vec<Objective>,
    /// Conditions that the molecules of the result must meet.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<Constraint>,
    /// Properties by their names, each with the calculations that it needs.
    pub properties: BTreeMap<String, PlannedProperty>,
    /// Quantities that the results of methods must have, for the properties that stages compute.
    #[serde(skip)]
    pub needed: NeededQuantities,
    /// Methods by their names, each joined with its partition.
    pub methods: BTreeMap<String, PlannedMethod>,
    /// The stages; each comes behind those that it names in `after`.
    pub stages: Vec<PlannedStage>,
    /// Every edge of the task graph, by stage name.
    pub edges: Vec<Edge>,
}

impl Plan {
    /// Returns the property of the first objective.
    pub fn objective_property(&self) -> &PlannedProperty {
        &self.properties[&self.objectives[0].property]
    }

    /// Returns the one objective of the campaign; none if it has several.
    pub fn only_objective(&self) -> Option<&Objective> {
        match self.objectives.as_slice() {
            [one] => Some(one),
            _ => None,
        }
    }

    /// Returns the targets of the `train` stage at `place`.
    pub fn targets(&self, place: usize) -> &[TrainingTarget] {
        match self.stages.get(place).map(|stage| &stage.kind) {
            Some(StageKind::Train { targets, .. }) => targets,
            _ => &[],
        }
    }

    /// Returns true if a stage computes all objectives: its molecules are the result of the run.
    pub fn computes_objectives(&self, stage: &PlannedStage) -> bool {
        match &stage.kind {
            StageKind::Compute { properties, .. } => self
                .objectives
                .iter()
                .all(|objective| properties.contains(&objective.property)),
            _ => false,
        }
    }

    /// Returns the properties that stages compute; one that several compute comes several times.
    pub fn computed_properties(&self) -> impl Iterator<Item = &PlannedProperty> {
        let names = self.stages.iter().filter_map(|stage| match &stage.kind {
            StageKind::Compute { properties, .. } => Some(properties),
            _ => None,
        });
        names.flatten().map(|name| &self.properties[name])
    }

    /// Returns the calculations of several properties, each behind the one whose geometry it begins
    /// with; what they share is there once.
    pub fn recipe(&self, properties: &[String]) -> Vec<RecipeNode> {
        let mut recipe: Vec<RecipeNode> = Vec::new();
        for node in properties
            .iter()
            .flat_map(|name| &self.properties[name].recipe)
        {
            if recipe.iter().all(|other| other.method != node.method) {
                recipe.push(node.clone());
            }
        }
        recipe
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
            StageKind::Compute { properties, .. } => {
                let recipe = self.recipe(properties).into_iter();
                recipe.map(|node| &self.methods[&node.method]).collect()
            }
            StageKind::Train { method, .. }
            | StageKind::Generate { method, .. }
            | StageKind::Screen { method, .. } => vec![&self.methods[method]],
        }
    }

    /// Returns the level of theory of the objectives: those of their methods.
    pub fn level_of_theory(&self) -> String {
        let objectives = self.objectives.iter();
        let properties = objectives.map(|objective| &self.properties[&objective.property]);
        let methods = properties.flat_map(PlannedProperty::methods);
        let levels: Vec<String> = methods.map(|method| self.level_of(method)).collect();
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
    let sections = [
        "stages",
        "methods",
        "properties",
        "objective",
        "constraints",
        "stop",
    ];
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
    objective_check::objectives(loaded, diagnostics);
    let constraints = constraint::constraints(loaded, &properties, diagnostics);
    target::check_levels(loaded, &properties, &constraints, diagnostics);
    let stages = stage_check::stages(loaded, &constraints, diagnostics);
    if diagnostics.is_empty() {
        // A name that is misspelt elsewhere would be reported twice.
        property_check::unused(loaded, &properties, &stages, diagnostics);
        objective_check::computed(loaded, &stages, diagnostics);
    }
    if !diagnostics.is_empty() {
        return None;
    }
    let campaign = &loaded.campaign;
    let methods = campaign.methods.keys();
    let methods = methods.map(|name| (name.clone(), PlannedMethod::new(name, loaded, host)));
    let objectives = Objective::all(&campaign.objective)?;
    Some(Plan {
        seed: campaign.seed,
        schedule: campaign.schedule,
        search_space: campaign.search_space.clone(),
        stop: campaign.stop.clone(),
        needed: NeededQuantities::new(&stages, &properties),
        node_cores: loaded.site.node.cores.count().max(1),
        methods: methods.collect(),
        edges: edges::edges(&stages, &objectives),
        objectives,
        constraints,
        properties,
        stages,
    })
}
