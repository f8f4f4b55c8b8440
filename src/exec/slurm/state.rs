//! What Slurm says of a job, in its words and in ours.

use std::time::Duration;

use crate::exec::Exit;
use crate::exec::batched::Traces;

/// Where a job stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    Waiting,
    Running,
    /// Its processes have ended, Slurm still cleans up.
    Completing,
    Ended(Fate),
    /// A word that this program does not know: neither success nor failure.
    Unknown(String),
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    Completed,
    Failed,
    OutOfMemory,
    Walltime,
    Cancelled,
    /// Its node failed, or was given to another: Slurm's word.
    NodeLost(String),
}

/// A line of `squeue`, or what `scontrol show job` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub id: String,
    pub name: String,
    pub state: State,
    /// When it was submitted, in Slurm's words. An id may be issued again after the controller lost its state.
    pub submitted: String,
    /// Why it waits, or ended, in Slurm's words; not to be relied upon.
    pub reason: String,
    /// Until its walltime ends; None where there is no end.
    pub left: Option<Duration>,
}

impl State {
    /// Reads a word; `CANCELLED by 1000` is one.
    pub fn of(word: &str) -> Self {
        let ended = Self::Ended;
        match word.split_whitespace().next().unwrap_or_default() {
            "PENDING" | "CONFIGURING" | "REQUEUED" | "REQUEUE_FED" | "REQUEUE_HOLD"
            | "RESV_DEL_HOLD" | "SPECIAL_EXIT" => Self::Waiting,
            "RUNNING" | "SUSPENDED" | "STOPPED" | "SIGNALING" | "RESIZING" | "STAGE_OUT" => {
                Self::Running
            }
            "COMPLETING" => Self::Completing,
            "COMPLETED" => ended(Fate::Completed),
            "FAILED" => ended(Fate::Failed),
            "OUT_OF_MEMORY" => ended(Fate::OutOfMemory),
            "TIMEOUT" | "DEADLINE" => ended(Fate::Walltime),
            "CANCELLED" | "REVOKED" => ended(Fate::Cancelled),
            word @ ("NODE_FAIL" | "BOOT_FAIL" | "PREEMPTED") => {
                ended(Fate::NodeLost(word.to_owned()))
            }
            word => Self::Unknown(word.to_owned()),
        }
    }
}

/// How an attempt ended: its own result and exit status first, then Slurm's word, which is None once Slurm has
/// forgotten the job. `ours`: whether this program cancelled it.
pub fn verdict(fate: Option<&Fate>, traces: &Traces, ours: bool) -> Exit {
    let seen = traces.ended.as_ref().map(|ended| ended.exit.clone());
    let killed = matches!(seen, None | Some(Exit::Signal(_)));
    match (seen, fate) {
        (_, Some(Fate::Cancelled)) if killed && ours => Exit::Cancelled,
        (_, Some(Fate::Cancelled)) if killed => Exit::CancelledByHand,
        // A signal does not say who sent it, and Slurm ends what it ends by signals.
        (_, Some(Fate::Walltime)) if killed => Exit::Walltime,
        (_, Some(Fate::NodeLost(word))) if killed => Exit::NodeLost(word.clone()),
        (Some(exit), _) => exit,
        (None, Some(Fate::OutOfMemory)) => Exit::Word("OUT_OF_MEMORY".into()),
        (None, Some(Fate::Failed)) => Exit::Word("FAILED".into()),
        (None, Some(_)) => Exit::Word("COMPLETED".into()),
        (None, None) if ours => Exit::Cancelled,
        (None, None) => Exit::Unseen,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::batched::Ended;
    use proptest::prelude::*;

    fn traces(exit: Option<Exit>) -> Traces {
        Traces {
            result: None,
            ended: exit.map(|exit| Ended {
                exit,
                started: 0,
                ended: 1,
            }),
        }
    }

    #[test]
    fn what_the_job_saw_counts_more_than_what_slurm_says() {
        let seen = traces(Some(Exit::Code(3)));
        for fate in [
            Fate::Completed,
            Fate::Walltime,
            Fate::Cancelled,
            Fate::NodeLost("NODE_FAIL".into()),
        ] {
            assert_eq!(verdict(Some(&fate), &seen, false), Exit::Code(3));
        }
        assert_eq!(verdict(None, &seen, false), Exit::Code(3));
    }

    #[test]
    fn a_signal_is_explained_by_slurm() {
        let seen = traces(Some(Exit::Signal(15)));
        assert_eq!(verdict(Some(&Fate::Walltime), &seen, false), Exit::Walltime);
        assert_eq!(
            verdict(Some(&Fate::Cancelled), &seen, true),
            Exit::Cancelled
        );
        assert_eq!(
            verdict(Some(&Fate::Cancelled), &seen, false),
            Exit::CancelledByHand
        );
        assert_eq!(verdict(Some(&Fate::Failed), &seen, false), Exit::Signal(15));
    }

    #[test]
    fn without_traces_no_word_of_slurm_is_a_success() {
        for fate in [Fate::Completed, Fate::Failed, Fate::OutOfMemory] {
            assert!(matches!(
                verdict(Some(&fate), &traces(None), false),
                Exit::Word(_)
            ));
        }
        assert_eq!(verdict(None, &traces(None), false), Exit::Unseen);
    }

    #[test]
    fn the_uid_after_cancelled_is_no_part_of_the_word() {
        assert_eq!(
            State::of("CANCELLED by 1000"),
            State::Ended(Fate::Cancelled)
        );
    }

    proptest! {
        #[test]
        fn a_word_that_is_not_known_is_kept(word in "[A-Z_]{1,12}X") {
            prop_assert_eq!(State::of(&word), State::Unknown(word.clone()));
        }
    }
}
