//! A campaign: objective, search space, methods, stages and stop conditions.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::duration::Duration;
pub use super::load::{LoadedCampaign, Overrides, load, read};
pub use super::objective::{DirectedObjective, ObjectiveConfig, PropertyConfig, ShortObjective};
use super::retries::RetriesConfig;
pub use super::stage::{Loop, Molecules, NamedMolecules, SomeMolecules, StageConfig};
use crate::chem::Stereo;
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
    /// Property that is optimised.
    pub objective: ObjectiveConfig,
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
}

impl Campaign {
    /// Fills in defaults that the file of a run states, unless version 0.1.0 wrote it.
    pub(super) fn fill_in_defaults(&mut self) {
        self.search_space.stereo = self.search_space.stereo.or_else(ignore);
        for method in self.methods.values_mut() {
            if let MethodKind::Simulate { engine, .. } = &mut method.kind {
                engine.fill_in_defaults();
            }
        }
    }

    /// Writes out the short forms: the objective becomes a property with a direction, and a stage
    /// that has molecules computes it. What is ambiguous stays as it is.
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
                    maximize: None,
                });
            }
        }
        if let ObjectiveConfig::Directed(objective) = &self.objective {
            let property = objective.minimize.as_ref().or(objective.maximize.as_ref());
            let stages = self.stages.values_mut();
            for stage in stages.filter(|s| s.method.is_none() && s.molecules.is_some()) {
                stage.compute = stage.compute.take().or(property.cloned());
            }
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

    /// Names of the methods that use MMFF94 geometries unrelaxed, with the names of their engines.
    pub fn at_mmff94_geometries(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.methods
            .iter()
            .filter_map(|(name, method)| match &method.kind {
                MethodKind::Simulate {
                    engine,
                    geometry: None,
                } if engine.simulator().conformer_search().needs_mmff94 => {
                    Some((name.as_str(), engine.name()))
                }
                _ => None,
            })
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

/// The molecules that may be proposed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchSpace {
    /// `qm9`, or the path of a `.smi`, `.csv` or `.tsv` file, relative to the campaign file.
    #[schemars(length(min = 1))]
    pub source: String,
    /// Element symbols of the heavy atoms; hydrogen is implied.
    #[schemars(length(min = 1))]
    pub elements: Vec<String>,
    /// Most atoms that are not hydrogen.
    #[schemars(range(min = 1, max = 100))]
    pub max_heavy_atoms: usize,
    /// Sizes that a newly closed ring may have.
    #[serde(default = "default_ring_sizes")]
    #[schemars(inner(range(min = 3, max = 20)))]
    pub allowed_ring_sizes: Vec<usize>,
    /// Identity of molecules: stereoisomers and isotopologues are one molecule (`ignore`) or
    /// different molecules (`keep`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Stereo", default = "ignore")]
    pub stereo: Option<Stereo>,
    /// True to take the largest organic molecule of a salt, hydrate or mixture in the source, as
    /// neutral acid or base.
    #[serde(default)]
    pub largest_fragment: bool,
}

fn ignore() -> Option<Stereo> {
    Some(Stereo::Ignore)
}

impl SearchSpace {
    /// Returns the identity of molecules. Version 0.1.0 wrote no such key, and kept stereo.
    pub fn stereo(&self) -> Stereo {
        self.stereo.unwrap_or(Stereo::Keep)
    }
}

fn default_ring_sizes() -> Vec<usize> {
    (3..=7).collect()
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
            Self::Train { engine } => engine.name(),
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
    /// Molecules evaluated in the consumer loop; one that fails counts. Required with loops.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000_000))]
    pub evaluations: Option<usize>,
    /// Longest time of a run, e.g. `8h`.
    pub wall_time: Option<Duration>,
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
