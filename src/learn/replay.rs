//! Replay memory: the latest transitions of an agent, from which it learns in random order.
//!
//! States recur: in the choices of consecutive steps and from episode to episode. So the memory
//! holds each observation once, with its value by the target network, and transitions hold numbers.

use std::collections::{HashMap, VecDeque};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::environment::StateObservation;

/// Latest transitions, oldest first, and the observations in them.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    transitions: VecDeque<Transition>,
    observations: Vec<Observed>,
    numbers: HashMap<StateObservation, u32>,
    /// Numbers of observations that are not in use.
    free: Vec<u32>,
}

/// A step that was taken, and the possible next states, as numbers of observations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transition {
    /// The reached state.
    pub observation: u32,
    /// Reward of reaching it.
    pub reward: f64,
    /// States that can be reached from there; empty for a terminal state.
    pub next: Vec<u32>,
}

#[derive(Clone, Debug)]
struct Observed {
    observation: StateObservation,
    /// Its value by the current target network; None until it is needed.
    value: Option<f32>,
    /// Number of places in the transitions where it is.
    uses: usize,
}

/// Content of a memory; observations are numbered as they first occur in the transitions. Values
/// are kept: computed again in a batch of another size, their last bit may differ.
#[derive(Serialize, Deserialize)]
pub struct SavedReplay {
    observations: Vec<(StateObservation, Option<f32>)>,
    transitions: Vec<Transition>,
}

impl Replay {
    /// Adds a transition and drops the oldest ones beyond `capacity`.
    pub fn push<'a>(
        &mut self,
        observation: &StateObservation,
        reward: f64,
        next: impl IntoIterator<Item = &'a StateObservation>,
        capacity: usize,
    ) {
        let transition = Transition {
            observation: self.number(observation),
            reward,
            next: next.into_iter().map(|next| self.number(next)).collect(),
        };
        self.transitions.push_back(transition);
        while self.transitions.len() > capacity
            && let Some(oldest) = self.transitions.pop_front()
        {
            oldest.numbers().for_each(|number| self.release(number));
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

    /// Observation with this number.
    pub fn observation(&self, number: u32) -> &StateObservation {
        &self.observations[number as usize].observation
    }

    /// Distinct next states of these transitions whose values are not known, as they occur.
    pub fn without_value(&self, positions: &[usize]) -> Vec<u32> {
        let mut is_listed = vec![false; self.observations.len()];
        let next = positions.iter().flat_map(|&at| &self.get(at).next);
        let unknown = next.filter(|&&number| {
            let is_new = !std::mem::replace(&mut is_listed[number as usize], true);
            is_new && self.observations[number as usize].value.is_none()
        });
        unknown.copied().collect()
    }

    /// Sets the value of a state by the target network.
    pub fn set_value(&mut self, number: u32, value: f32) {
        self.observations[number as usize].value = Some(value);
    }

    /// Largest known value of a next state; None if there are none.
    pub fn best_next(&self, transition: &Transition) -> Option<f32> {
        let next = transition.next.iter();
        let values = next.filter_map(|&number| self.observations[number as usize].value);
        values.reduce(f32::max)
    }

    /// Drops all values, as the target network has changed.
    pub fn forget_values(&mut self) {
        for observed in &mut self.observations {
            observed.value = None;
        }
    }

    /// Number of an observation, which has one use more.
    fn number(&mut self, observation: &StateObservation) -> u32 {
        if let Some(&number) = self.numbers.get(observation) {
            self.observations[number as usize].uses += 1;
            return number;
        }
        let observed = Observed {
            observation: observation.clone(),
            value: None,
            uses: 1,
        };
        let number = match self.free.pop() {
            Some(number) => {
                self.observations[number as usize] = observed;
                number
            }
            None => {
                self.observations.push(observed);
                self.observations.len() as u32 - 1
            }
        };
        self.numbers.insert(observation.clone(), number);
        number
    }

    fn release(&mut self, number: u32) {
        let observed = &mut self.observations[number as usize];
        observed.uses -= 1;
        if observed.uses == 0 {
            self.numbers.remove(&observed.observation);
            self.free.push(number);
        }
    }

    /// Content of the memory.
    pub fn to_saved(&self) -> SavedReplay {
        let mut observations = Vec::new();
        let mut renumbered = vec![None; self.observations.len()];
        let mut renumber = |number: u32| {
            *renumbered[number as usize].get_or_insert_with(|| {
                let Observed {
                    observation, value, ..
                } = &self.observations[number as usize];
                observations.push((observation.clone(), *value));
                observations.len() as u32 - 1
            })
        };
        let transitions = self.transitions.iter().map(|transition| Transition {
            observation: renumber(transition.observation),
            reward: transition.reward,
            next: transition
                .next
                .iter()
                .map(|&number| renumber(number))
                .collect(),
        });
        SavedReplay {
            transitions: transitions.collect(),
            observations,
        }
    }

    /// Restores a memory; None if a number has no observation, or an index of an observation is not
    /// below `inputs`.
    pub fn from_saved(saved: SavedReplay, inputs: usize) -> Option<Self> {
        let SavedReplay {
            observations,
            transitions,
        } = saved;
        let lies_within = |index: &u32| (*index as usize) < inputs;
        if !observations
            .iter()
            .all(|(ones, _)| ones.iter().all(lies_within))
        {
            return None;
        }
        let mut replay = Self::default();
        for (number, (observation, value)) in (0..).zip(observations) {
            replay.numbers.insert(observation.clone(), number);
            replay.observations.push(Observed {
                observation,
                value,
                uses: 0,
            });
        }
        for number in transitions.iter().flat_map(Transition::numbers) {
            replay.observations.get_mut(number as usize)?.uses += 1;
        }
        replay.transitions = transitions.into();
        Some(replay)
    }
}

impl Transition {
    fn numbers(&self) -> impl Iterator<Item = u32> {
        [self.observation]
            .into_iter()
            .chain(self.next.iter().copied())
    }
}
