//! Deep Q-learning as in MolDQN (Zhou et al., Sci. Rep. 9, 10752, 2019), on any environment.
//!
//! The network estimates the value Q(s') of a reached state. The error of a transition is `e =
//! Q(s')
//! - (r + gamma max Q_target(s''))`, with s'' the states that can be reached from s'. The step
//! limit truncates an episode without making its last state terminal: the second term is absent
//! only if s' has no successors. `docs/decisions/0002-dqn-corrections.md` gives the reasons.

use candle_core::{Device, Tensor};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::adam::Adam;
use super::environment::{Action, AgentEnvironment, StateObservation};
use super::network::QNetwork;
use super::replay::{Replay, Transition};

/// An agent: settings, networks, optimiser, replay memory and counters.
#[derive(Debug)]
pub struct Dqn {
    pub(super) settings: DqnSettings,
    pub(super) online: QNetwork,
    pub(super) target: QNetwork,
    pub(super) optimiser: Adam,
    pub(super) replay: Replay,
    pub(super) epsilon: f64,
    /// Number of episodes since the agent was created.
    pub(super) episodes: u64,
}

/// Settings of an agent.
#[derive(Clone, Debug, PartialEq)]
pub struct DqnSettings {
    /// Length of an observation.
    pub inputs: usize,
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// Learning rate of the optimiser.
    pub learning_rate: f64,
    /// Discount factor of the reward one step later.
    pub gamma: f64,
    /// Fraction of random actions in the first episode.
    pub epsilon_start: f64,
    /// Factor by which epsilon is multiplied after each episode.
    pub epsilon_decay: f64,
    /// Lower bound of epsilon.
    pub epsilon_min: f64,
    /// Number of transitions in an update; updates begin once the replay memory holds as many.
    pub batch_size: usize,
    /// Capacity of the replay memory, in transitions.
    pub replay_size: usize,
    /// Number of episodes, counted over all calls, between copies of the network to the target
    /// network.
    pub target_update_episodes: u64,
}

/// Summary of one call of [`Dqn::run`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RunSummary {
    /// Number of episodes.
    pub episodes: usize,
    /// Number of steps in all episodes.
    pub steps: usize,
    /// Mean reward of a step, zero without steps.
    pub mean_reward: f64,
    /// Mean loss of the updates; None without updates.
    pub mean_loss: Option<f64>,
}

/// Error of an agent; `E` is the error of its environment.
#[derive(Debug, thiserror::Error)]
pub enum DqnError<E> {
    /// Error of the environment.
    #[error(transparent)]
    Environment(E),
    /// Loss that is not finite, and the number of updates so far.
    #[error("the loss of the agent is {0} after {1} updates: lower `learning_rate`")]
    Diverged(f32, u64),
    /// Error of a tensor operation.
    #[error("the Q-network failed")]
    Network(#[from] candle_core::Error),
}

impl Dqn {
    /// Creates an agent with random weights, drawn from `seed`.
    ///
    /// # Errors
    ///
    /// The networks cannot be allocated.
    pub fn new(settings: DqnSettings, seed: u64) -> Result<Self, candle_core::Error> {
        let online = QNetwork::new(settings.inputs, &settings.hidden, &mut stream(seed, 0))?;
        Ok(Self {
            target: online.duplicate()?,
            optimiser: Adam::new(&online)?,
            online,
            replay: Replay::default(),
            epsilon: settings.epsilon_start,
            episodes: 0,
            settings,
        })
    }

    /// Fraction of random actions in the next episode.
    pub fn epsilon(&self) -> f64 {
        self.epsilon
    }

    /// Raises epsilon to `least` if it is lower; it decays from there as before.
    pub fn explore_at_least(&mut self, least: f64) {
        self.epsilon = self.epsilon.max(least);
    }

    /// Number of episodes since the agent was created.
    pub fn episodes(&self) -> u64 {
        self.episodes
    }

    /// Plays `episodes` episodes of at most `steps` steps and learns from each step. Calls `visit`
    /// with every state, the first of each episode included.
    ///
    /// Each episode has its own random stream, from `seed` and its number since the agent was
    /// created. So two calls give the same result as one call with the sum of their episodes.
    ///
    /// # Errors
    ///
    /// The environment fails, the loss is not finite, or a tensor operation fails.
    pub fn run<E: AgentEnvironment>(
        &mut self,
        environment: &mut E,
        episodes: usize,
        steps: usize,
        seed: u64,
        mut visit: impl FnMut(&E::State),
    ) -> Result<RunSummary, DqnError<E::Error>> {
        let (mut rewards, mut losses) = (Mean::default(), Mean::default());
        for _ in 0..episodes {
            let mut rng = stream(seed, 1 + self.episodes);
            let state = environment.start().map_err(DqnError::Environment)?;
            visit(&state);
            let mut actions = environment.actions(&state).map_err(DqnError::Environment)?;
            for _ in 0..steps {
                if actions.is_empty() {
                    break;
                }
                let chosen = self.choose(&actions, &mut rng)?;
                let Action { state, observation } = actions.swap_remove(chosen);
                visit(&state);
                let reward = environment.reward(&state).map_err(DqnError::Environment)?;
                rewards.add(reward);
                actions = environment.actions(&state).map_err(DqnError::Environment)?;
                let transition = Transition {
                    observation,
                    reward,
                    next: actions.iter().map(|a| a.observation.clone()).collect(),
                    bootstrap: None,
                };
                self.replay.push(transition, self.settings.replay_size);
                if self.replay.len() >= self.settings.batch_size {
                    let loss = self.update(&mut rng)?;
                    if !loss.is_finite() {
                        return Err(DqnError::Diverged(loss, self.optimiser.steps));
                    }
                    losses.add(f64::from(loss));
                }
            }
            self.end_episode()?;
        }
        Ok(RunSummary::new(episodes, &rewards, &losses))
    }

