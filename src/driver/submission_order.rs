//! Order of submission in a batch job of limited time: as many attempts as there are slots, and
//! none that may not end in time. The engine of the next job submits the others. Time is an
//! argument.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::task::{Attempt, TaskId};

/// Divisor of the time of a job that gives the time reserved for its end.
const RESERVED_SHARE: u32 = 20;
/// Least and greatest time that a job reserves for its end.
const LEAST_RESERVED: Duration = Duration::from_secs(5);
const MOST_RESERVED: Duration = Duration::from_secs(120);

/// Length of a batch job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobTime(pub Duration);

impl JobTime {
    /// Time that is reserved for the end of the job.
    fn reserved(self) -> Duration {
        (self.0 / RESERVED_SHARE).clamp(LEAST_RESERVED, MOST_RESERVED)
    }

    /// Returns true if a task that is expected to take `expected` may begin at `at`, the time since
    /// the job began. A task that is too long for any job may begin in its first tenth.
    pub fn allows(self, at: Duration, expected: Duration) -> bool {
        let usable = self.0.saturating_sub(self.reserved());
        at + expected.min(usable * 9 / 10) <= usable
    }

    /// Returns the time since the job began at which running attempts are given up, early enough to
    /// journal that.
    pub fn last_moment(self) -> Duration {
        self.0.saturating_sub(self.reserved() / 2)
    }
}

/// Attempts that wait to be submitted, by partition, and submitted ones.
#[derive(Clone, Debug, Default)]
pub struct SubmissionOrder {
    waiting: BTreeMap<String, VecDeque<(TaskId, Attempt)>>,
    submitted: BTreeMap<TaskId, SubmittedAttempt>,
}

/// An attempt that an executor has, running or waiting for a slot.
#[derive(Clone, Debug)]
pub struct SubmittedAttempt {
    /// Number of the attempt, from 1.
    pub attempt: Attempt,
    /// Name of its partition.
    pub partition: String,
    /// Start of its process, milliseconds since the Unix epoch; None while it waits, and as long
    /// as this engine has not seen it run.
    pub started: Option<i64>,
    /// Start that an earlier engine saw.
    seen_before: Option<i64>,
}

impl SubmissionOrder {
    /// Adds an attempt to those that wait.
    pub fn wait(&mut self, partition: &str, task: TaskId, attempt: Attempt) {
        let waiting = self.waiting.entry(partition.to_owned()).or_default();
        waiting.push_back((task, attempt));
    }

    /// Adds an attempt that an executor has. `seen_before`: its start, if an earlier engine saw it.
    pub fn adopt(
        &mut self,
        partition: &str,
        task: TaskId,
        attempt: Attempt,
        seen_before: Option<i64>,
    ) {
        let submitted = SubmittedAttempt {
            attempt,
            partition: partition.to_owned(),
            started: None,
            seen_before,
        };
        self.submitted.insert(task, submitted);
    }

    /// Records that the process of a task was seen to run at `at`, milliseconds since the Unix
    /// epoch. It started then, unless an earlier engine saw it before.
    pub fn started(&mut self, task: TaskId, at: i64) {
        if let Some(submitted) = self.submitted.get_mut(&task) {
            submitted.started = submitted.seen_before.or(Some(at));
        }
    }

    /// Returns the attempts to submit now to a partition with `slots` slots, in order: those that
    /// `may_end` in time. They count as submitted.
    pub fn submit(
        &mut self,
        partition: &str,
        slots: usize,
        may_end: impl Fn(TaskId) -> bool,
    ) -> Vec<(TaskId, Attempt)> {
        let used = self.submitted.values().filter(|b| b.partition == partition);
        let mut room = slots.saturating_sub(used.count());
        let mut submitted = Vec::new();
        if let Some(waiting) = self.waiting.get_mut(partition) {
            waiting.retain(|(task, attempt)| {
                let now = room > 0 && may_end(*task);
                if now {
                    room -= 1;
                    submitted.push((*task, *attempt));
                }
                !now
            });
        }
        for (task, attempt) in &submitted {
            self.adopt(partition, *task, *attempt, None);
        }
        submitted
    }

    /// Removes a task that has ended or was cancelled.
    pub fn end(&mut self, task: TaskId) {
        self.submitted.remove(&task);
        for waiting in self.waiting.values_mut() {
            waiting.retain(|(waits, _)| *waits != task);
        }
    }

    /// Returns the attempts that were submitted and have not ended.
    pub fn submitted(&self) -> &BTreeMap<TaskId, SubmittedAttempt> {
        &self.submitted
    }

    /// Returns true if any attempt waits.
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
        fn every_attempt_is_submitted_once_and_in_order_and_none_without_room(
            slots in 1..4usize,
            steps in proptest::collection::vec((0..3u8, any::<bool>()), 0..60),
        ) {
            let mut order = SubmissionOrder::default();
            let (mut next, mut last) = (0, None);
            for (kind, short) in steps {
                match kind {
                    0 | 1 => {
                        next += 1;
                        order.wait("qc", TaskId(next), 1);
                    }
                    _ => {
                        let first = order.submitted().keys().next().copied();
                        first.into_iter().for_each(|task| order.end(task));
                    }
                }
                let submitted = order.submit("qc", slots, |_| short);
                prop_assert!(short || submitted.is_empty());
                for submitted in submitted {
                    prop_assert!(Some(submitted) > last, "{:?} after {:?}", submitted, last);
                    last = Some(submitted);
                }
                prop_assert!(order.submitted().len() <= slots);
                prop_assert!(!short || !order.is_waiting() || order.submitted().len() == slots);
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
