//! The replay memory: the latest transitions of an agent, from which it learns in random order.

use std::collections::VecDeque;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::environment::StateObservation;

/// The latest transitions, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Replay {
    transitions: VecDeque<Transition>,
}

/// A step that was taken, and what could be done after it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transition {
    /// The state reached.
    pub observation: StateObservation,
    pub reward: f64,
    /// The states that could be reached from there; none if there was no way on.
    pub next: Vec<StateObservation>,
    /// The largest value of `next` by the target network as it is now, where it has been asked. It
    /// is kept, and saved, because a value computed in another company of rows may differ in its
    /// last bit.
    pub bootstrap: Option<f32>,
}

impl Replay {
    /// Remembers a transition and forgets the oldest beyond `capacity`.
    pub fn push(&mut self, transition: Transition, capacity: usize) {
        self.transitions.push_back(transition);
        while self.transitions.len() > capacity {
            self.transitions.pop_front();
        }
    }

    pub fn len(&self) -> usize {
        self.transitions.len()
    }

    pub fn is_empty(&self) -> bool {
        self.transitions.is_empty()
    }

    /// Positions of `count` transitions drawn uniformly with replacement; none from an empty
    /// memory.
    pub fn sample(&self, count: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
        let len = self.len();
        let draws = if len == 0 { 0 } else { count };
        (0..draws).map(|_| rng.random_range(0..len)).collect()
    }

    /// The transition at a position that `sample` gave.
    pub fn get(&self, position: usize) -> &Transition {
        &self.transitions[position]
    }

    pub fn get_mut(&mut self, position: usize) -> &mut Transition {
        &mut self.transitions[position]
    }

    /// Forgets what the target network said: it is another one now.
    pub fn forget_bootstraps(&mut self) {
        for transition in &mut self.transitions {
            transition.bootstrap = None;
        }
    }
}
