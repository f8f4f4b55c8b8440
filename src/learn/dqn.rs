//! Deep Q-learning as in MolDQN (Zhou et al., Sci. Rep. 9, 10752, 2019), on any environment.
//!
//! The network estimates the value Q(s') of a reached state. The error of a transition is `e =
//! Q(s')
//! - (r + gamma max Q_target(s''))`, with s'' the states that can be reached from s'. The step
//! limit truncates an episode without making its last state terminal: the second term is absent
//! only if s' has no successors. `docs/decisions/0002-dqn-corrections.md` gives the reasons.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::adam::Adam;
use super::environment::{Action, AgentEnvironment, StateObservation};
use super::network::{QNetwork, loss};
use super::replay::Replay;

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
    /// Seed of the initial weights.
    pub(super) seed: u64,
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
}

impl Dqn {
    /// Creates an agent with random weights, drawn from `seed`.
    pub fn new(settings: DqnSettings, seed: u64) -> Self {
        let online = initial_network(&settings, seed);
        Self {
            target: online.clone(),
            optimiser: Adam::new(settings.inputs, &settings.hidden, settings.learning_rate),
            online,
            replay: Replay::default(),
            epsilon: settings.epsilon_start,
            episodes: 0,
            seed,
            settings,
        }
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
    /// The environment fails, or the loss is not finite.
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
                let chosen = self.choose(&actions, &mut rng);
                let Action { state, observation } = actions.swap_remove(chosen);
                visit(&state);
                let reward = environment.reward(&state).map_err(DqnError::Environment)?;
                rewards.add(reward);
                actions = environment.actions(&state).map_err(DqnError::Environment)?;
                let next = actions.iter().map(|action| &action.observation);
                let capacity = self.settings.replay_size;
                self.replay.push(&observation, reward, next, capacity);
                if self.replay.len() >= self.settings.batch_size {
                    let loss = self.update(&mut rng);
                    if !loss.is_finite() {
                        return Err(DqnError::Diverged(loss, self.optimiser.steps));
                    }
                    losses.add(f64::from(loss));
                }
            }
            self.end_episode();
        }
        Ok(RunSummary::new(episodes, &rewards, &losses))
    }

    /// Index of a random action with probability epsilon, else of the first of the best.
    fn choose<S>(&mut self, actions: &[Action<S>], rng: &mut ChaCha8Rng) -> usize {
        if rng.random::<f64>() < self.epsilon {
            return random_action(actions, rng);
        }
        let observations: Vec<&StateObservation> = actions.iter().map(|a| &a.observation).collect();
        let rows = observations.iter().flat_map(|o| o.iter().copied());
        self.optimiser.catch_up(&mut self.online, rows);
        let values = self.online.values(&observations);
        (1..values.len()).fold(0, |best, i| if values[i] > values[best] { i } else { best })
    }

    /// Takes one step of the optimiser on a random batch; returns the loss of the batch.
    fn update(&mut self, rng: &mut ChaCha8Rng) -> f32 {
        let batch = self.replay.sample(self.settings.batch_size, rng);
        self.fill_values(&batch);
        let transitions = batch.iter().map(|&position| self.replay.get(position));
        let (mut observations, mut targets) = (Vec::new(), Vec::new());
        for transition in transitions {
            let later = f64::from(self.replay.best_next(transition).unwrap_or(0.0));
            targets.push((transition.reward + self.settings.gamma * later) as f32);
            observations.push(self.replay.observation(transition.observation));
        }
        let rows = observations.iter().flat_map(|o| o.iter().copied());
        self.optimiser.catch_up(&mut self.online, rows);
        let pass = self.online.pass(&observations);
        let (loss, derivatives) = loss(pass.values(), &targets);
        let gradient = self.online.gradient(&observations, &pass, derivatives);
        self.optimiser.step(&mut self.online, &gradient);
        loss
    }

    /// Evaluates the target network, in one pass, for those next states of the batch whose values
    /// are not known.
    fn fill_values(&mut self, batch: &[usize]) {
        let unknown = self.replay.without_value(batch);
        let observations = unknown
            .iter()
            .map(|&number| self.replay.observation(number));
        let values = self.target.values(&observations.collect::<Vec<_>>());
        for (number, value) in unknown.into_iter().zip(values) {
            self.replay.set_value(number, value);
        }
    }

    fn end_episode(&mut self) {
        self.episodes += 1;
        self.epsilon = (self.epsilon * self.settings.epsilon_decay).max(self.settings.epsilon_min);
        self.optimiser.settle(&mut self.online);
        if self
            .episodes
            .is_multiple_of(self.settings.target_update_episodes)
        {
            self.target.clone_from(&self.online);
            self.replay.forget_values();
        }
    }
}

/// Network before the first update.
pub(super) fn initial_network(settings: &DqnSettings, seed: u64) -> QNetwork {
    QNetwork::new(settings.inputs, &settings.hidden, &mut stream(seed, 0))
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
