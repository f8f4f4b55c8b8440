//! Counters of a forecast: slot time and age of candidates.

use std::collections::BTreeSet;

use serde::Serialize;

use super::times::Millis;
use crate::task::Record;

/// Time of the slots of a partition, slot milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlotTime {
    /// With a task that computes.
    pub busy: u64,
    /// Idle for lack of tasks.
    pub without_tasks: u64,
    /// Idle while tasks wait for nodes.
    pub without_nodes: u64,
}

/// Counters of a whole forecast.
#[derive(Debug, Default)]
pub struct Tally {
    /// Slot time of each partition.
    pub slots: Vec<SlotTime>,
    /// Number of tasks of each partition.
    pub tasks: Vec<u64>,
    /// Submission of the first and of the last candidate, with the slot time of the partition that
    /// evaluates.
    pub search: Option<(Moment, Moment)>,
    /// Ages of all submitted candidates.
    pub ages: Ages,
    /// Number of queued candidates.
    pub queued: u64,
    /// Number of superseded candidates.
    pub superseded: u64,
    /// Batches and ranks of candidates that are submitted and have not ended.
    in_flight: BTreeSet<(u32, u32)>,
    evaluated: u64,
    newest_batch: u32,
    /// Number of results that each batch learnt from.
    made_from: Vec<u64>,
    last: Millis,
}

/// Slot time of a partition until a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Time since the begin.
    pub at: Millis,
    /// Slot time until then.
    pub slots: SlotTime,
}

/// Ages of candidates at their submission, in order.
#[derive(Debug, Default)]
pub struct Ages {
    /// Number of newer batches.
    pub batches: Vec<u32>,
    /// Number of results since their model was fitted.
    pub results: Vec<u32>,
}

/// Statistics of a set of numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Spread {
    /// Arithmetic mean.
    pub mean: f64,
    /// Median, the upper one of an even number.
    pub median: u32,
    /// 95th percentile.
    pub ninety_fifth: u32,
    /// Maximum.
    pub most: u32,
}

impl Tally {
    /// Returns counters at time zero.
    pub fn new(partitions: usize) -> Self {
        Self {
            slots: vec![SlotTime::default(); partitions],
            tasks: vec![0; partitions],
            made_from: vec![0],
            ..Self::default()
        }
    }

    /// Advances time to `now`. `state` of each partition until then: slots, busy slots, and true if
    /// tasks wait for nodes.
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

    /// Counts the records of an event. `evaluating`: index of the partition that evaluates
    /// candidates.
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
    /// Returns the difference to `earlier`.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            busy: self.busy - earlier.busy,
            without_tasks: self.without_tasks - earlier.without_tasks,
            without_nodes: self.without_nodes - earlier.without_nodes,
        }
    }

    /// Returns the shares busy, without tasks, without nodes, 0 to 1; all zero if there is no time.
    pub fn shares(self) -> [f64; 3] {
        let all = (self.busy + self.without_tasks + self.without_nodes).max(1) as f64;
        [self.busy, self.without_tasks, self.without_nodes].map(|time| time as f64 / all)
    }
}

impl Spread {
    /// Returns the statistics of `numbers`; None if there are none.
    pub(super) fn of(mut numbers: Vec<u32>) -> Option<Self> {
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
