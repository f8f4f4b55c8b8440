//! Learning on molecules: group features, the molecule environment, and the bodies of the `ml`
//! tasks.

mod error;
mod generator;
pub mod groups;
pub mod model;
mod molecules;
mod ranges;
mod settings;
pub mod statistics;
mod tasks;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use crate::learn::pareto;
use crate::task::RankedCandidate;

pub use error::DesignError;
pub use ranges::RangeFault;
pub use settings::{Acquisition, Agent, GenerateSettings, Model, ScreenSettings, TrainSettings};
pub use tasks::{generate, screen, train};

/// An evaluated molecule and its value, to which the surrogate is fitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "StoredObservation")]
pub struct Observation {
    /// Canonical SMILES.
    pub smiles: String,
    /// Value of the objective, hartree.
    pub value: f64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum StoredObservation {
    Named {
        smiles: String,
        value: f64,
    },
    /// Form written by version 0.1.0.
    Pair(String, f64),
}

impl From<StoredObservation> for Observation {
    fn from(stored: StoredObservation) -> Self {
        match stored {
            StoredObservation::Named { smiles, value } | StoredObservation::Pair(smiles, value) => {
                Self { smiles, value }
            }
        }
    }
}

/// Input of `train`: the evaluated molecules, in order of submission.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainInput {
    /// File with the statistics of earlier observations; None if `observations` holds all.
    #[serde(default)]
    pub statistics: Option<PathBuf>,
    /// Observations that are not in the statistics.
    #[serde(alias = "measured")]
    pub observations: Vec<Observation>,
    /// True if the values are per atom, hydrogens included.
    #[serde(default)]
    pub per_atom: bool,
    /// Settings of the method.
    pub settings: TrainSettings,
    /// Output file of the model.
    pub model_out: PathBuf,
    /// Output file of the statistics of all observations.
    pub statistics_out: PathBuf,
}

/// Output of `train`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainOutput {
    /// Number of molecules that the model is fitted to.
    pub molecules: usize,
    /// Number of distinct groups in them.
    pub groups: usize,
    /// Root mean square error on the training set, of the values as they were given.
    pub rmse: f64,
}

/// Input of `generate`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GenerateInput {
    /// File of the model.
    pub model: PathBuf,
    /// File of the agent as the previous call saved it; None in the first call.
    pub agent: Option<PathBuf>,
    /// SMILES of the start molecules, used in turn; without any, episodes start from nothing.
    pub starts: Vec<String>,
    /// Symbols of the elements that may be added.
    pub elements: Vec<String>,
    /// Largest number of atoms other than hydrogen.
    pub max_heavy_atoms: usize,
    /// Sizes that a new ring may have.
    pub allowed_ring_sizes: Vec<usize>,
    /// Settings of the method.
    pub settings: GenerateSettings,
    /// Value to which epsilon is raised before the first episode if it is lower.
    pub epsilon_at_least: Option<f64>,
    /// Seed of weights and actions.
    pub seed: u64,
    /// Output file of the agent.
    pub agent_out: PathBuf,
    /// Output file of the visited molecules: canonical SMILES, one per line, each once, in order of
    /// the first visit.
    pub candidates_out: PathBuf,
}

/// Output of `generate`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GenerateOutput {
    /// Number of distinct molecules that were visited.
    pub candidates: usize,
    /// Fraction of random actions in the next episode.
    pub epsilon: f64,
    /// Number of episodes in this call.
    pub episodes: usize,
    /// Mean reward of a step: distance of the prediction below the mean of the observations, in
    /// standard deviations.
    pub mean_reward: f64,
    /// Mean loss of the updates; None without updates.
    pub mean_loss: Option<f64>,
}

/// Input of `screen`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScreenInput {
    /// File of the model.
    pub model: PathBuf,
    /// Files of candidates, canonical SMILES, one a line.
    pub candidates: Vec<PathBuf>,
    /// Settings of the method.
    pub settings: ScreenSettings,
    /// Lowest value so far, hartree; None before the first.
    pub incumbent: Option<f64>,
}

/// Output of `screen`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScreenOutput {
    /// Distinct candidates with their predictions, best first.
    pub ranked: Vec<RankedCandidate>,
}
