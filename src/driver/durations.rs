//! Durations of tasks, recorded by method: no task begins that may not end in time.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::task::{FailureKind, Limits, Outcome};

/// Successes of a method from which its longest says something of the next.
const ENOUGH: u32 = 10;

/// Durations of the tasks of each method.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskDurations(BTreeMap<String, MethodDurations>);

/// Durations of the tasks of one stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct MethodDurations {
    successes: u32,
    /// Longest duration of an attempt that succeeded or ended at its walltime.
    longest: Duration,
}

impl TaskDurations {
    /// Records the end of an attempt at a task of `method` after `took`.
    pub fn add(&mut self, method: &str, took: Duration, outcome: &Outcome) {
        let succeeded = match outcome {
            Outcome::Failed(failure) if failure.kind == FailureKind::Walltime => false,
            Outcome::Failed(_) => return,
            Outcome::Simulated { .. }
            | Outcome::Trained { .. }
            | Outcome::Generated { .. }
            | Outcome::Screened { .. } => true,
        };
        let durations = self.0.entry(method.to_owned()).or_default();
        durations.successes += u32::from(succeeded);
        durations.longest = durations.longest.max(took);
    }

    /// Returns the limits of a task of `method`: it is expected to take its timeout, or twice the
    /// longest time so far.
    pub fn limits(&self, method: &str, limits: Limits) -> Limits {
        let expected = match self.0.get(method) {
            Some(d) if d.successes >= ENOUGH => limits.timeout.min(2 * d.longest),
            _ => limits.timeout,
        };
        Limits { expected, ..limits }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Failure;
    use proptest::prelude::*;

    const TIMEOUT: Duration = Duration::from_secs(1000);

    fn success() -> Outcome {
        Outcome::Screened { ranked: vec![] }
    }

    fn failure(kind: FailureKind) -> Outcome {
        let message = String::new();
        Outcome::Failed(Failure { kind, message })
    }

    fn after(seconds: &[u64]) -> TaskDurations {
        let mut durations = TaskDurations::default();
        for seconds in seconds {
            durations.add("evaluate", Duration::from_secs(*seconds), &success());
        }
        durations
    }

    #[test]
    fn a_loss_to_the_walltime_makes_a_task_longer_and_other_failures_do_not() {
        let mut durations = after(&[20; 10]);
        let limits =
            |durations: &TaskDurations, stage| durations.limits(stage, Limits::new(TIMEOUT));
        let expected = |durations: &TaskDurations| limits(durations, "evaluate").expected.as_secs();
        assert_eq!(expected(&durations), 40);
        durations.add(
            "evaluate",
            Duration::from_secs(900),
            &failure(FailureKind::Exit),
        );
        assert_eq!(expected(&durations), 40);
        durations.add(
            "evaluate",
            Duration::from_secs(50),
            &failure(FailureKind::Walltime),
        );
        assert_eq!(expected(&durations), 100);
        assert_eq!(limits(&durations, "train").expected, TIMEOUT);
    }

    proptest! {
        #[test]
        fn a_task_is_expected_to_take_its_timeout_until_ten_took_less(
            took in proptest::collection::vec(0..1000u64, 0..30),
        ) {
            let expected = after(&took).limits("evaluate", Limits::new(TIMEOUT)).expected;
            let longest = took.iter().max().copied().unwrap_or_default();
            let known = took.len() >= ENOUGH as usize;
            let twice = TIMEOUT.min(Duration::from_secs(2 * longest));
            prop_assert_eq!(expected, if known { twice } else { TIMEOUT });
        }
    }
}
