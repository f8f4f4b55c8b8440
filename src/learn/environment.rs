//! Environment of an agent: states, actions that lead from one to the next, and rewards.

/// A world of states, explored in episodes.
pub trait AgentEnvironment {
    type State;
    type Error;

    /// Begins an episode and returns its first state.
    fn start(&mut self) -> Result<Self::State, Self::Error>;

    /// All actions possible in `state`, in an order that depends on `state` alone; empty if there
    /// are none.
    fn actions(&mut self, state: &Self::State) -> Result<Vec<Action<Self::State>>, Self::Error>;

    /// Reward of reaching `state`.
    fn reward(&mut self, state: &Self::State) -> Result<f64, Self::Error>;
}

/// A step that may be taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Action<S> {
    /// State that the action leads to.
    pub state: S,
    /// That state as the agent sees it.
    pub observation: StateObservation,
}

/// The positions of the ones in a vector of zeros and ones.
pub type StateObservation = Vec<u32>;
