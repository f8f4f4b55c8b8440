//! Environment of an agent: states, actions that lead from one state to the next, and rewards.

/// States and transitions that an agent explores in episodes.
pub trait AgentEnvironment {
    /// A state.
    type State;
    /// Error of computing states or rewards.
    type Error;

    /// Begins an episode and returns its first state.
    ///
    /// # Errors
    ///
    /// The state cannot be computed.
    fn start(&mut self) -> Result<Self::State, Self::Error>;

    /// All actions in `state`, in an order that depends only on `state`; empty for a terminal
    /// state.
    ///
    /// # Errors
    ///
    /// The states that they lead to cannot be computed.
    fn actions(&mut self, state: &Self::State) -> Result<Vec<Action<Self::State>>, Self::Error>;

    /// Reward of reaching `state`.
    ///
    /// # Errors
    ///
    /// The reward cannot be computed.
    fn reward(&mut self, state: &Self::State) -> Result<f64, Self::Error>;
}

/// A possible step from one state to another.
#[derive(Clone, Debug, PartialEq)]
pub struct Action<S> {
    /// State that it leads to.
    pub state: S,
    /// Observation of that state.
    pub observation: StateObservation,
}

/// Input of the network for a state: a vector of zeros and ones, as the indices of the ones.
pub type StateObservation = Vec<u32>;
