//! What proposes molecules: the agent that learns, and the walker that does not.

use std::convert::Infallible;

use super::molecules::{MoleculeEnvironment, State};
use super::settings::{Agent, GenerateSettings};
use crate::learn::dqn::{Dqn, DqnError, DqnSettings, RunSummary};
use crate::learn::random_walk::RandomWalk;
use crate::learn::saved::{SavedError, SavedFormat};

/// A source of molecules, whose memory lasts from call to call.
pub trait Generator {
    /// Explores `environment` as `settings` say and gives every state to `visit`, in order.
    fn propose(
        &mut self,
        environment: &mut MoleculeEnvironment,
        settings: &GenerateSettings,
        seed: u64,
        visit: &mut dyn FnMut(&State),
    ) -> Result<RunSummary, DqnError<Infallible>>;

    /// Explores at random at least this much from now on.
    fn explore_at_least(&mut self, epsilon: f64);

    /// Share of random actions in the next episode.
    fn epsilon(&self) -> f64;

    /// The memory.
    fn to_bytes(&self) -> Result<Vec<u8>, SavedError>;
}

/// The generator that `settings` name: as it was saved, or a new one from `seed`.
pub fn generator(
    settings: &GenerateSettings,
    saved: Option<&[u8]>,
    seed: u64,
) -> Result<Box<dyn Generator>, SavedError> {
    Ok(match (settings.agent, saved) {
        (Agent::Moldqn, Some(bytes)) => Box::new(Dqn::from_bytes(bytes, dqn(settings))?),
        (Agent::Moldqn, None) => Box::new(Dqn::new(dqn(settings), seed)?),
        (Agent::Random, Some(bytes)) => Box::new(walk_from_bytes(bytes)?),
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
        postcard::to_extend(self, WALK.line().into_bytes())
            .map_err(|_| SavedError::Damaged(WALK.name))
    }
}

const WALK: SavedFormat = SavedFormat {
    name: "walker",
    layout: 1,
};

fn walk_from_bytes(bytes: &[u8]) -> Result<RandomWalk, SavedError> {
    match postcard::take_from_bytes(WALK.content(bytes)?) {
        Ok((walk, [])) => Ok(walk),
        _ => Err(SavedError::Damaged(WALK.name)),
    }
}

fn dqn(settings: &GenerateSettings) -> DqnSettings {
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
