//! Counters of a forecast: slot time, and the age of evaluated candidates.

use std::collections::BTreeSet;

use serde::Serialize;

use super::times::Millis;
use crate::task::Record;

/// Milliseconds of the slots of a partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlotTime {
    pub busy: u64,
    /// Idle, with nothing to do.
    pub without_tasks: u64,
    /// Idle, with tasks that wait for nodes.
    pub without_nodes: u64,
}

/// Idle time and age of candidates, of a whole forecast.
#[derive(Debug, Default)]
pub struct Tally {
    /// Slot times of each partition.
    pub slots: Vec<SlotTime>,
    /// Tasks of each partition.
    pub tasks: Vec<u64>,
    /// Times at which the first and the last candidate were submitted, and the slot time until then
    /// of the partition that evaluates.
    pub search: Option<(Moment, Moment)>,
    pub ages: Ages,
    pub queued: u64,
    pub superseded: u64,
    /// Candidates handed over and not ended: each has a task, or two.
    in_flight: BTreeSet<(u32, u32)>,
    evaluated: u64,
    newest_batch: u32,
    /// Number of results that each batch was based on.
    made_from: Vec<u64>,
    last: Millis,
}

/// Slot time until a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    pub at: Millis,
    pub slots: SlotTime,
}

/// Age of candidates when they were submitted: in batches that were newer, and in results
/// that came since their model was fitted.
#[derive(Debug, Default)]
pub struct Ages {
    pub batches: Vec<u32>,
    pub results: Vec<u32>,
}

/// Statistics of a set of numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Spread {
    pub mean: f64,
    pub median: u32,
    pub ninety_fifth: u32,
    pub most: u32,
}

impl Tally {
    pub fn new(partitions: usize) -> Self {
        Self {
            slots: vec![SlotTime::default(); partitions],
            tasks: vec![0; partitions],
            made_from: vec![0],
            ..Self::default()
        }
    }

    /// Advances time to `now`; `state`: slots, busy slots and waiting for nodes of each partition.
    pub fn pass(&mut self, now: Millis, state: impl Iterator<Item = (usize, usize, bool)>) {
        let time = now - self.last;
        self.last = now;
        for (total, (slots, busy, wants_nodes)) in self.slots.iter_mut().zip(state) {
            let idle = (slots - busy) as u64 * time;
            total.busy += busy as u64 * time;
            if wants_nodes {
                total.without_nodes += idle;
            } else {
                total.without_tasks += idle;
            }
        }
    }

    /// Counts what an event changed; `evaluating`: the partition that computes candidates.
    pub fn count(&mut self, records: &[Record], evaluating: usize) {
        for record in records {
            match record {
                Record::BatchStarted { observations, .. } => {
                    self.made_from.push(*observations as u64)
                }
                Record::BatchFinished {
                    batch,
                    new_candidates,
                } if *new_candidates > 0 => self.newest_batch = *batch,
                Record::Evaluated { batch, rank, .. } => {
                    self.evaluated += 1;
                    self.in_flight.remove(&(*batch, *rank));
                }
                Record::EvaluationFailed { batch, rank, .. } => {
                    self.in_flight.remove(&(*batch, *rank));
                }
                Record::Queued(candidate) if candidate.batch > 0 => self.queued += 1,
                Record::Superseded { .. } => self.superseded += 1,
                Record::Evaluating { batch, rank, .. }
                    if *batch > 0 && self.in_flight.insert((*batch, *rank)) =>
                {
                    self.ages.batches.push(self.newest_batch - batch);
                    let since = self.evaluated - self.made_from[*batch as usize];
                    self.ages.results.push(since as u32);
                    let now = Moment {
                        at: self.last,
                        slots: self.slots[evaluating],
                    };
                    let first = self.search.map_or(now, |(first, _)| first);
                    self.search = Some((first, now));
                }
                _ => {}
            }
        }
    }
}

impl SlotTime {
    /// Difference to `earlier`.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            busy: self.busy - earlier.busy,
            without_tasks: self.without_tasks - earlier.without_tasks,
            without_nodes: self.without_nodes - earlier.without_nodes,
        }
    }

    /// Shares of it: busy, idle without tasks, idle without nodes; all zero of no time.
    pub fn shares(self) -> [f64; 3] {
        let all = (self.busy + self.without_tasks + self.without_nodes).max(1) as f64;
        [self.busy, self.without_tasks, self.without_nodes].map(|time| time as f64 / all)
    }
}

impl Spread {
    /// None of nothing.
    pub fn of(mut numbers: Vec<u32>) -> Option<Self> {
        numbers.sort_unstable();
        let sum: u64 = numbers.iter().map(|number| u64::from(*number)).sum();
        Some(Self {
            mean: sum as f64 / numbers.len() as f64,
            median: numbers.get(numbers.len() / 2).copied()?,
            ninety_fifth: numbers.get(numbers.len() * 95 / 100).copied()?,
            most: numbers.last().copied()?,
        })
    }
}
