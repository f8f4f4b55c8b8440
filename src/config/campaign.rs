//! A campaign: objective, search space, methods, stages and stop conditions.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::duration::Duration;
pub use super::load::{LoadedCampaign, Overrides, load, read};
use super::notify::Notify;
pub use super::objective::{DirectedObjective, ObjectiveConfig, PropertyConfig, ShortObjective};
use super::retries::RetriesConfig;
pub use super::space::{MolarMassRange, SearchSpace};
pub use super::stage::{Budget, Loop, Molecules, NamedMolecules, SomeMolecules, StageConfig};
use crate::design::{GenerateEngine, ScreenEngine, TrainEngine};
use crate::simulate::QcEngine;

/// A campaign with every default filled in and every `{{param}}` replaced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(description = "A molecular design campaign.")]
pub struct Campaign {
    /// A name for reports.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Seed from which all random streams of a run derive.
    #[serde(default)]
    pub seed: u64,
    /// Name of a site profile, or the path of one, relative to the campaign file; the name once it
    /// is found.
    #[serde(default = "default_site")]
    #[schemars(length(min = 1))]
    pub site: String,
    /// Synchronisation of the two loops.
    #[serde(default)]
    pub schedule: Schedule,
    /// Parameters, referenced as `"{{name}}"` anywhere below and overridden by `--set name=value`.
    ///
    /// Empty once they are resolved: their values stand where they were referenced.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, Param>,
    /// Numbers of a molecule, computed from the quantities that methods return.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, PropertyConfig>,
    /// Property that is optimised, or a list of them.
    pub objective: ObjectiveConfig,
    /// Conditions on properties and descriptors, which a molecule of the result must meet:
    /// `gap >= 3 eV`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(inner(length(min = 1)))]
    pub constraints: Vec<String>,
    /// The molecules that may be proposed.
    pub search_space: SearchSpace,
    /// Named functions with their settings.
    pub methods: BTreeMap<String, Method>,
    /// The parts of the campaign, in the order that their `after` gives.
    pub stages: BTreeMap<String, StageConfig>,
    /// Conditions that end the run.
    #[serde(default)]
    pub stop: Stop,
    /// Result cache shared between runs: a file, relative to the campaign file, created if missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub cache: Option<String>,
    /// Command that receives events of a run: its end, a new best molecule, failures. No result depends
    /// on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<Notify>,
}

impl Campaign {
    /// Fills in defaults that the file of a run states, unless version 0.1.0 wrote it.
    pub(super) fn fill_in_defaults(&mut self) {
        self.search_space.fill_in_defaults();
        for method in self.methods.values_mut() {
            if let MethodKind::Simulate { engine, .. } = &mut method.kind {
                engine.fill_in_defaults();
            }
        }
    }

    /// Writes out the short forms: the objective becomes a property with a direction, and a stage
    /// that has molecules computes all objectives. What is ambiguous stays as it is.
    pub(super) fn expand(&mut self) {
        if let ObjectiveConfig::Short(short) = self.objective {
            let name = short.name().to_owned();
            let method = match self.final_methods().as_slice() {
                [method] => Some((*method).to_owned()),
                _ => None,
            };
            let is_defined = self.properties.contains_key(&name);
            if let (false, Some(method)) = (is_defined, &method) {
                self.properties.insert(name.clone(), short.property(method));
            }
            if is_defined || method.is_some() {
                self.objective = ObjectiveConfig::Directed(DirectedObjective {
                    minimize: Some(name),
                    ..DirectedObjective::default()
                });
            }
        }
        let objectives = self.objective.directed().iter();
        let objectives: Vec<&String> = objectives.filter_map(|o| o.property()).collect();
        let stages = self.stages.values_mut();
        let computing = stages.filter(|s| s.method.is_none() && s.molecules.is_some());
        for stage in computing.filter(|stage| stage.compute.is_empty()) {
            stage.compute = objectives.iter().map(|name| (*name).clone()).collect();
        }
    }

    /// Names of the `simulate` methods with which no other method begins.
    pub fn final_methods(&self) -> Vec<&str> {
        let methods = self.methods.iter();
        let simulate = methods.filter(|(_, method)| method.kind.engine().is_some());
        let is_first = |name: &str| {
            let mut others = self.methods.keys();
            others.any(|other| self.geometry_of(other) == Some(name))
        };
        let names = simulate.map(|(name, _)| name.as_str());
        names.filter(|name| !is_first(name)).collect()
    }

    /// The method with whose geometries a method begins; none for MMFF94's.
    pub fn geometry_of(&self, method: &str) -> Option<&str> {
        match &self.methods.get(method)?.kind {
            MethodKind::Simulate { geometry, .. } => geometry.as_deref(),
            MethodKind::Train { .. } | MethodKind::Generate { .. } | MethodKind::Screen { .. } => {
                None
            }
        }
    }

    /// Names of the methods that compute neutral closed shells only, with the names of their
    /// engines.
    pub fn of_closed_shells(&self) -> impl Iterator<Item = (&str, &'static str)> {
        let engines = self.methods.iter();
        let engines = engines.filter_map(|(name, method)| Some((name, method.kind.engine()?)));
        engines
            .filter(|(_, engine)| !engine.simulator().treats_open_shells_and_ions())
            .map(|(name, engine)| (name.as_str(), engine.name()))
    }

    /// Names of the methods that use MMFF94 geometries unrelaxed, with the names of their engines.
    pub fn at_mmff94_geometries(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.methods
            .iter()
            .filter(|(_, method)| method.kind.needs_mmff94())
            .filter_map(|(name, method)| Some((name.as_str(), method.kind.engine()?.name())))
    }
}

