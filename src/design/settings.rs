//! Settings of the methods `train`, `generate` and `screen`, as campaigns write them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::learn::acquisition::Acquisition;

use super::ranges::{RangeFault, out_of_range};

/// Settings of `train`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrainSettings {
    pub model: Model,
    /// Most rounds of evidence maximisation.
    #[schemars(range(min = 1, max = 100_000))]
    pub max_iterations: usize,
    /// The fit has converged when the coefficients move by less than this, summed, in a round.
    #[schemars(range(min = 1e-12, max = 1.0))]
    pub tolerance: f64,
}

/// The surrogate of the simulator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Model {
    /// Bayesian ridge regression of the energy per atom on counts of atom-centred groups per atom.
    #[default]
    GroupContribution,
    /// The same of the whole energy on whole counts, as in the reference application.
    GroupCounts,
}

/// Settings of `generate`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GenerateSettings {
    pub agent: Agent,
    /// Episodes of a call.
    #[schemars(range(min = 1, max = 100_000))]
    pub episodes: usize,
    /// Steps of an episode.
    #[schemars(range(min = 1, max = 10_000))]
    pub steps: usize,
    /// Radius of the Morgan fingerprint that the agent sees, in bonds.
    #[schemars(range(min = 0, max = 10))]
    pub fingerprint_radius: u32,
    /// Length of the fingerprint.
    #[schemars(range(min = 16, max = 65_536))]
    pub fingerprint_bits: usize,
    /// Widths of the hidden layers of the Q-network.
    #[schemars(length(max = 8), inner(range(min = 1, max = 16_384)))]
    pub hidden: Vec<usize>,
    #[schemars(range(min = 1e-8, max = 1.0))]
    pub learning_rate: f64,
    /// Discount of the reward a step later.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub gamma: f64,
    /// Share of random actions in the agent's first episode.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub epsilon_start: f64,
    /// What epsilon is multiplied with after each episode.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub epsilon_decay: f64,
    #[schemars(range(min = 0.0, max = 1.0))]
    pub epsilon_min: f64,
    /// Transitions of an update; none is made before the replay memory holds as many.
    #[schemars(range(min = 1, max = 4_096))]
    pub batch_size: usize,
    /// Transitions remembered.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub replay_size: usize,
    /// Episodes between two copies of the network to the target network, counted over the agent's
    /// life.
    #[schemars(range(min = 1, max = 100_000))]
    pub target_update_episodes: usize,
}

/// What generates molecules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Agent {
    /// Deep Q-learning on valence edits (Zhou et al., Sci. Rep. 9, 10752, 2019).
    #[default]
    Moldqn,
    /// A random walk over the same edits, which learns nothing: the baseline.
    Random,
}

/// Settings of `screen`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ScreenSettings {
    pub acquisition: Acquisition,
    /// Standard deviations that `lower_confidence_bound` subtracts from the mean.
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
    /// What is out of range.
    pub fn faults(&self) -> Vec<RangeFault> {
        out_of_range(self)
    }
}

impl GenerateSettings {
    /// What is out of range, or would keep the agent from ever learning.
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
    /// What is out of range.
    pub fn faults(&self) -> Vec<RangeFault> {
        out_of_range(self)
    }
}
