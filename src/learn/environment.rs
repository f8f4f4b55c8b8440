//! What an agent acts in: states, the actions that lead from one to the next, and their rewards.

/// A world of states, explored in episodes.
pub trait Environment {
    type State;
    type Error;

    /// Begins an episode and returns its first state.
    fn start(&mut self) -> Result<Self::State, Self::Error>;

    /// All actions possible in `state`, in an order that depends on `state` alone; none where there is no way on.
    fn actions(&mut self, state: &Self::State) -> Result<Vec<Action<Self::State>>, Self::Error>;

    /// What reaching `state` is worth.
    fn reward(&mut self, state: &Self::State) -> Result<f64, Self::Error>;
}

/// A step that may be taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Action<S> {
    /// Where it leads.
    pub state: S,
    /// That state as the agent sees it.
    pub observation: Observation,
}

/// The positions of the ones in a vector of zeros and ones.
pub type Observation = Vec<u32>;
