//! What a batch system says of a job, in our words.

use std::time::Duration;

use crate::exec::Exit;
use crate::exec::batched::Traces;

/// Where a job stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    Waiting,
    Running,
    /// Its processes have ended, the batch system still cleans up.
    Completing,
    Ended(Fate),
    /// A word that this program does not know: neither success nor failure.
    Unknown(String),
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    Completed,
    /// The batch system's word.
    Failed(String),
    OutOfMemory,
    Walltime,
    Cancelled,
    /// Its node failed, or was given to another: the batch system's word.
    NodeLost(String),
}

/// What a batch system says of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub id: String,
    /// The token of its attempt, or the name of a block.
    pub name: String,
    pub state: State,
    /// When it was submitted, in the batch system's words, which sort by time. An id may be issued again.
    pub submitted: String,
    /// Why it waits, or ended, in the batch system's words; not to be relied upon.
    pub reason: String,
    /// Until its walltime ends; None where there is no end.
    pub left: Option<Duration>,
}

/// What a batch system says when it is asked for its jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    pub jobs: Vec<Listed>,
    /// Whether all jobs that were to be listed are among `jobs`. If not, a job that is not there may live.
    pub complete: bool,
}

impl From<Vec<Listed>> for Listing {
    /// A complete list.
    fn from(jobs: Vec<Listed>) -> Self {
        Self {
            jobs,
            complete: true,
        }
    }
}

/// How an attempt ended: its own result and exit status first, then the batch system's word, which is None once it
/// has forgotten the job. `ours`: whether this program cancelled it.
pub fn verdict(fate: Option<&Fate>, traces: &Traces, ours: bool) -> Exit {
    let seen = traces.ended.as_ref().map(|ended| ended.exit.clone());
    let killed = matches!(seen, None | Some(Exit::Signal(_)));
    match (seen, fate) {
        (_, Some(Fate::Cancelled)) if killed && ours => Exit::Cancelled,
        (_, Some(Fate::Cancelled)) if killed => Exit::CancelledByHand,
        // A signal does not say who sent it, and a batch system ends what it ends by signals.
        (_, Some(Fate::Walltime)) if killed => Exit::Walltime,
        (_, Some(Fate::NodeLost(word))) if killed => Exit::NodeLost(word.clone()),
        (Some(exit), _) => exit,
        (None, Some(Fate::OutOfMemory)) => Exit::Word("OUT_OF_MEMORY".into()),
        (None, Some(Fate::Failed(word))) => Exit::Word(word.clone()),
        (None, Some(_)) => Exit::Word("COMPLETED".into()),
        (None, None) if ours => Exit::Cancelled,
        (None, None) => Exit::Unseen,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::batched::Ended;
    use crate::task::HostFault;

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
    fn what_the_job_saw_counts_more_than_what_the_batch_system_says() {
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
    fn a_signal_is_explained_by_the_batch_system() {
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
        assert_eq!(
            verdict(Some(&Fate::Failed("FAILED".into())), &seen, false),
            Exit::Signal(15)
        );
    }

    #[test]
    fn a_host_that_kept_a_task_from_starting_is_named_whatever_the_batch_system_says() {
        let exit = Exit::NotStarted(HostFault::NoProcesses, "fork".into());
        let json = serde_json::to_string(&exit).expect("JSON");
        let exit_of_job: Exit = serde_json::from_str(&json).expect("the same");
        let failed = Fate::Failed("FAILED".into());
        for fate in [None, Some(&failed), Some(&Fate::Completed)] {
            assert_eq!(
                verdict(fate, &traces(Some(exit_of_job.clone())), false),
                exit
            );
        }
    }

    #[test]
    fn without_traces_no_word_of_a_batch_system_is_a_success() {
        for fate in [
            Fate::Completed,
            Fate::Failed("FAILED".into()),
            Fate::OutOfMemory,
        ] {
            assert!(matches!(
                verdict(Some(&fate), &traces(None), false),
                Exit::Word(_)
            ));
        }
        assert_eq!(verdict(None, &traces(None), false), Exit::Unseen);
    }
}
