//! Replay memory: the latest transitions of an agent, from which it learns in random order.

use std::collections::VecDeque;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::environment::StateObservation;

/// Latest transitions, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Replay {
    transitions: VecDeque<Transition>,
}

/// A step that was taken, and the possible next states.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transition {
    /// The reached state.
    pub observation: StateObservation,
    /// Reward of reaching it.
    pub reward: f64,
    /// States that can be reached from there; empty for a terminal state.
    pub next: Vec<StateObservation>,
    /// Largest value of `next` by the current target network; None until it is needed. It is saved
    /// with the agent: computed again in a batch of another size, its last bit may differ.
    pub bootstrap: Option<f32>,
}

impl Replay {
    /// Adds a transition and drops the oldest ones beyond `capacity`.
    pub fn push(&mut self, transition: Transition, capacity: usize) {
        self.transitions.push_back(transition);
        while self.transitions.len() > capacity {
            self.transitions.pop_front();
        }
    }

    /// Number of transitions.
    pub fn len(&self) -> usize {
        self.transitions.len()
    }

    /// Positions of `count` transitions, drawn uniformly with replacement; empty if the memory is.
    pub fn sample(&self, count: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
        let len = self.len();
        let draws = if len == 0 { 0 } else { count };
        (0..draws).map(|_| rng.random_range(0..len)).collect()
    }

    /// Transition at a position returned by `sample`.
    pub fn get(&self, position: usize) -> &Transition {
        &self.transitions[position]
    }

    pub fn get_mut(&mut self, position: usize) -> &mut Transition {
        &mut self.transitions[position]
    }

    /// Drops all bootstrap values, as the target network has changed.
    pub fn forget_bootstraps(&mut self) {
        for transition in &mut self.transitions {
            transition.bootstrap = None;
        }
    }
}
