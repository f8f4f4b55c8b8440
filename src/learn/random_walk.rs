//! A random walk: the baseline that a learning agent must beat.

use serde::{Deserialize, Serialize};

use super::dqn::{Mean, RunSummary, random_action, stream};
use super::environment::AgentEnvironment;

/// Agent that takes random actions and learns nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RandomWalk {
    /// Number of episodes since it was created.
    pub episodes: u64,
}

impl RandomWalk {
    /// Plays `episodes` episodes of at most `steps` steps; random streams and `visit` are as in
    /// [`Dqn::run`](super::dqn::Dqn::run).
    pub fn run<E: AgentEnvironment>(
        &mut self,
        environment: &mut E,
        episodes: usize,
        steps: usize,
        seed: u64,
        mut visit: impl FnMut(&E::State),
    ) -> Result<RunSummary, E::Error> {
        let mut rewards = Mean::default();
        for _ in 0..episodes {
            let mut rng = stream(seed, 1 + self.episodes);
            let mut state = environment.start()?;
            visit(&state);
            for _ in 0..steps {
                let mut actions = environment.actions(&state)?;
                if actions.is_empty() {
                    break;
                }
                state = actions.swap_remove(random_action(&actions, &mut rng)).state;
                visit(&state);
                rewards.add(environment.reward(&state)?);
            }
            self.episodes += 1;
        }
        Ok(RunSummary::new(episodes, &rewards, &Mean::default()))
    }
}