fn default_site() -> String {
    "local".into()
}

/// A param: a plain value, or a value with bounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Param {
    /// A value with bounds.
    Bounded(BoundedParam),
    /// A value without bounds.
    Plain(Scalar),
}

/// A value with bounds and an explanation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BoundedParam {
    /// Value unless `--set` gives another.
    pub value: Scalar,
    /// Smallest value that `--set` may give.
    pub min: Option<f64>,
    /// Largest value that `--set` may give.
    pub max: Option<f64>,
    /// Purpose of the param.
    pub help: Option<String>,
}

/// A single value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Scalar {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A number that need not be whole.
    Number(f64),
    /// A text.
    Text(String),
}

/// Synchronisation of the two loops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// Neither loop waits for the other.
    #[default]
    Interleaved,
    /// A batch is generated from all results, then computed whole, in rank order: reproducible to
    /// the last bit.
    Batch,
}

/// A named function with its settings, its topic and its partition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Method {
    /// Function with its settings.
    #[serde(flatten)]
    pub kind: MethodKind,
    /// Loop that its results belong to.
    pub topic: Topic,
    /// Partition of the site that runs it: `qc`, `ml`.
    pub partition: String,
    /// Longest time an attempt may take, e.g. `2m`.
    pub timeout: Duration,
    /// Further attempts after a failed one: a number, or a number for each kind of failure.
    #[serde(default)]
    pub retries: RetriesConfig,
}

/// Function of a method, with its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum MethodKind {
    /// Computes the energy of a molecule.
    Simulate {
        /// The quantum chemistry engine with its settings.
        #[serde(flatten)]
        engine: QcEngine,
        /// The `simulate` method that relaxes the geometry first, in a task of its own; MMFF94 if
        /// not given. Free atoms need none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        geometry: Option<String>,
    },
    /// Fits a surrogate to all results.
    Train {
        /// The surrogate with its settings.
        #[serde(flatten)]
        engine: TrainEngine,
        /// Properties of several levels, the cheapest first, the last an objective: each is learnt as
        /// the difference from the one before.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        properties: Vec<String>,
    },
    /// Proposes molecules.
    Generate {
        /// The generator with its settings.
        #[serde(flatten)]
        engine: GenerateEngine,
    },
    /// Predicts the objective of proposed molecules and ranks them.
    Screen {
        /// The acquisition with its settings.
        #[serde(flatten)]
        engine: ScreenEngine,
    },
}

impl MethodKind {
    /// Returns its name in campaign files.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Simulate { .. } => "simulate",
            Self::Train { .. } => "train",
            Self::Generate { .. } => "generate",
            Self::Screen { .. } => "screen",
        }
    }

    /// Name of its engine in campaign files.
    pub fn engine_name(&self) -> &'static str {
        match self {
            Self::Simulate { engine, .. } => engine.name(),
            Self::Train { engine, .. } => engine.name(),
            Self::Generate { engine } => engine.name(),
            Self::Screen { engine } => engine.name(),
        }
    }

    /// Engine of a `simulate` method.
    pub fn engine(&self) -> Option<&QcEngine> {
        match self {
            Self::Simulate { engine, .. } => Some(engine),
            Self::Train { .. } | Self::Generate { .. } | Self::Screen { .. } => None,
        }
    }

    /// Returns true if it computes at MMFF94 geometries, unrelaxed.
    pub fn needs_mmff94(&self) -> bool {
        match self {
            Self::Simulate {
                engine,
                geometry: None,
            } => engine.simulator().conformer_search().needs_mmff94,
            _ => false,
        }
    }

    /// Topic of its results.
    pub fn topic(&self) -> Topic {
        match self {
            Self::Simulate { .. } => Topic::Simulator,
            Self::Train { .. } | Self::Generate { .. } | Self::Screen { .. } => Topic::Ml,
        }
    }
}

/// Loop that a result belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// The consumer loop.
    Simulator,
    /// The generator loop.
    Ml,
}

impl Topic {
    /// Returns its name in campaign files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Simulator => "simulator",
            Self::Ml => "ml",
        }
    }
}

/// Stop conditions of a run. The first that holds ends it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    /// Molecules whose objective is computed, in the consumer loop if there are loops; one that
    /// fails counts. Required with loops.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000_000))]
    pub evaluations: Option<usize>,
    /// Longest time of a run, e.g. `8h`.
    pub wall_time: Option<Duration>,
    /// Core-hours of all attempts, failed ones included: the cores of the method by the time that
    /// they took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.000_001, max = 1.0e12))]
    pub core_hours: Option<f64>,
    /// Node-hours of all attempts: core-hours divided by the cores of a node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.000_001, max = 1.0e12))]
    pub node_hours: Option<f64>,
    /// Value of the objective, in its unit, at which the run ends.
    pub target: Option<f64>,
    /// Consecutive batches without a better molecule.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub stale_batches: Option<usize>,
    /// Consecutive batches without a new molecule from the generator.
    #[serde(default = "default_barren_batches")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub barren_batches: usize,
    /// Share of evaluations that may fail, judged once ten have ended.
    #[serde(default = "default_failure_share")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub failure_share: f64,
}

impl Default for Stop {
    fn default() -> Self {
        Self {
            evaluations: None,
            wall_time: None,
            core_hours: None,
            node_hours: None,
            target: None,
            stale_batches: None,
            barren_batches: default_barren_batches(),
            failure_share: default_failure_share(),
        }
    }
}

fn default_barren_batches() -> usize {
    10
}

fn default_failure_share() -> f64 {
    0.5
}
