//! Queue of candidates: newest batch first, best rank first within it.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::task::Candidate;

/// Queue of bounded length between the generator loop and the consumer loop.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CandidateQueue {
    waiting: BTreeMap<(Reverse<u32>, u32), Candidate>,
    capacity: usize,
}

impl CandidateQueue {
    /// Returns an empty queue that holds `capacity` candidates at most.
    pub fn new(capacity: usize) -> Self {
        Self {
            waiting: BTreeMap::new(),
            capacity,
        }
    }

    /// Adds a batch; returns the candidates in excess of the capacity, the last in the queue first.
    pub fn push(&mut self, batch: Vec<Candidate>) -> Vec<Candidate> {
        self.waiting
            .extend(batch.into_iter().map(|c| ((Reverse(c.batch), c.rank), c)));
        let excess = self.waiting.len().saturating_sub(self.capacity);
        (0..excess)
            .filter_map(|_| self.waiting.pop_last().map(|(_, c)| c))
            .collect()
    }

    /// Removes and returns the best candidate of the newest batch.
    pub fn pop(&mut self) -> Option<Candidate> {
        self.waiting.pop_first().map(|(_, c)| c)
    }

    /// Returns the number of the newest batch in the queue.
    pub fn newest_batch(&self) -> Option<u32> {
        self.waiting.keys().next().map(|(Reverse(batch), _)| *batch)
    }

    /// Returns the number of candidates.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Returns true if it holds no candidate.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Iterates in the order in which `pop` returns the candidates.
    #[cfg(test)]
    fn iter(&self) -> impl Iterator<Item = &Candidate> {
        self.waiting.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn batch(number: u32, size: u32) -> Vec<Candidate> {
        (0..size)
            .map(|rank| Candidate {
                smiles: format!("{number}-{rank}"),
                batch: number,
                rank,
                predictions: BTreeMap::new(),
                generator: None,
                parents: Vec::new(),
            })
            .collect()
    }

    #[test]
    fn the_newest_batch_is_taken_first_and_the_oldest_worst_is_replaced_first() {
        let mut queue = CandidateQueue::new(3);
        assert!(queue.push(batch(1, 2)).is_empty());
        let replaced = queue.push(batch(2, 2));
        assert_eq!(
            replaced
                .iter()
                .map(|c| c.smiles.as_str())
                .collect::<Vec<_>>(),
            ["1-1"]
        );
        let taken: Vec<_> = std::iter::from_fn(|| queue.pop())
            .map(|c| c.smiles)
            .collect();
        assert_eq!(taken, ["2-0", "2-1", "1-0"]);
    }

    proptest! {
        #[test]
        fn what_is_taken_is_never_worse_than_what_waits(
            sizes in prop::collection::vec((1u32..5, 0usize..4), 1..20),
            capacity in 1usize..8,
        ) {
            let mut queue = CandidateQueue::new(capacity);
            let (mut pushed, mut gone) = (0, 0);
            for (number, (size, takes)) in (1..).zip(sizes) {
                pushed += size as usize;
                gone += queue.push(batch(number, size)).len();
                prop_assert!(queue.len() <= capacity);
                for _ in 0..takes {
                    let Some(taken) = queue.pop() else { break };
                    gone += 1;
                    for other in queue.iter() {
                        prop_assert!((Reverse(taken.batch), taken.rank) < (Reverse(other.batch), other.rank));
                    }
                }
                prop_assert_eq!(pushed, gone + queue.len());
            }
        }
    }
}
