//! The one function that moves a task from state to state.

use super::{Attempt, FailureKind, Retries};

/// Where a task stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskState {
    /// An attempt is journalled: it runs, is about to, or waits for a slot.
    Submitted {
        attempt: Attempt,
        /// How the attempts before failed.
        failed: Vec<FailureKind>,
    },
    Succeeded,
    /// Failed for good.
    Failed(FailureKind),
    Cancelled,
}

/// What can happen to a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskEvent {
    Succeeded {
        attempt: Attempt,
    },
    Failed {
        attempt: Attempt,
        kind: FailureKind,
        retries: Retries,
    },
    Cancelled,
}

/// An event that no task in this state can meet.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a task that is {state:?} cannot meet {event:?}")]
pub struct IllegalEvent {
    pub state: TaskState,
    pub event: TaskEvent,
}

impl TaskState {
    /// A new task: its first attempt.
    pub fn first() -> Self {
        Self::Submitted {
            attempt: 1,
            failed: Vec::new(),
        }
    }

    /// The state after `event`.
    pub fn next(&self, event: &TaskEvent) -> Result<Self, IllegalEvent> {
        match (self, event) {
            (Self::Submitted { attempt, .. }, TaskEvent::Succeeded { attempt: of })
                if of == attempt =>
            {
                Ok(Self::Succeeded)
            }
            (
                Self::Submitted { attempt, failed },
                TaskEvent::Failed {
                    attempt: of,
                    kind,
                    retries,
                },
            ) if of == attempt => {
                let mut failed = failed.clone();
                failed.push(*kind);
                Ok(if retries.allow(&failed) {
                    Self::Submitted {
                        attempt: attempt + 1,
                        failed,
                    }
                } else {
                    Self::Failed(*kind)
                })
            }
            (Self::Submitted { .. }, TaskEvent::Cancelled) => Ok(Self::Cancelled),
            (Self::Submitted { .. } | Self::Succeeded | Self::Failed(_) | Self::Cancelled, _) => {
                Err(IllegalEvent {
                    state: self.clone(),
                    event: event.clone(),
                })
            }
        }
    }

    /// Whether nothing more can happen to it.
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::Submitted { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn failed(attempt: Attempt, kind: FailureKind, retries: u32) -> TaskEvent {
        TaskEvent::Failed {
            attempt,
            kind,
            retries: Retries::of(retries),
        }
    }

    #[test]
    fn an_attempt_lost_by_the_machine_is_not_counted_against_the_retries() {
        let state = TaskState::first()
            .next(&failed(1, FailureKind::Lost, 0))
            .unwrap();
        assert_eq!(
            state,
            TaskState::Submitted {
                attempt: 2,
                failed: vec![FailureKind::Lost]
            }
        );
        assert_eq!(
            state.next(&failed(2, FailureKind::Exit, 0)).unwrap(),
            TaskState::Failed(FailureKind::Exit)
        );
    }

    #[test]
    fn what_cannot_pass_next_time_is_not_tried_again() {
        let state = TaskState::first()
            .next(&failed(1, FailureKind::NotConverged, 9))
            .unwrap();
        assert_eq!(state, TaskState::Failed(FailureKind::NotConverged));
    }

    #[test]
    fn an_earlier_attempt_says_nothing_about_the_present_one() {
        let second = TaskState::Submitted {
            attempt: 2,
            failed: vec![FailureKind::Exit],
        };
        assert!(second.next(&TaskEvent::Succeeded { attempt: 1 }).is_err());
        assert!(second.next(&failed(1, FailureKind::Exit, 9)).is_err());
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
                state = state.next(&failed(attempt, kind, retries)).unwrap();
            }
            prop_assert!(state.is_final());
            prop_assert!(attempts <= 20 + retries + 1);
        }

        #[test]
        fn a_final_state_meets_no_event(kind in kinds(), attempt in 1u32..4) {
            for state in [TaskState::Succeeded, TaskState::Failed(kind), TaskState::Cancelled] {
                for event in [TaskEvent::Succeeded { attempt }, failed(attempt, kind, 3), TaskEvent::Cancelled] {
                    prop_assert!(state.next(&event).is_err());
                }
            }
        }
    }
}
