//! Where chemistry meets learning: group features, the molecule environment, and the bodies of the
//! `ml` tasks.

mod error;
pub mod generator;
pub mod groups;
pub mod model;
pub mod molecules;
mod ranges;
pub mod settings;
pub mod statistics;
mod tasks;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::task::RankedCandidate;

pub use error::DesignError;
pub use ranges::{SettingFault, out_of_range};
pub use settings::{Acquisition, Agent, GenerateSettings, Model, ScreenSettings, TrainSettings};
pub use tasks::{generate, screen, train};

/// A molecule and the value of its objective, from which the surrogate learns.
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
    /// The form of 0.1.0.
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
    /// Statistics of what an earlier call was given; none if `observations` is all there is.
    #[serde(default)]
    pub statistics: Option<PathBuf>,
    /// Molecules that were evaluated since.
    #[serde(alias = "measured")]
    pub observations: Vec<Observation>,
    /// True if the values are divided by the number of atoms, hydrogen included.
    #[serde(default)]
    pub per_atom: bool,
    pub settings: TrainSettings,
    /// Output file of the model.
    pub model_out: PathBuf,
    /// Output file of the statistics of all observations.
    pub statistics_out: PathBuf,
}
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainOutput {
    pub molecules: usize,
    pub groups: usize,
    /// Root mean square error on the training set, of the values as they were given.
    pub rmse: f64,
}

/// Input of `generate`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GenerateInput {
    pub model: PathBuf,
    /// The agent left by the call before, none at first.
    pub agent: Option<PathBuf>,
    /// Start molecules of the episodes, used in turn; empty: from nothing.
    pub starts: Vec<String>,
    pub elements: Vec<String>,
    pub max_heavy_atoms: usize,
    pub allowed_ring_sizes: Vec<usize>,
    pub settings: GenerateSettings,
    /// Raises epsilon to at least this before the first episode.
    pub epsilon_at_least: Option<f64>,
    pub seed: u64,
    pub agent_out: PathBuf,
    /// Every distinct state visited, canonical SMILES, one a line, in order of first visit.
    pub candidates_out: PathBuf,
}
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GenerateOutput {
    pub candidates: usize,
    pub epsilon: f64,
    pub episodes: usize,
    /// Mean reward of a step: standard deviations that the prediction lies below the mean of the
    /// observations.
    pub mean_reward: f64,
    /// Mean loss of the updates, none before the first.
    pub mean_loss: Option<f64>,
}

/// Input of `screen`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScreenInput {
    pub model: PathBuf,
    /// Files of candidates, canonical SMILES, one a line.
    pub candidates: Vec<PathBuf>,
    pub settings: ScreenSettings,
    /// Lowest value so far, hartree, for acquisitions that need it.
    pub incumbent: Option<f64>,
}
/// Predictions, best first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScreenOutput {
    pub ranked: Vec<RankedCandidate>,
}
