//! MolDQN: deep Q-learning on valence edits (Zhou et al., Sci. Rep. 9, 10752, 2019).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::environment::{
    EpisodeStart, Fingerprint, MoleculeEnvironment, WalkProposals, propose_state,
};
use super::{Generator, GeneratorSettings, Proposal, SearchContext};
use crate::design::error::DesignError;
use crate::design::ranges::RangeFault;
use crate::learn::dqn::{Dqn, DqnSettings};
use crate::task::Metrics;

/// Settings of `moldqn`; the defaults are those of the paper.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Moldqn {
    /// Number of episodes in a round.
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
    /// rounds.
    #[schemars(range(min = 1, max = 100_000))]
    pub target_update_episodes: usize,
    /// State in which an episode begins.
    pub start: EpisodeStart,
    /// Molecules that are proposed.
    pub proposals: WalkProposals,
    /// True if an edit may replace an atom by one of another element, which the paper does not
    /// have.
    pub replace_elements: bool,
}

impl Default for Moldqn {
    fn default() -> Self {
        Self {
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
            start: EpisodeStart::Nothing,
            proposals: WalkProposals::Visited,
            replace_elements: false,
        }
    }
}

impl GeneratorSettings for Moldqn {
    fn faults(&self) -> Vec<RangeFault> {
        if self.replay_size >= self.batch_size {
            return Vec::new();
        }
        vec![RangeFault {
            setting: "replay_size".into(),
            value: self.replay_size.to_string(),
            allowed: format!("at least `batch_size`, {}", self.batch_size),
        }]
    }

    fn typical_count(&self) -> Option<usize> {
        Some(self.proposals.typical_count(self.episodes * self.steps))
    }

    fn load(&self, saved: Option<&[u8]>, seed: u64) -> Result<Box<dyn Generator>, DesignError> {
        Ok(Box::new(MoldqnGenerator {
            agent: match saved {
                Some(bytes) => Dqn::from_bytes(bytes, self.agent())?,
                None => Dqn::new(self.agent(), seed),
            },
            settings: self.clone(),
        }))
    }
}

impl Moldqn {
    fn agent(&self) -> DqnSettings {
        DqnSettings {
            inputs: self.fingerprint_bits,
            hidden: self.hidden.clone(),
            learning_rate: self.learning_rate,
            gamma: self.gamma,
            epsilon_start: self.epsilon_start,
            epsilon_decay: self.epsilon_decay,
            epsilon_min: self.epsilon_min,
            batch_size: self.batch_size,
            replay_size: self.replay_size,
            target_update_episodes: self.target_update_episodes as u64,
        }
    }
}

struct MoldqnGenerator {
    settings: Moldqn,
    agent: Dqn,
}

impl Generator for MoldqnGenerator {
    /// After scarce rounds it explores more: epsilon is at least 0.5, 0.75, then 1.
    fn propose(
        &mut self,
        mut search: SearchContext,
        visit: &mut dyn FnMut(Proposal<'_>),
    ) -> Result<Metrics, DesignError> {
        let settings = &self.settings;
        if search.scarce_rounds > 0 {
            let epsilon = 0.25 * (search.scarce_rounds + 1) as f64;
            self.agent.explore_at_least(epsilon.min(1.0));
        }
        let fingerprint = Fingerprint {
            radius: settings.fingerprint_radius,
            bits: settings.fingerprint_bits,
        };
        let (episodes, steps, seed) = (settings.episodes, settings.steps, search.seed);
        search.rules.replace_elements = settings.replace_elements;
        let (start, proposals) = (settings.start, settings.proposals);
        let rules = search.rules.clone();
        let mut environment = MoleculeEnvironment::new(search, Some(fingerprint), start, proposals);
        let summary = self
            .agent
            .run(&mut environment, episodes, steps, seed, |state| {
                propose_state(state, &rules, visit);
            })?;
        environment.propose_enumerated(visit);
        let metrics = [
            ("epsilon", Some(self.agent.epsilon())),
            ("episodes", Some(summary.episodes as f64)),
            ("mean_reward", Some(summary.mean_reward)),
            ("mean_loss", summary.mean_loss),
        ];
        let known = metrics.into_iter();
        let known = known.filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Ok(known.collect())
    }

    fn to_bytes(&self) -> Result<Vec<u8>, DesignError> {
        Ok(self.agent.to_bytes()?)
    }
}