    /// Index of a random action with probability epsilon, else of the first of the best.
    fn choose<S>(
        &self,
        actions: &[Action<S>],
        rng: &mut ChaCha8Rng,
    ) -> Result<usize, candle_core::Error> {
        if rng.random::<f64>() < self.epsilon {
            return Ok(random_action(actions, rng));
        }
        let observations: Vec<&StateObservation> = actions.iter().map(|a| &a.observation).collect();
        let values = self.online.values(&observations)?;
        let best =
            (1..values.len()).fold(0, |best, i| if values[i] > values[best] { i } else { best });
        Ok(best)
    }

    /// Takes one step of the optimiser on a random batch; returns the loss of the batch.
    fn update(&mut self, rng: &mut ChaCha8Rng) -> Result<f32, candle_core::Error> {
        let batch = self.replay.sample(self.settings.batch_size, rng);
        self.fill_bootstraps(&batch)?;
        let targets: Vec<f32> = batch
            .iter()
            .map(|&position| {
                let transition = self.replay.get(position);
                let later = f64::from(transition.bootstrap.unwrap_or(0.0));
                (transition.reward + self.settings.gamma * later) as f32
            })
            .collect();
        let observations: Vec<&StateObservation> = batch
            .iter()
            .map(|&position| &self.replay.get(position).observation)
            .collect();
        let targets = Tensor::from_vec(targets, batch.len(), &Device::Cpu)?;
        let loss = loss(&self.online.forward(&observations)?, &targets)?;
        self.optimiser
            .step(&self.online, &loss.backward()?, self.settings.learning_rate)?;
        loss.to_scalar()
    }

    /// Evaluates the target network, in one pass, for those transitions of the batch whose
    /// bootstrap value is not known.
    fn fill_bootstraps(&mut self, batch: &[usize]) -> Result<(), candle_core::Error> {
        let unknown = |&position: &usize| {
            let transition = self.replay.get(position);
            transition.bootstrap.is_none() && !transition.next.is_empty()
        };
        let mut missing: Vec<usize> = batch.iter().copied().filter(unknown).collect();
        missing.sort_unstable();
        missing.dedup();
        let observations: Vec<&StateObservation> = missing
            .iter()
            .flat_map(|&position| &self.replay.get(position).next)
            .collect();
        let values = self.target.values(&observations)?;
        let mut rest = values.as_slice();
        for position in missing {
            let transition = self.replay.get_mut(position);
            let (own, others) = rest.split_at(transition.next.len());
            transition.bootstrap = own.iter().copied().reduce(f32::max);
            rest = others;
        }
        Ok(())
    }

    fn end_episode(&mut self) -> Result<(), candle_core::Error> {
        self.episodes += 1;
        self.epsilon = (self.epsilon * self.settings.epsilon_decay).max(self.settings.epsilon_min);
        if self
            .episodes
            .is_multiple_of(self.settings.target_update_episodes)
        {
            self.target = self.online.duplicate()?;
            self.replay.forget_bootstraps();
        }
        Ok(())
    }
}

/// Mean of sqrt(1 + e^2) - 1 over the errors e = values - targets, all of the same length.
///
/// # Errors
///
/// The lengths differ.
pub fn loss(values: &Tensor, targets: &Tensor) -> Result<Tensor, candle_core::Error> {
    let error = (values - targets)?;
    ((error.sqr()? + 1.0)?.sqrt()? - 1.0)?.mean_all()
}

impl RunSummary {
    pub(super) fn new(episodes: usize, rewards: &Mean, losses: &Mean) -> Self {
        Self {
            episodes,
            steps: rewards.count,
            mean_reward: rewards.value().unwrap_or(0.0),
            mean_loss: losses.value(),
        }
    }
}

/// Index of an action, drawn uniformly. Panics if there are none.
pub(super) fn random_action<S>(actions: &[Action<S>], rng: &mut ChaCha8Rng) -> usize {
    rng.random_range(0..actions.len())
}

/// Random number generator: stream `number` of `seed`.
pub(super) fn stream(seed: u64, number: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(number);
    rng
}

/// A running mean.
#[derive(Default)]
pub(super) struct Mean {
    sum: f64,
    count: usize,
}

impl Mean {
    pub(super) fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1;
    }

    fn value(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}
