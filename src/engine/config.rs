//! Configuration of the engine: the settings of a campaign that it needs.

use crate::config::campaign::{Campaign, MethodKind, Objective, Schedule, Stop};
use crate::config::retries::RetriesConfig;
use crate::design::{GenerateSettings, ScreenSettings, TrainSettings};
use crate::plan::{Plan, PlannedStage};
use crate::simulate;
use crate::task::{FailureKind, Retries};

/// Configuration of the engine.
#[derive(Clone, Debug, PartialEq)]
pub struct EngineConfig {
    /// Seed of all random streams of the run.
    pub seed: u64,
    /// Synchronisation of the loops.
    pub schedule: Schedule,
    /// True if the objective is divided by the number of atoms.
    pub per_atom: bool,
    /// Symbols of the heavy elements of the search space.
    pub elements: Vec<String>,
    /// Most heavy atoms of a molecule.
    pub max_heavy_atoms: usize,
    /// Numbers of atoms that a ring may have.
    pub allowed_ring_sizes: Vec<usize>,
    /// Stage of the free atoms.
    pub references: SimulateStage,
    /// Stage of the initial molecules.
    pub initial: SimulateStage,
    /// Stage of the candidates.
    pub evaluate: SimulateStage,
    /// Number of initial molecules.
    pub initial_count: usize,
    /// Number of evaluations that are submitted at once.
    pub parallel: usize,
    /// Most candidates of a batch.
    pub select: usize,
    /// Stage that fits the surrogate.
    pub train: LearnStage<TrainSettings>,
    /// Stage that proposes molecules.
    pub generate: LearnStage<GenerateSettings>,
    /// Stage that ranks proposed molecules.
    pub screen: LearnStage<ScreenSettings>,
    /// Conditions for the end of the run.
    pub stop: Stop,
}

/// A stage that computes energies.
#[derive(Clone, Debug, PartialEq)]
pub struct SimulateStage {
    /// Name of the stage.
    pub stage: String,
    /// Retries of its tasks.
    pub retries: Retries,
    /// Engine with its settings.
    pub engine: simulate::QcEngine,
    /// First step, which relaxes the molecules in tasks of its own; None if the geometries are
    /// those of MMFF94.
    pub geometry: Option<GeometryStep>,
}

/// The first step of a two-step level.
#[derive(Clone, Debug, PartialEq)]
pub struct GeometryStep {
    /// Name of its stage.
    pub stage: String,
    /// Retries of its tasks.
    pub retries: Retries,
    /// Engine with its settings.
    pub engine: simulate::QcEngine,
}

impl SimulateStage {
    /// Returns the level of theory of its energies, with that of the geometries.
    pub fn level(&self) -> String {
        let geometry = self.geometry.as_ref().map(GeometryStep::level);
        let geometry = geometry.as_deref().unwrap_or(simulate::MMFF94);
        self.engine.simulator().level(geometry)
    }
}

impl GeometryStep {
    /// Returns the level of theory of its geometries.
    pub fn level(&self) -> String {
        self.engine.simulator().level(simulate::MMFF94)
    }
}

/// A stage of the generator loop.
#[derive(Clone, Debug, PartialEq)]
pub struct LearnStage<S> {
    /// Name of the stage.
    pub stage: String,
    /// Retries of its tasks.
    pub retries: Retries,
    /// Settings of its method.
    pub settings: S,
}

impl EngineConfig {
    /// Returns the configuration of a campaign with this plan.
    pub fn new(campaign: &Campaign, plan: &Plan) -> Self {
        let simulate = |planned: &PlannedStage| SimulateStage {
            stage: planned.stage.clone(),
            retries: retries(&planned.method.retries),
            engine: engine(&planned.method.kind),
            geometry: None,
        };
        let with_geometry = |planned: &PlannedStage, first: &Option<PlannedStage>| SimulateStage {
            geometry: first.as_ref().map(|first| GeometryStep {
                stage: first.stage.clone(),
                retries: retries(&first.method.retries),
                engine: engine(&first.method.kind),
            }),
            ..simulate(planned)
        };
        Self {
            seed: campaign.seed,
            schedule: campaign.schedule,
            per_atom: campaign.objective == Objective::AtomizationEnergyPerAtom,
            elements: campaign.search_space.elements.clone(),
            max_heavy_atoms: campaign.search_space.max_heavy_atoms,
            allowed_ring_sizes: campaign.search_space.allowed_ring_sizes.clone(),
            references: simulate(&plan.references),
            initial: with_geometry(&plan.initial, &plan.initial_geometry),
            evaluate: with_geometry(&plan.evaluate, &plan.evaluate_geometry),
            initial_count: plan.initial_count,
            parallel: plan.parallel,
            select: plan.select,
            train: learn(&plan.train, |kind| match kind {
                MethodKind::Train { settings } => Some(settings.clone()),
                _ => None,
            }),
            generate: learn(&plan.generate, |kind| match kind {
                MethodKind::Generate { settings } => Some(settings.clone()),
                _ => None,
            }),
            screen: learn(&plan.screen, |kind| match kind {
                MethodKind::Screen { settings } => Some(settings.clone()),
                _ => None,
            }),
            stop: campaign.stop.clone(),
        }
    }
}

/// Returns the engine of a simulating stage; the plan guarantees that its method is of that kind.
fn engine(kind: &MethodKind) -> simulate::QcEngine {
    match kind {
        MethodKind::Simulate { engine, .. } => engine.clone(),
        MethodKind::Train { .. } | MethodKind::Generate { .. } | MethodKind::Screen { .. } => {
            simulate::QcEngine::default()
        }
    }
}

/// Returns a stage of the generator loop; the plan guarantees that its method is of that kind.
fn learn<S: Default>(
    planned: &PlannedStage,
    settings: impl Fn(&MethodKind) -> Option<S>,
) -> LearnStage<S> {
    let settings = settings(&planned.method.kind).unwrap_or_default();
    LearnStage {
        stage: planned.stage.clone(),
        retries: retries(&planned.method.retries),
        settings,
    }
}

fn retries(written: &RetriesConfig) -> Retries {
    let by_kind = match written {
        RetriesConfig::Same(number) => return Retries::of(*number),
        RetriesConfig::ByKind(by_kind) => by_kind,
    };
    let named = [
        (FailureKind::Launch, by_kind.launch),
        (FailureKind::Exit, by_kind.exit),
        (FailureKind::Memory, by_kind.memory),
        (FailureKind::Scratch, by_kind.scratch),
        (FailureKind::Timeout, by_kind.timeout),
        (FailureKind::Walltime, by_kind.walltime),
        (FailureKind::NodeLost, by_kind.node_lost),
        (FailureKind::Lost, by_kind.lost),
        (FailureKind::NotConverged, by_kind.not_converged),
        (FailureKind::NotANumber, by_kind.not_a_number),
        (FailureKind::NoGeometry, by_kind.no_geometry),
        (FailureKind::Unreadable, by_kind.unreadable),
    ];
    Retries {
        named: named
            .into_iter()
            .filter_map(|(kind, number)| Some((kind, number?)))
            .collect(),
        others: by_kind.others,
        at_least: 0,
        backoff: by_kind.backoff.map(Into::into).unwrap_or_default(),
    }
}
