//! The one function that moves a task from state to state.

use super::{Attempt, Failure, FailureKind, Retries, TaskId};

/// State of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskState {
    /// An attempt is journalled: it runs, is about to, or waits for a slot.
    Submitted {
        /// The attempt.
        attempt: Attempt,
        /// Failures of the attempts before.
        failed: Vec<FailureKind>,
    },
    /// No further attempt is made.
    Ended(EndState),
}

/// State in which a task ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndState {
    /// An attempt succeeded.
    Succeeded,
    /// Failed for good.
    Failed(Failure),
    /// It was cancelled because its result is not needed any more.
    Cancelled,
}

/// The end of an attempt that is not under way.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("attempt {attempt} of task {task} ended, but it is not under way")]
pub struct IllegalEvent {
    /// Task of the attempt.
    pub task: TaskId,
    /// The attempt that ended.
    pub attempt: Attempt,
}

impl EndState {
    /// Returns the word used in the database.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed(_) => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Returns the last failure of a task that failed for good.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed(failure) => Some(failure),
            Self::Succeeded | Self::Cancelled => None,
        }
    }
}

impl TaskState {
    /// Returns the state of a new task: its first attempt is submitted.
    pub fn first() -> Self {
        Self::Submitted {
            attempt: 1,
            failed: Vec::new(),
        }
    }

    /// Returns the state after the end of an attempt, which succeeded where there is no failure;
    /// none if that attempt is not under way.
    pub fn after(
        &self,
        ended: Attempt,
        failure: Option<&Failure>,
        retries: &Retries,
    ) -> Option<Self> {
        let Self::Submitted { attempt, failed } = self else {
            return None;
        };
        if ended != *attempt {
            return None;
        }
        let Some(failure) = failure else {
            return Some(Self::Ended(EndState::Succeeded));
        };
        let mut failed = failed.clone();
        failed.push(failure.kind);
        Some(match retries.allow(&failed) {
            true => Self::Submitted {
                attempt: attempt + 1,
                failed,
            },
            false => Self::Ended(EndState::Failed(failure.clone())),
        })
    }

    /// Returns true if the task has ended.
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::Submitted { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn failure(kind: FailureKind) -> Failure {
        Failure {
            kind,
            message: String::new(),
        }
    }

    fn failed(
        state: &TaskState,
        attempt: Attempt,
        kind: FailureKind,
        retries: u32,
    ) -> Option<TaskState> {
        state.after(attempt, Some(&failure(kind)), &Retries::of(retries))
    }

    fn failed_for_good(kind: FailureKind) -> TaskState {
        TaskState::Ended(EndState::Failed(failure(kind)))
    }

    #[test]
    fn an_attempt_lost_by_the_machine_is_not_counted_against_the_retries() {
        let state = failed(&TaskState::first(), 1, FailureKind::Lost, 0).unwrap();
        assert_eq!(
            state,
            TaskState::Submitted {
                attempt: 2,
                failed: vec![FailureKind::Lost]
            }
        );
        assert_eq!(
            failed(&state, 2, FailureKind::Exit, 0).unwrap(),
            failed_for_good(FailureKind::Exit)
        );
    }

    #[test]
    fn what_cannot_pass_next_time_is_not_tried_again() {
        let state = failed(&TaskState::first(), 1, FailureKind::NotConverged, 9).unwrap();
        assert_eq!(state, failed_for_good(FailureKind::NotConverged));
    }

    #[test]
    fn an_earlier_attempt_says_nothing_about_the_present_one() {
        let second = TaskState::Submitted {
            attempt: 2,
            failed: vec![FailureKind::Exit],
        };
        assert!(second.after(1, None, &Retries::default()).is_none());
        assert!(failed(&second, 1, FailureKind::Exit, 9).is_none());
    }

    fn kinds() -> impl Strategy<Value = FailureKind> {
        prop::sample::select(vec![
            FailureKind::Exit,
            FailureKind::Timeout,
            FailureKind::Lost,
            FailureKind::NodeLost,
            FailureKind::Unreadable,
        ])
    }

    proptest! {
        #[test]
        fn every_task_ends_after_a_bounded_number_of_attempts(failures in prop::collection::vec(kinds(), 64), retries in 0u32..5) {
            let mut state = TaskState::first();
            let mut attempts = 0;
            for kind in failures {
                let TaskState::Submitted { attempt, .. } = state else { break };
                prop_assert_eq!(attempt, attempts + 1);
                attempts = attempt;
                state = failed(&state, attempt, kind, retries).unwrap();
            }
            prop_assert!(state.is_final());
            prop_assert!(attempts <= 20 + retries + 1);
        }

        #[test]
        fn a_final_state_meets_no_event(kind in kinds(), attempt in 1u32..4) {
            for end in [EndState::Succeeded, EndState::Failed(failure(kind)), EndState::Cancelled] {
                let state = TaskState::Ended(end);
                prop_assert!(state.after(attempt, None, &Retries::default()).is_none());
                prop_assert!(failed(&state, attempt, kind, 3).is_none());
            }
        }
    }
}
