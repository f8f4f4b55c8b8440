//! Generators, which propose molecules: the DQN agent and the random walk.

use std::convert::Infallible;

use super::molecules::{MoleculeEnvironment, State};
use super::settings::{Agent, GenerateSettings};
use crate::learn::dqn::{Dqn, DqnError, DqnSettings, RunSummary};
use crate::learn::random_walk::RandomWalk;
use crate::learn::saved::{SavedError, SavedFormat};

/// A source of new molecules, saved between calls.
pub trait Generator {
    /// Explores `environment`; calls `visit` with every state, in order.
    ///
    /// # Errors
    ///
    /// The network fails or diverges.
    fn propose(
        &mut self,
        environment: &mut MoleculeEnvironment,
        settings: &GenerateSettings,
        seed: u64,
        visit: &mut dyn FnMut(&State),
    ) -> Result<RunSummary, DqnError<Infallible>>;

    /// Raises the fraction of random actions to `epsilon` if it is lower.
    fn explore_at_least(&mut self, epsilon: f64);

    /// Fraction of random actions in the next episode.
    fn epsilon(&self) -> f64;

    /// Encodes the generator.
    ///
    /// # Errors
    ///
    /// The bytes cannot be allocated.
    fn to_bytes(&self) -> Result<Vec<u8>, SavedError>;
}

/// Restores the generator that `settings` name, or creates one from `seed` if `saved` is None.
///
/// # Errors
///
/// The saved bytes are damaged or of another kind, or the networks cannot be allocated.
pub fn load_generator(
    settings: &GenerateSettings,
    saved: Option<&[u8]>,
    seed: u64,
) -> Result<Box<dyn Generator>, SavedError> {
    Ok(match (settings.agent, saved) {
        (Agent::Moldqn, Some(bytes)) => Box::new(Dqn::from_bytes(bytes, dqn_settings(settings))?),
        (Agent::Moldqn, None) => Box::new(Dqn::new(dqn_settings(settings), seed)?),
        (Agent::Random, Some(bytes)) => Box::new(WALK.decode::<RandomWalk>(bytes)?),
        (Agent::Random, None) => Box::new(RandomWalk::default()),
    })
}

impl Generator for Dqn {
    fn propose(
        &mut self,
        environment: &mut MoleculeEnvironment,
        settings: &GenerateSettings,
        seed: u64,
        visit: &mut dyn FnMut(&State),
    ) -> Result<RunSummary, DqnError<Infallible>> {
        self.run(environment, settings.episodes, settings.steps, seed, visit)
    }

    fn explore_at_least(&mut self, epsilon: f64) {
        Dqn::explore_at_least(self, epsilon);
    }

    fn epsilon(&self) -> f64 {
        Dqn::epsilon(self)
    }

    fn to_bytes(&self) -> Result<Vec<u8>, SavedError> {
        Dqn::to_bytes(self)
    }
}

impl Generator for RandomWalk {
    fn propose(
        &mut self,
        environment: &mut MoleculeEnvironment,
        settings: &GenerateSettings,
        seed: u64,
        visit: &mut dyn FnMut(&State),
    ) -> Result<RunSummary, DqnError<Infallible>> {
        self.run(environment, settings.episodes, settings.steps, seed, visit)
            .map_err(DqnError::Environment)
    }

    fn explore_at_least(&mut self, _: f64) {}

    fn epsilon(&self) -> f64 {
        1.0
    }

    fn to_bytes(&self) -> Result<Vec<u8>, SavedError> {
        WALK.encode(self)
    }
}

const WALK: SavedFormat = SavedFormat {
    name: "walker",
    layout: 1,
};

fn dqn_settings(settings: &GenerateSettings) -> DqnSettings {
    DqnSettings {
        inputs: settings.fingerprint_bits,
        hidden: settings.hidden.clone(),
        learning_rate: settings.learning_rate,
        gamma: settings.gamma,
        epsilon_start: settings.epsilon_start,
        epsilon_decay: settings.epsilon_decay,
        epsilon_min: settings.epsilon_min,
        batch_size: settings.batch_size,
        replay_size: settings.replay_size,
        target_update_episodes: settings.target_update_episodes as u64,
    }
}
