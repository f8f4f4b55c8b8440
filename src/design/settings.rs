//! Settings of the methods `train`, `generate` and `screen`, as campaigns write them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::learn::acquisition::Acquisition;

use super::ranges::{RangeFault, out_of_range};

/// Settings of `train`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrainSettings {
    /// Form of the surrogate.
    pub model: Model,
    /// Maximum number of iterations of evidence maximisation; scikit-learn's default.
    #[schemars(range(min = 1, max = 100_000))]
    pub max_iterations: usize,
    /// Sum of the absolute changes of the coefficients in an iteration below which the fit has
    /// converged; scikit-learn's default.
    #[schemars(range(min = 1e-12, max = 1.0))]
    pub tolerance: f64,
}

/// Form of the surrogate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Model {
    /// Bayesian ridge regression of the energy per atom on the counts of atom-centred groups per
    /// atom.
    #[default]
    GroupContribution,
    /// Bayesian ridge regression of the total energy on the counts, as in the reference
    /// application.
    GroupCounts,
}

/// Settings of `generate`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GenerateSettings {
    /// Agent that generates molecules.
    pub agent: Agent,
    /// Number of episodes in a call.
    #[schemars(range(min = 1, max = 100_000))]
    pub episodes: usize,
    /// Maximum number of steps in an episode; each step is one edit of the molecule.
    #[schemars(range(min = 1, max = 10_000))]
    pub steps: usize,
    /// Radius, in bonds, of the Morgan fingerprint by which the agent observes a molecule.
    #[schemars(range(min = 0, max = 10))]
    pub fingerprint_radius: u32,
    /// Length of the fingerprint, in bits; the number of inputs of the Q-network.
    #[schemars(range(min = 16, max = 65_536))]
    pub fingerprint_bits: usize,
    /// Widths of the hidden layers of the Q-network.
    #[schemars(length(max = 8), inner(range(min = 1, max = 16_384)))]
    pub hidden: Vec<usize>,
    /// Learning rate of the optimiser, Adam.
    #[schemars(range(min = 1e-8, max = 1.0))]
    pub learning_rate: f64,
    /// Discount factor of the reward one step later.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub gamma: f64,
    /// Fraction of random actions in the agent's first episode.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub epsilon_start: f64,
    /// Factor by which epsilon is multiplied after each episode.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub epsilon_decay: f64,
    /// Lower bound of epsilon.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub epsilon_min: f64,
    /// Number of transitions in an update; updates begin once the replay memory holds as many.
    #[schemars(range(min = 1, max = 4_096))]
    pub batch_size: usize,
    /// Capacity of the replay memory, in transitions; at least `batch_size`.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub replay_size: usize,
    /// Number of episodes between copies of the network to the target network, counted over all
    /// calls.
    #[schemars(range(min = 1, max = 100_000))]
    pub target_update_episodes: usize,
}

/// Agent that generates molecules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Agent {
    /// Deep Q-learning on valence edits (Zhou et al., Sci. Rep. 9, 10752, 2019).
    #[default]
    Moldqn,
    /// Random walk over the same edits, without learning: the baseline.
    Random,
}

/// Settings of `screen`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ScreenSettings {
    /// Acquisition function by which candidates are ranked.
    pub acquisition: Acquisition,
    /// Number of standard deviations that `lower_confidence_bound` subtracts from the mean.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub kappa: f64,
}

impl Default for TrainSettings {
    fn default() -> Self {
        Self {
            model: Model::default(),
            max_iterations: 300,
            tolerance: 1e-3,
        }
    }
}

impl Default for GenerateSettings {
    fn default() -> Self {
        Self {
            agent: Agent::default(),
            episodes: 10,
            steps: 32,
            fingerprint_radius: 3,
            fingerprint_bits: 2048,
            hidden: vec![1024, 512, 256],
            learning_rate: 1e-3,
            gamma: 0.9,
            epsilon_start: 1.0,
            epsilon_decay: 0.995,
            epsilon_min: 0.1,
            batch_size: 32,
            replay_size: 2000,
            target_update_episodes: 10,
        }
    }
}

impl Default for ScreenSettings {
    fn default() -> Self {
        Self {
            acquisition: Acquisition::default(),
            kappa: 2.0,
        }
    }
}

impl TrainSettings {
    /// Settings that are out of range.
    pub fn faults(&self) -> Vec<RangeFault> {
        out_of_range(self)
    }
}

impl GenerateSettings {
    /// Settings that are out of range, or with which the agent could never learn.
    pub fn faults(&self) -> Vec<RangeFault> {
        let mut faults = out_of_range(self);
        if self.replay_size < self.batch_size {
            faults.push(RangeFault {
                setting: "replay_size".into(),
                value: self.replay_size.to_string(),
                allowed: format!("at least `batch_size`, {}", self.batch_size),
            });
        }
        faults
    }
}

impl ScreenSettings {
    /// Settings that are out of range.
    pub fn faults(&self) -> Vec<RangeFault> {
        out_of_range(self)
    }
}
