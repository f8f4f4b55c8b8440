//! Learning on molecules: surrogates, generators and acquisitions, each one file and one line of a
//! registry, and the bodies of the tasks that run them.

mod acquisition;
mod error;
mod generator;
mod ranges;
pub mod surrogate;
mod tasks;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::chem::StructureRules;

pub use crate::learn::pareto;
use crate::task::{Metrics, RankedCandidate};

pub use acquisition::{
    Acquisition, AcquisitionRound, CostFront, ExpectedImprovement, Greedy, LowerConfidenceBound,
    Mixture, ScreenEngine, ThompsonSampling, diversified, rank, rank_by_hypervolume,
};
pub use error::DesignError;
pub use generator::{
    Edits, EpisodeStart, GenerateEngine, Generator, GeneratorSettings, Genetic, Moldqn, Pool,
    Proposal, RandomEdits, SearchContext, WalkProposals,
};
pub use ranges::RangeFault;
pub use surrogate::TrainEngine;
pub use tasks::{generate, screen, train};

/// An evaluated molecule and its cost: the value of the objective, or the negative of the value
/// where that is maximised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// Canonical SMILES.
    pub smiles: String,
    /// In the unit of the objective.
    pub cost: f64,
}

/// A property that a surrogate learns, with new observations of it in order of submission.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainTarget {
    /// Name of the property.
    pub property: String,
    /// True if costs grow with the number of atoms.
    pub extensive: bool,
    /// Place of the target whose cost was subtracted from these: a cheaper level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<usize>,
    /// Observations that are not in the memory.
    pub observations: Vec<Observation>,
}

/// Input of `train`: the evaluated molecules, by target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainInput {
    /// The surrogate with its settings.
    pub engine: TrainEngine,
    /// File with all that the last training keeps of its observations; None if the targets hold all.
    pub memory: Option<PathBuf>,
    /// Properties to learn, the objectives first.
    pub targets: Vec<TrainTarget>,
    /// Number of objectives.
    pub objectives: usize,
    /// Output file of the model.
    pub model_out: PathBuf,
    /// Output file of the memory for the next training.
    pub memory_out: PathBuf,
}

/// Output of `train`.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainOutput {
    /// Number of molecules that the model is fitted to.
    pub molecules: usize,
    /// Numbers that describe the fit, by name.
    pub metrics: Metrics,
}

/// Input of `generate`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GenerateInput {
    /// The generator with its settings.
    pub engine: GenerateEngine,
    /// File of the model.
    pub model: PathBuf,
    /// File of the generator's state as the last round saved it; None in the first round.
    pub state: Option<PathBuf>,
    /// The best evaluated molecules, the best first.
    pub best: Vec<Observation>,
    /// SMILES of molecules of the source to begin at; empty unless earlier rounds were scarce.
    pub starts: Vec<String>,
    /// File with the molecules of the source, canonical SMILES, one a line.
    pub pool: Option<PathBuf>,
    /// Symbols of the elements that may be added.
    pub elements: Vec<String>,
    /// Largest number of atoms other than hydrogen.
    pub max_heavy_atoms: usize,
    /// Sizes that the rings of a proposed molecule may have.
    pub allowed_ring_sizes: Vec<usize>,
    /// Number of rounds before this one, in a row, in which the generator proposed fewer new
    /// molecules than a batch takes.
    pub scarce_rounds: usize,
    /// Seed of the round.
    pub seed: u64,
    /// Output file of the generator's state.
    pub state_out: PathBuf,
    /// Output file of the proposed molecules: canonical SMILES, one per line, each once, in order of
    /// the first visit.
    pub candidates_out: PathBuf,
}

/// Output of `generate`.
#[derive(Clone, Debug, PartialEq)]
pub struct GenerateOutput {
    /// Number of distinct molecules that were proposed.
    pub candidates: usize,
    /// Numbers that describe the round, by name.
    pub metrics: Metrics,
}

/// Input of `screen`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScreenInput {
    /// The acquisition with its settings.
    pub engine: ScreenEngine,
    /// File of the model.
    pub model: PathBuf,
    /// Files of candidates.
    pub candidates: Vec<CandidateFile>,
    /// Lowest cost so far, in the unit of the objective; None before the first, and with several
    /// objectives.
    pub incumbent: Option<f64>,
    /// With several objectives: costs of the molecules of the Pareto front.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub front: Vec<Vec<f64>>,
    /// Worst cost of each of several objectives that counts; empty with one objective.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reference: Vec<f64>,
    /// Number of targets that the model predicts.
    pub targets: usize,
    /// Rules that candidates keep; others are dropped.
    pub rules: StructureRules,
    /// True if a candidate is computed at its MMFF94 geometry; those without one are dropped.
    #[serde(default)]
    pub needs_mmff94: bool,
    /// Seed of the round.
    pub seed: u64,
    /// Number of candidates of each generator that are returned at most.
    pub most: usize,
}

/// Molecules that a generator proposed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CandidateFile {
    /// File of canonical SMILES, one a line.
    pub path: PathBuf,
    /// Place of the generator among those of the `screen` stage.
    pub generator: usize,
}

/// Output of `screen`.
#[derive(Clone, Debug, PartialEq)]
pub struct ScreenOutput {
    /// Distinct candidates with their predictions, best first.
    pub ranked: Vec<RankedCandidate>,
}
