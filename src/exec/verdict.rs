//! Verdict: how an attempt ended, from the files that it left, the state that the scheduler
//! reports, the client that waited for it, and the nodes that were lost.

use super::Termination;
use crate::scheduler::JobOutcome;

/// Evidence of the end of an attempt. What is not known is None, empty or false.
#[derive(Clone, Copy, Debug, Default)]
pub struct Evidence<'e> {
    /// End that the attempt itself recorded in its directory.
    pub recorded: Option<&'e Termination>,
    /// Terminal state that the scheduler reports for its job or block; None also once the scheduler
    /// has forgotten it.
    pub scheduler: Option<&'e JobOutcome>,
    /// End of the client on this host that waited for the attempt, such as `srun`.
    pub client: Option<&'e Termination>,
    /// Nodes of the attempt that do not answer any more.
    pub lost_nodes: &'e [String],
    /// This program cancelled it.
    pub cancelled: bool,
}

impl Evidence<'_> {
    /// Decides how the attempt ended: its own exit status first, unless something killed it; then
    /// the scheduler's state, then lost nodes, then the client.
    pub fn verdict(self) -> Termination {
        let Self {
            recorded,
            scheduler,
            client,
            lost_nodes,
            cancelled,
        } = self;
        let killed = recorded.is_none_or(Termination::may_be_a_signal);
        match (scheduler, recorded) {
            (Some(JobOutcome::Cancelled), _) if killed && cancelled => Termination::Cancelled,
            (Some(JobOutcome::Cancelled), _) if killed => Termination::CancelledByHand,
            // A signal does not tell who sent it, and a scheduler ends what it ends by signals.
            (Some(JobOutcome::Walltime), _) if killed => Termination::Walltime,
            (Some(JobOutcome::OutOfMemory), _) if killed => Termination::OutOfMemory,
            (Some(JobOutcome::NodeLost(state)), _) if killed => {
                Termination::NodeLost(state.clone())
            }
            _ if killed && !lost_nodes.is_empty() => Termination::NodeLost(lost_nodes.join(", ")),
            (None, None) if cancelled => Termination::Cancelled,
            // The client was sent the signal, and passed it on.
            (_, Some(Termination::Signal(_))) if cancelled && client.is_some() => {
                Termination::Cancelled
            }
            (_, Some(recorded)) => recorded.clone(),
            (scheduler, None) => match (client, scheduler) {
                (Some(client), _) => client.clone(),
                (None, Some(JobOutcome::Failed(state))) => Termination::FinalState(state.clone()),
                (None, Some(_)) => Termination::FinalState("COMPLETED".into()),
                (None, None) => Termination::Unseen,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::HostFault;

    /// Verdict on a job of its own.
    fn of_job(
        scheduler: Option<&JobOutcome>,
        recorded: Option<&Termination>,
        cancelled: bool,
    ) -> Termination {
        let evidence = Evidence {
            recorded,
            scheduler,
            cancelled,
            ..Evidence::default()
        };
        evidence.verdict()
    }

    /// Verdict on a task whose client ended with exit status 1.
    fn of_client(recorded: Option<&Termination>, lost_nodes: &[String]) -> Termination {
        let evidence = Evidence {
            recorded,
            lost_nodes,
            client: Some(&Termination::Code(1)),
            ..Evidence::default()
        };
        evidence.verdict()
    }

    #[test]
    fn what_the_job_saw_counts_more_than_what_the_scheduler_says() {
        let seen = Some(&Termination::Code(3));
        for fate in [
            JobOutcome::Completed,
            JobOutcome::Walltime,
            JobOutcome::Cancelled,
            JobOutcome::NodeLost("NODE_FAIL".into()),
        ] {
            assert_eq!(of_job(Some(&fate), seen, false), Termination::Code(3));
        }
        assert_eq!(of_job(None, seen, false), Termination::Code(3));
    }

    #[test]
    fn a_signal_is_explained_by_the_scheduler() {
        let seen = Some(&Termination::Signal(15));
        let failed = JobOutcome::Failed("FAILED".into());
        let cancelled = Some(&JobOutcome::Cancelled);
        assert_eq!(
            of_job(Some(&JobOutcome::Walltime), seen, false),
            Termination::Walltime
        );
        assert_eq!(of_job(cancelled, seen, true), Termination::Cancelled);
        assert_eq!(of_job(cancelled, seen, false), Termination::CancelledByHand);
        assert_eq!(of_job(Some(&failed), seen, false), Termination::Signal(15));
        let memory = Some(&JobOutcome::OutOfMemory);
        for recorded in [
            None,
            Some(&Termination::Signal(9)),
            Some(&Termination::Code(137)),
        ] {
            assert_eq!(of_job(memory, recorded, false), Termination::OutOfMemory);
        }
        let error = Termination::Code(1);
        assert_eq!(of_job(memory, Some(&error), false), error);
        let shell = Some(&Termination::Code(143));
        assert_eq!(of_job(cancelled, shell, true), Termination::Cancelled);
        let completed = of_job(Some(&JobOutcome::Completed), shell, false);
        assert_eq!(completed, Termination::Code(143));
    }

    #[test]
    fn a_host_that_kept_a_task_from_starting_is_named_whatever_the_scheduler_says() {
        let exit = Termination::NotStarted(HostFault::NoProcesses, "fork".into());
        let json = serde_json::to_string(&exit).expect("JSON");
        let exit_of_job: Termination = serde_json::from_str(&json).expect("the same");
        let failed = JobOutcome::Failed("FAILED".into());
        for fate in [None, Some(&failed), Some(&JobOutcome::Completed)] {
            assert_eq!(of_job(fate, Some(&exit_of_job), false), exit);
        }
    }

    #[test]
    fn without_files_no_state_of_a_scheduler_is_a_success() {
        for fate in [JobOutcome::Completed, JobOutcome::Failed("FAILED".into())] {
            let exit = of_job(Some(&fate), None, false);
            assert!(matches!(exit, Termination::FinalState(_)));
        }
        assert_eq!(of_job(None, None, false), Termination::Unseen);
    }

    #[test]
    fn what_a_task_left_counts_more_than_the_loss_of_its_node() {
        let lost = ["n3".to_owned()];
        let node_lost = || Termination::NodeLost("n3".into());
        assert_eq!(
            of_client(Some(&Termination::Code(3)), &lost),
            Termination::Code(3)
        );
        assert_eq!(of_client(Some(&Termination::Signal(9)), &lost), node_lost());
        assert_eq!(of_client(None, &lost), node_lost());
        assert_eq!(
            of_client(Some(&Termination::Signal(11)), &[]),
            Termination::Signal(11)
        );
        assert_eq!(of_client(None, &[]), Termination::Code(1));
    }
}
