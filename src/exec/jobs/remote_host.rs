//! Processes of a host behind SSH as a scheduler without a queue: a job starts when it is
//! submitted.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::exec::job_wrapper;
use crate::exec::ssh::processes::{ProcessState, parsed};
use crate::scheduler::one_by_one;
use crate::scheduler::{
    CommandHost, CommandOutput, CommandRequest, JobListing, JobOutcome, JobScripts, JobState,
    JobStatus, ReadyJob, Scheduler, SchedulerInfo, ScriptError, Submission, SubmitHost, TaskJob,
    Unreachable,
};
use crate::task::HostFault;

/// A poll costs a few milliseconds of CPU time on that host, and tasks may be short.
static INFO: SchedulerInfo = SchedulerInfo {
    name: "the host",
    clients: &["moldflow"],
    cancel: "kill",
    min_poll: Duration::from_millis(200),
    max_poll: Duration::from_secs(5),
};

/// The `local` executor of another host.
pub struct RemoteHost {
    /// Folder on that host in which the directories of attempts are.
    pub work_dir: String,
    /// Shell lines before a task.
    pub setup: Vec<String>,
}

impl RemoteHost {
    fn ask(
        &self,
        host: &mut dyn CommandHost,
        request: &str,
        tokens: &[String],
    ) -> Result<CommandOutput, Unreachable> {
        let program = host.executable()?.display().to_string();
        let call = CommandRequest::new([&*program, "remote", request, &self.work_dir]);
        host.run(&call.args(tokens.iter().cloned()))
    }
}

impl JobScripts for RemoteHost {
    fn info(&self) -> &'static SchedulerInfo {
        &INFO
    }

    fn script(&self, job: &TaskJob) -> Result<String, ScriptError> {
        Ok(job_wrapper::script(&self.setup, job.argv))
    }
}

impl Scheduler for RemoteHost {
    fn scripts(&self) -> &dyn JobScripts {
        self
    }

    fn submit(&mut self, host: &mut dyn SubmitHost, jobs: &[ReadyJob]) -> Vec<Submission> {
        one_by_one(jobs, |job| {
            let token = job.token.to_string();
            match self.ask(host, "start", std::slice::from_ref(&token)) {
                Ok(output) if output.succeeded() => Submission::Accepted(token),
                Ok(output) => match output.code.and_then(HostFault::of_exit_code) {
                    Some(fault) => Submission::HostFault(fault, output.stderr),
                    None => Submission::Rejected(output.stderr),
                },
                Err(_) => Submission::Unknown,
            }
        })
    }

    fn list(&mut self, host: &mut dyn CommandHost, _: &str) -> Result<JobListing, Unreachable> {
        let output = self.ask(host, "list", &[])?;
        let list = parsed(&output.stdout).ok_or(Unreachable(output.stderr))?;
        let status = |(token, condition): (String, _)| JobStatus {
            id: token.clone(),
            name: token,
            state: state(condition),
            submitted: String::new(),
            reason: String::new(),
            left: None,
        };
        let jobs: Vec<JobStatus> = list.into_iter().map(status).collect();
        Ok(jobs.into())
    }

    fn status(
        &mut self,
        host: &mut dyn CommandHost,
        ids: &[String],
    ) -> Result<BTreeMap<String, Option<JobStatus>>, Unreachable> {
        let jobs = self.list(host, "")?.jobs;
        let find = |id: &String| jobs.iter().find(|job| job.id == *id).cloned();
        Ok(ids.iter().map(|id| (id.clone(), find(id))).collect())
    }

    fn cancel(
        &mut self,
        host: &mut dyn CommandHost,
        tokens: &[String],
        pending_only: bool,
    ) -> Result<Vec<String>, Unreachable> {
        // None of them is pending.
        if pending_only || tokens.is_empty() {
            return Ok(Vec::new());
        }
        match self.ask(host, "end", tokens)? {
            // They have ended when it returns.
            output if output.succeeded() => Ok(Vec::new()),
            output => Err(Unreachable(output.stderr)),
        }
    }
}

fn state(condition: ProcessState) -> JobState {
    match condition {
        ProcessState::Running => JobState::Running,
        ProcessState::Ended => JobState::Ended(JobOutcome::Completed),
        ProcessState::Cancelled => JobState::Ended(JobOutcome::Cancelled),
        ProcessState::Gone => JobState::Ended(JobOutcome::NodeLost("gone".into())),
        ProcessState::Elsewhere(host) => JobState::Unknown(format!("on {host}")),
    }
}
