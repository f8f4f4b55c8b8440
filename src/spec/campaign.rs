//! A campaign: what is sought, over which molecules, by which methods, in which stages, and when to stop.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A campaign with every default filled in and every `{{param}}` replaced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Campaign {
    pub name: String,
    /// What all random streams of a run derive from.
    #[serde(default)]
    pub seed: u64,
    /// Name of a site profile, or the path of one.
    #[serde(default = "default_site")]
    pub site: String,
    #[serde(default)]
    pub schedule: Schedule,
    /// Knobs, referenced as `{{name}}` anywhere below and overridden by `--set name=value`.
    #[serde(default)]
    pub params: BTreeMap<String, Param>,
    pub objective: Objective,
    pub search_space: SearchSpace,
    pub methods: BTreeMap<String, Method>,
    pub stages: BTreeMap<String, Stage>,
    pub stop: Stop,
}

/// A knob: a plain value, or a value with bounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Param {
    Bounded(BoundedParam),
    Plain(Scalar),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BoundedParam {
    pub value: Scalar,
    pub min: Option<f64>,
    pub max: Option<f64>,
    pub help: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Scalar {
    Bool(bool),
    Integer(i64),
    Number(f64),
    Text(String),
}

/// How the two loops relate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// Neither loop waits for the other.
    #[default]
    Interleaved,
    /// A batch is generated from all results, then computed whole, in rank order: reproducible to the last bit.
    Batch,
}

/// What is minimised.
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
    /// `qm9`, or the path of a `.smi` or `.csv` file, relative to the campaign file.
    pub source: String,
    /// Element symbols of the heavy atoms; hydrogen is implied.
    pub elements: Vec<String>,
    #[schemars(range(min = 1, max = 100))]
    pub max_heavy_atoms: usize,
    /// Sizes that a newly closed ring may have.
    #[serde(default = "default_ring_sizes")]
    pub allowed_ring_sizes: Vec<usize>,
}

/// A named function with its settings, its topic and its partition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Method {
    #[serde(flatten)]
    pub kind: MethodKind,
    pub topic: Topic,
    /// Partition of the site that runs it: `qc`, `ml`.
    pub partition: String,
    /// Longest time an attempt may take, e.g. `2m`.
    pub timeout: Duration,
    /// Further attempts after a failed one.
    #[serde(default)]
    pub retries: u32,
}

/// What a method does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum MethodKind {
    /// Computes the energy of a molecule.
    Simulate { engine: String, #[serde(default)] settings: SimulateSettings },
    /// Fits the surrogate to all results.
    Train { #[serde(default)] settings: TrainSettings },
    /// Lets the agent propose molecules.
    Generate { #[serde(default)] settings: GenerateSettings },
    /// Predicts what was proposed and ranks it.
    Screen { #[serde(default)] settings: ScreenSettings },
}
// SimulateSettings { embed_timeout: Duration = 10s }
// TrainSettings { model: group-contribution, max_iterations: 300, tolerance: 1e-3 }
// GenerateSettings { agent: moldqn, episodes 10, steps 32, fingerprint_radius 3, fingerprint_bits 2048, hidden [1024, 512, 256],
//   learning_rate 1e-3, gamma 0.9, epsilon_start 1.0, epsilon_decay 0.995, epsilon_min 0.1, batch_size 32, replay_size 2000, target_update_episodes 10 }
// ScreenSettings { acquisition: greedy | lower_confidence_bound | expected_improvement }

/// Which loop a result belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Topic { Simulator, Ml }

/// A part of a campaign.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    pub method: String,
    /// Stages it comes after.
    #[serde(default)]
    pub after: Vec<String>,
    /// The loop it is repeated in.
    #[serde(rename = "loop")]
    pub in_loop: Option<Loop>,
    /// Where a simulating stage takes its molecules from.
    pub molecules: Option<Molecules>,
    /// `molecules: random`: how many.
    pub count: Option<usize>,
    /// `screen`: how many of the best make a batch.
    pub select: Option<usize>,
    /// `molecules: queue`: how many are kept submitted at once.
    pub parallel: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Loop { Generator, Consumer }

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

/// When a run ends. The first that holds ends it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    /// Molecules evaluated beyond the initial ones.
    pub evaluations: usize,
    pub wall_time: Option<Duration>,
    /// Value of the objective (hartree) that is good enough.
    pub target: Option<f64>,
    /// Batches in a row without a better molecule.
    pub stale_batches: Option<usize>,
    /// Batches in a row in which the generator found nothing new. Default 10.
    pub barren_batches: usize,
    /// Share of evaluations that may fail, judged from the tenth on. Default 0.5.
    pub failure_share: f64,
}
// Duration: newtype over std::time::Duration, parsed from and written as "90s", "2m", "1h 30m" (jiff friendly format).
