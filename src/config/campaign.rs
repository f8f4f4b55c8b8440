//! A campaign: objective, search space, methods, stages and stop conditions.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::duration::Duration;
pub use super::load::{LoadedCampaign, Overrides, load, read};
use super::retries::RetriesConfig;
use crate::chem::Stereo;
use crate::design::{GenerateSettings, ScreenSettings, TrainSettings};
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
    /// Quantity that is minimised.
    pub objective: Objective,
    /// Molecules that may be proposed.
    pub search_space: SearchSpace,
    /// Named functions with their settings.
    pub methods: BTreeMap<String, Method>,
    /// The parts of the campaign, in the order that their `after` gives.
    pub stages: BTreeMap<String, StageConfig>,
    /// Conditions that end the run.
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

    /// Returns the names of the methods that use MMFF94 geometries unrelaxed, and of their engines.
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

/// Quantity that is minimised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// E(molecule) - sum of E(atoms), hartree.
    AtomizationEnergy,
    /// The same, divided by the number of atoms (hydrogen included), hartree.
    AtomizationEnergyPerAtom,
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
    /// Fits the surrogate to all results.
    Train {
        /// Settings of the surrogate.
        #[serde(default)]
        settings: TrainSettings,
    },
    /// Lets the agent propose molecules.
    Generate {
        /// Settings of the agent.
        #[serde(default)]
        settings: GenerateSettings,
    },
    /// Predicts the objective of proposed molecules and ranks them.
    Screen {
        /// Settings of the ranking.
        #[serde(default)]
        settings: ScreenSettings,
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

    /// Returns the topic of its results.
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

/// A part of a campaign.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StageConfig {
    /// One of `methods`.
    pub method: String,
    /// Stage or stages that must end first.
    #[serde(default, deserialize_with = "one_or_many")]
    #[schemars(with = "OneOrMany")]
    pub after: Vec<String>,
    /// The loop it is repeated in.
    #[serde(rename = "loop", skip_serializing_if = "Option::is_none")]
    pub in_loop: Option<Loop>,
    /// Origin of the molecules of a simulating stage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub molecules: Option<Molecules>,
    /// Number of molecules of a stage with `molecules: random`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub count: Option<usize>,
    /// Molecules of a batch, the best of those that a `screen` stage ranks.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub select: Option<usize>,
    /// Tasks that a stage with `molecules: queue` keeps submitted at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub parallel: Option<usize>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(one) => vec![one],
        OneOrMany::Many(many) => many,
    })
}

/// The two loops of a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Loop {
    /// Trains, generates, screens.
    Generator,
    /// Evaluates the molecules of the queue.
    Consumer,
}

/// Origin of molecules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Molecules {
    /// The free atoms of the search space, for the atomic references.
    Atoms,
    /// Drawn from the source without replacement.
    Random,
    /// The candidate queue.
    Queue,
}

/// Stop conditions of a run. The first that holds ends it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    /// Molecules evaluated beyond the initial ones.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub evaluations: usize,
    /// Longest time of a run, e.g. `8h`.
    pub wall_time: Option<Duration>,
    /// Value of the objective in hartree at which the run ends.
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

fn default_barren_batches() -> usize {
    10
}

fn default_failure_share() -> f64 {
    0.5
}
