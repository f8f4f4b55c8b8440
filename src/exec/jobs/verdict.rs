//! How an attempt ended, from its own files and the scheduler's word.

use crate::exec::Exit;
use crate::exec::job_wrapper::AttemptFiles;
use crate::scheduler::JobOutcome;

/// Returns how an attempt ended: its own result and exit status come first, then the scheduler's
/// word, which is `None` once it has forgotten the job. `ours`: whether this program cancelled it.
pub fn verdict(outcome: Option<&JobOutcome>, files: &AttemptFiles, ours: bool) -> Exit {
    let seen = files.ended.as_ref().map(|ended| ended.exit.clone());
    // A shell whose program was ended by SIGTERM or SIGKILL says so by its status, if it outlives it for a moment.
    let killed = matches!(seen, None | Some(Exit::Signal(_) | Exit::Code(137 | 143)));
    match (seen, outcome) {
        (_, Some(JobOutcome::Cancelled)) if killed && ours => Exit::Cancelled,
        (_, Some(JobOutcome::Cancelled)) if killed => Exit::CancelledByHand,
        // A signal does not say who sent it, and a scheduler ends what it ends by signals.
        (_, Some(JobOutcome::Walltime)) if killed => Exit::Walltime,
        (_, Some(JobOutcome::NodeLost(word))) if killed => Exit::NodeLost(word.clone()),
        (Some(exit), _) => exit,
        (None, Some(JobOutcome::OutOfMemory)) => Exit::Word("OUT_OF_MEMORY".into()),
        (None, Some(JobOutcome::Failed(word))) => Exit::Word(word.clone()),
        (None, Some(_)) => Exit::Word("COMPLETED".into()),
        (None, None) if ours => Exit::Cancelled,
        (None, None) => Exit::Unseen,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::job_wrapper::AttemptEnd;
    use crate::task::HostFault;

    fn files(exit: Option<Exit>) -> AttemptFiles {
        AttemptFiles {
            result: None,
            ended: exit.map(|exit| AttemptEnd {
                exit,
                started: 0,
                ended: 1,
            }),
        }
    }

    #[test]
    fn what_the_job_saw_counts_more_than_what_the_batch_system_says() {
        let seen = files(Some(Exit::Code(3)));
        for outcome in [
            JobOutcome::Completed,
            JobOutcome::Walltime,
            JobOutcome::Cancelled,
            JobOutcome::NodeLost("NODE_FAIL".into()),
        ] {
            assert_eq!(verdict(Some(&outcome), &seen, false), Exit::Code(3));
        }
        assert_eq!(verdict(None, &seen, false), Exit::Code(3));
    }

    #[test]
    fn a_signal_is_explained_by_the_batch_system() {
        let seen = files(Some(Exit::Signal(15)));
        assert_eq!(
            verdict(Some(&JobOutcome::Walltime), &seen, false),
            Exit::Walltime
        );
        assert_eq!(
            verdict(Some(&JobOutcome::Cancelled), &seen, true),
            Exit::Cancelled
        );
        assert_eq!(
            verdict(Some(&JobOutcome::Cancelled), &seen, false),
            Exit::CancelledByHand
        );
        assert_eq!(
            verdict(Some(&JobOutcome::Failed("FAILED".into())), &seen, false),
            Exit::Signal(15)
        );
        let shell = files(Some(Exit::Code(143)));
        assert_eq!(
            verdict(Some(&JobOutcome::Cancelled), &shell, true),
            Exit::Cancelled
        );
        assert_eq!(
            verdict(Some(&JobOutcome::Completed), &shell, false),
            Exit::Code(143)
        );
    }

    #[test]
    fn a_host_that_kept_a_task_from_starting_is_named_whatever_the_batch_system_says() {
        let exit = Exit::NotStarted(HostFault::NoProcesses, "fork".into());
        let json = serde_json::to_string(&exit).expect("JSON");
        let exit_of_job: Exit = serde_json::from_str(&json).expect("the same");
        let failed = JobOutcome::Failed("FAILED".into());
        for outcome in [None, Some(&failed), Some(&JobOutcome::Completed)] {
            assert_eq!(
                verdict(outcome, &files(Some(exit_of_job.clone())), false),
                exit
            );
        }
    }

    #[test]
    fn without_files_no_word_of_a_batch_system_is_a_success() {
        for outcome in [
            JobOutcome::Completed,
            JobOutcome::Failed("FAILED".into()),
            JobOutcome::OutOfMemory,
        ] {
            assert!(matches!(
                verdict(Some(&outcome), &files(None), false),
                Exit::Word(_)
            ));
        }
        assert_eq!(verdict(None, &files(None), false), Exit::Unseen);
    }
}
