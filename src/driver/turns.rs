//! What is begun in a batch job whose time is limited: as much as there is room for, and nothing that may not end in time.
//! What is held back is begun by the engine of the next job. Time is an argument.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::task::{Attempt, TaskId};

/// The share of its time that a job keeps for the end, and its bounds.
const KEPT: (u32, Duration, Duration) = (20, Duration::from_secs(5), Duration::from_secs(120));

/// The time of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobTime(pub Duration);

impl JobTime {
    fn kept(self) -> Duration {
        let (share, least, most) = KEPT;
        (self.0 / share).clamp(least, most)
    }

    /// Whether a task that may take `expected` may begin at `at`, the time since the job began. One that may take longer
    /// than any job needs one that has hardly begun.
    pub fn allows(self, at: Duration, expected: Duration) -> bool {
        let usable = self.0.saturating_sub(self.kept());
        at + expected.min(usable * 9 / 10) <= usable
    }

    /// When what still runs is given up, so that there is time to write that down.
    pub fn last_moment(self) -> Duration {
        self.0.saturating_sub(self.kept() / 2)
    }
}

/// The attempts that wait for their turn, and those that have begun, by partition.
#[derive(Clone, Debug, Default)]
pub struct Turns {
    waiting: BTreeMap<String, VecDeque<(TaskId, Attempt)>>,
    begun: BTreeMap<TaskId, Begun>,
}

/// An attempt that an executor has.
#[derive(Clone, Debug)]
pub struct Begun {
    pub attempt: Attempt,
    pub partition: String,
    /// When its process started, milliseconds since the Unix epoch.
    pub started: Option<i64>,
}

impl Turns {
    pub fn wait(&mut self, partition: &str, task: TaskId, attempt: Attempt) {
        let waiting = self.waiting.entry(partition.to_owned()).or_default();
        waiting.push_back((task, attempt));
    }

    /// An attempt that runs already.
    pub fn adopt(&mut self, partition: &str, task: TaskId, attempt: Attempt) {
        let begun = Begun {
            attempt,
            partition: partition.to_owned(),
            started: None,
        };
        self.begun.insert(task, begun);
    }

    /// Its process has started.
    pub fn started(&mut self, task: TaskId, at: i64) {
        if let Some(begun) = self.begun.get_mut(&task) {
            begun.started = Some(at);
        }
    }

    /// The attempts whose turn it is, in a partition of this many slots: those that may end in time.
    pub fn begin(
        &mut self,
        partition: &str,
        slots: usize,
        may_end: impl Fn(TaskId) -> bool,
    ) -> Vec<(TaskId, Attempt)> {
        let used = self.begun.values().filter(|b| b.partition == partition);
        let mut room = slots.saturating_sub(used.count());
        let mut begun = Vec::new();
        if let Some(waiting) = self.waiting.get_mut(partition) {
            waiting.retain(|(task, attempt)| {
                let now = room > 0 && may_end(*task);
                if now {
                    room -= 1;
                    begun.push((*task, *attempt));
                }
                !now
            });
        }
        for (task, attempt) in &begun {
            self.adopt(partition, *task, *attempt);
        }
        begun
    }

    /// The task has ended, or is of no use any more.
    pub fn end(&mut self, task: TaskId) {
        self.begun.remove(&task);
        for waiting in self.waiting.values_mut() {
            waiting.retain(|(waits, _)| *waits != task);
        }
    }

    /// The attempts that have begun and not ended.
    pub fn begun(&self) -> &BTreeMap<TaskId, Begun> {
        &self.begun
    }

    pub fn is_waiting(&self) -> bool {
        self.waiting.values().any(|waiting| !waiting.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: JobTime = JobTime(Duration::from_secs(3600));

    #[test]
    fn a_task_begins_only_where_it_may_end_before_the_job() {
        let minutes = |n: u64| Duration::from_secs(60 * n);
        assert!(HOUR.allows(minutes(27), minutes(30)));
        assert!(!HOUR.allows(minutes(29), minutes(30)));
        // None is too long for every job.
        assert!(HOUR.allows(minutes(5), minutes(600)));
        assert!(!HOUR.allows(minutes(6), minutes(600)));
    }

    proptest! {
        #[test]
        fn every_attempt_has_its_turn_once_and_in_order_and_none_without_room(
            slots in 1..4usize,
            steps in proptest::collection::vec((0..3u8, any::<bool>()), 0..60),
        ) {
            let mut turns = Turns::default();
            let (mut next, mut last) = (0, None);
            for (kind, short) in steps {
                match kind {
                    0 | 1 => {
                        next += 1;
                        turns.wait("qc", TaskId(next), 1);
                    }
                    _ => {
                        let first = turns.begun().keys().next().copied();
                        first.into_iter().for_each(|task| turns.end(task));
                    }
                }
                let begun = turns.begin("qc", slots, |_| short);
                prop_assert!(short || begun.is_empty());
                for begun in begun {
                    prop_assert!(Some(begun) > last, "{:?} after {:?}", begun, last);
                    last = Some(begun);
                }
                prop_assert!(turns.begun().len() <= slots);
                prop_assert!(!short || !turns.is_waiting() || turns.begun().len() == slots);
            }
        }

        #[test]
        fn what_is_begun_as_expected_ends_before_the_last_moment(
            walltime in 20..100_000u64, at in 0..100_000u64, expected in 0..100_000u64,
        ) {
            let time = JobTime(Duration::from_secs(walltime));
            let (at, expected) = (Duration::from_secs(at), Duration::from_secs(expected));
            if time.allows(at, expected) && expected < time.0 / 2 {
                prop_assert!(at + expected < time.last_moment());
            }
        }
    }
}
